"""The pipelines of the project, by name."""

from kedro.pipeline import Pipeline

from medpipe.pipelines import imaging, imaging_inference, molecules


def register_pipelines() -> dict[str, Pipeline]:
    """``kedro run`` without a name runs ``imaging`` and ``molecules``; ``imaging_inference`` needs the user's scans."""
    pipelines = {"imaging": imaging.create_pipeline(), "molecules": molecules.create_pipeline()}
    default = sum(pipelines.values(), Pipeline([]))
    return {"__default__": default, **pipelines, "imaging_inference": imaging_inference.create_pipeline()}

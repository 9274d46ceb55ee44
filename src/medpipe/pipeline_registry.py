"""The pipelines of the project, by name."""

from kedro.pipeline import Pipeline

from medpipe.pipelines import imaging, molecules


def register_pipelines() -> dict[str, Pipeline]:
    """``imaging`` and ``molecules``; ``kedro run`` without a name runs both."""
    pipelines = {"imaging": imaging.create_pipeline(), "molecules": molecules.create_pipeline()}
    return {"__default__": sum(pipelines.values(), Pipeline([])), **pipelines}

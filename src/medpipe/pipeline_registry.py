"""The pipelines of the project, by name."""

from kedro.pipeline import Pipeline

from medpipe.pipelines import (
    imaging,
    imaging_cv,
    imaging_inference,
    imaging_promotion,
    molecules,
    molecules_promotion,
    optimise,
    properties,
    properties_promotion,
)


def register_pipelines() -> dict[str, Pipeline]:
    """``kedro run`` without a name runs ``imaging`` and ``molecules``; ``imaging_inference`` needs the user's scans."""
    default = {"imaging": imaging.create_pipeline(), "molecules": molecules.create_pipeline()}
    others = {
        "imaging_cv": imaging_cv.create_pipeline(),
        "imaging_inference": imaging_inference.create_pipeline(),
        "imaging_promotion": imaging_promotion.create_pipeline(),
        "molecules_promotion": molecules_promotion.create_pipeline(),
        "optimise": optimise.create_pipeline(),
        "properties": properties.create_pipeline(),
        "properties_promotion": properties_promotion.create_pipeline(),
    }
    return {"__default__": sum(default.values(), Pipeline([])), **default, **others}

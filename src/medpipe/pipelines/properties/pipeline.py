"""``provide_properties -> ingest_properties -> train_properties -> evaluate_properties``."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.properties import nodes


def create_pipeline(**_: object) -> Pipeline:
    """A table of molecules with properties in, a calibrated model of these properties out."""
    return Pipeline(
        [
            Node(
                nodes.provide_properties,
                ["params:property_source", "property_source_work"],
                "property_raw",
                name="provide_properties",
            ),
            Node(
                nodes.ingest_properties,
                ["property_raw", "params:ingest_properties"],
                ["property_table", "property_rejected"],
                name="ingest_properties",
            ),
            Node(
                nodes.train_properties,
                ["property_table", "params:train_properties", "train_properties_work"],
                ["property_model", "property_history"],
                name="train_properties",
                tags="gpu",
            ),
            Node(
                nodes.evaluate_properties,
                ["property_model", "property_table", "params:evaluate_properties"],
                ["property_metrics", "property_predictions"],
                name="evaluate_properties",
            ),
            Node(
                nodes.draw_property_model,
                "property_predictions",
                "property_model_figure",
                name="draw_property_model",
            ),
        ]
    )

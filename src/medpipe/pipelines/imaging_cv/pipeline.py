"""``ingest_ct -> preprocess -> cross_validate``."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.imaging.nodes import detection
from medpipe.pipelines.imaging.pipeline import intake_pipeline
from medpipe.pipelines.imaging_cv import nodes


def create_pipeline(**_: object) -> Pipeline:
    """The detector judged on all scans, each by networks that never saw its patient."""
    return intake_pipeline() + Pipeline(
        [
            Node(
                nodes.cross_validate,
                [
                    "scan_store",
                    "ct_scans",
                    "ct_nodules",
                    "ct_locations",
                    "params:cross_validation",
                    "params:train_cnn",
                    "params:train_reducer",
                    "params:detect",
                    "params:evaluate",
                    "cross_validation_work",
                ],
                ["cv_metrics", "cv_froc_curve", "cv_outcomes", "cv_folds"],
                name="cross_validate",
                tags="gpu",
            ),
            Node(detection.draw_froc, "cv_froc_curve", "cv_froc_figure", name="draw_cv_froc"),
        ]
    )

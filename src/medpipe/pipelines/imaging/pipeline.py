"""``ingest_ct -> preprocess -> train_cnn -> evaluate``, for detection, segmentation and classification."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.imaging.nodes import classification, detection, findings, intake, segmentation

COHORT = ["scan_store", "ct_scans", "ct_nodules", "ct_splits"]
"""The prepared scans, what is known of them, and who is in which split."""


def create_pipeline(**_: object) -> Pipeline:
    """CT scans in; tested networks that detect, outline and classify nodules out."""
    return intake_pipeline() + _detection() + _segmentation() + _classification() + _findings()


def intake_pipeline() -> Pipeline:
    """From raw scans to the scan store."""
    return Pipeline(
        [
            Node(intake.provide_ct, ["params:ct_source", "ct_source_work"], "ct_raw", name="provide_ct"),
            Node(
                intake.ingest_ct,
                ["ct_raw", "params:ingest_ct", "ct_masks_work", "ct_identity_work"],
                ["ct_scans", "ct_nodules", "ct_splits", "ct_locations", "ct_masks"],
                name="ingest_ct",
            ),
            Node(
                intake.preprocess,
                ["ct_raw", "ct_scans", "ct_locations", "ct_masks", "params:preprocess", "scan_store_work"],
                "scan_store",
                name="preprocess",
            ),
            Node(
                intake.draw_rejects,
                ["ct_raw", "ct_scans", "ct_locations", "scan_store"],
                "ct_rejects_figure",
                name="draw_rejects",
            ),
            Node(
                intake.report_cohort,
                ["ct_scans", "ct_nodules", "ct_splits", "scan_store"],
                ["ct_cohort_statistics", "ct_cohort_drift", "ct_cohort_figure"],
                name="report_cohort",
            ),
            Node(intake.draw_scans, COHORT, "ct_scans_figure", name="draw_scans"),
        ]
    )


def _detection() -> Pipeline:
    space = "detection"
    return Pipeline(
        [
            Node(
                detection.train_cnn,
                [*COHORT, "params:train_cnn", "params:pretrained", "train_cnn_work"],
                ["detector_checkpoint", "detector_history"],
                name="train_cnn",
                tags="gpu",
                namespace=space,
            ),
            Node(
                detection.train_reducer,
                [*COHORT, "detector_checkpoint", "params:train_reducer", "params:pretrained", "train_reducer_work"],
                ["reducer_checkpoint", "reducer_history"],
                name="train_reducer",
                tags="gpu",
                namespace=space,
            ),
            Node(
                detection.detect,
                ["scan_store", "ct_scans", "ct_splits", "detector_checkpoint", "reducer_checkpoint", "params:detect"],
                ["candidates", "candidates_untrained"],
                name="detect",
                tags="gpu",
                namespace=space,
            ),
            Node(
                detection.evaluate,
                [
                    *COHORT,
                    "candidates",
                    "candidates_untrained",
                    "detector_checkpoint",
                    "reducer_checkpoint",
                    "params:evaluate",
                ],
                ["detection_metrics", "froc_curves", "finding_outcomes"],
                name="evaluate",
                namespace=space,
            ),
            Node(detection.draw_froc, "froc_curves", "froc_figure", name="draw_froc", namespace=space),
            Node(
                detection.draw_findings,
                ["scan_store", "finding_outcomes"],
                ["hits_figure", "misses_figure", "false_alarms_figure"],
                name="draw_findings",
                namespace=space,
            ),
        ]
    )


def _segmentation() -> Pipeline:
    space = "segmentation"
    return Pipeline(
        [
            Node(
                segmentation.train_segmenter,
                [*COHORT, "params:train_segmenter", "params:pretrained", "train_segmenter_work"],
                ["segmenter_checkpoint", "segmenter_history"],
                name="train_segmenter",
                tags="gpu",
                namespace=space,
            ),
            Node(
                segmentation.segment,
                [*COHORT, "segmenter_checkpoint", "params:segment", "segmented_masks_work"],
                ["segmented", "segmented_masks"],
                name="segment",
                tags="gpu",
                namespace=space,
            ),
            Node(
                segmentation.evaluate_segmentation,
                [*COHORT, "segmenter_checkpoint", "segmented", "segmented_masks", "params:evaluate_segmentation"],
                ["segmentation_metrics", "segmentation_scores"],
                name="evaluate_segmentation",
                namespace=space,
            ),
            Node(
                segmentation.draw_segmentation,
                ["scan_store", "segmenter_checkpoint", "segmented", "segmented_masks", "segmentation_scores"],
                "segmentation_figure",
                name="draw_segmentation",
                namespace=space,
            ),
        ]
    )


def _classification() -> Pipeline:
    space = "classification"
    return Pipeline(
        [
            Node(
                classification.train_classifier,
                [*COHORT, "params:train_classifier", "params:pretrained", "train_classifier_work"],
                ["classifier_checkpoint", "classifier_history"],
                name="train_classifier",
                tags="gpu",
                namespace=space,
            ),
            Node(
                classification.classify,
                [*COHORT, "classifier_checkpoint", "params:classify"],
                "classified",
                name="classify",
                tags="gpu",
                namespace=space,
            ),
            Node(
                classification.evaluate_classification,
                ["ct_scans", "classified", "classifier_checkpoint", "params:evaluate_classification"],
                ["classification_metrics", "classification_scores", "classification_curve"],
                name="evaluate_classification",
                namespace=space,
            ),
            Node(
                classification.draw_classification,
                ["classification_metrics", "classification_scores", "classification_curve", "classifier_checkpoint"],
                "classification_figure",
                name="draw_classification",
                namespace=space,
            ),
        ]
    )


def _findings() -> Pipeline:
    space = "findings"
    return Pipeline(
        [
            Node(
                findings.keep_models,
                [
                    "detector_checkpoint",
                    "reducer_checkpoint",
                    "segmenter_checkpoint",
                    "classifier_checkpoint",
                    "params:find",
                    "params:segment",
                    "params:classify",
                    "nodule_models_work",
                ],
                "nodule_models",
                name="keep_models",
                namespace=space,
            ),
            Node(
                findings.find_instances,
                ["scan_store", "candidates", "nodule_models", "instance_masks_work"],
                ["instances", "instance_masks"],
                name="find_instances",
                tags="gpu",
                namespace=space,
            ),
            Node(
                findings.evaluate_instances,
                [*COHORT, "instances", "instance_masks", "segmenter_checkpoint", "params:evaluate_segmentation"],
                ["instance_metrics", "instance_scores"],
                name="evaluate_instances",
                namespace=space,
            ),
            Node(
                findings.write_report,
                [
                    "scan_store",
                    "ct_scans",
                    "ct_splits",
                    "detection_metrics",
                    "froc_curves",
                    "finding_outcomes",
                    "segmentation_metrics",
                    "segmented",
                    "segmented_masks",
                    "segmentation_scores",
                    "instance_metrics",
                    "instance_scores",
                    "classification_metrics",
                    "classification_scores",
                    "classification_curve",
                    "instance_masks",
                    "detector_checkpoint",
                    "segmenter_checkpoint",
                    "classifier_checkpoint",
                    "params:report",
                ],
                "imaging_report",
                name="write_report",
                namespace=space,
            ),
        ]
    )

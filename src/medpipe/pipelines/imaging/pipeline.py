"""``ingest_ct -> preprocess -> train_cnn -> evaluate``."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.imaging import nodes


def create_pipeline(**_: object) -> Pipeline:
    """CT scans in, a tested nodule detector out."""
    return Pipeline(
        [
            Node(nodes.provide_ct, ["params:ct_source", "ct_source_work"], "ct_raw", name="provide_ct"),
            Node(
                nodes.ingest_ct,
                ["ct_raw", "params:ingest_ct", "ct_masks_work", "ct_identity_work"],
                ["ct_scans", "ct_nodules", "ct_splits", "ct_locations", "ct_masks"],
                name="ingest_ct",
            ),
            Node(
                nodes.preprocess,
                ["ct_raw", "ct_scans", "ct_locations", "ct_masks", "params:preprocess", "scan_store_work"],
                "scan_store",
                name="preprocess",
            ),
            Node(
                nodes.draw_rejects,
                ["ct_raw", "ct_scans", "ct_locations", "scan_store"],
                "ct_rejects_figure",
                name="draw_rejects",
            ),
            Node(
                nodes.report_cohort,
                ["ct_scans", "ct_nodules", "ct_splits", "scan_store"],
                ["ct_cohort_statistics", "ct_cohort_drift", "ct_cohort_figure"],
                name="report_cohort",
            ),
            Node(
                nodes.draw_scans,
                ["scan_store", "ct_scans", "ct_nodules", "ct_splits"],
                "ct_scans_figure",
                name="draw_scans",
            ),
            Node(
                nodes.train_cnn,
                [
                    "scan_store",
                    "ct_scans",
                    "ct_nodules",
                    "ct_splits",
                    "params:train_cnn",
                    "params:pretrained_detector",
                    "train_cnn_work",
                ],
                ["detector_checkpoint", "detector_history"],
                name="train_cnn",
                tags="gpu",
            ),
            Node(
                nodes.detect,
                ["scan_store", "ct_scans", "ct_splits", "detector_checkpoint", "params:detect"],
                ["candidates", "candidates_untrained"],
                name="detect",
                tags="gpu",
            ),
            Node(
                nodes.evaluate,
                [
                    "scan_store",
                    "ct_scans",
                    "ct_nodules",
                    "ct_splits",
                    "candidates",
                    "candidates_untrained",
                    "detector_checkpoint",
                    "params:evaluate",
                ],
                ["detection_metrics", "froc_curves", "finding_outcomes"],
                name="evaluate",
            ),
            Node(nodes.draw_froc, "froc_curves", "froc_figure", name="draw_froc"),
            Node(
                nodes.draw_findings,
                ["scan_store", "finding_outcomes"],
                ["hits_figure", "misses_figure", "false_alarms_figure"],
                name="draw_findings",
            ),
        ]
    )

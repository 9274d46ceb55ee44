"""``ingest -> preprocess -> detect -> segment -> classify -> write`` for scans that nobody has read."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.imaging_inference import nodes

FINDINGS = ["inference_instances", "inference_masks", "inference_networks"]


def create_pipeline(**_: object) -> Pipeline:
    """Scans in; findings as CSV, NIfTI, DICOM segmentation, structured report and HTML out."""
    return Pipeline(
        [
            Node(nodes.provide_scans, "params:inference_source", "inference_raw", name="provide_scans"),
            Node(
                nodes.take_models,
                ["nodule_models", "params:inference_models", "inference_networks_work"],
                "inference_networks",
                name="take_models",
            ),
            Node(
                nodes.ingest_scans,
                ["inference_raw", "params:ingest_ct", "ct_identity_work"],
                ["inference_scans", "inference_locations"],
                name="ingest_scans",
            ),
            Node(
                nodes.prepare_scans,
                [
                    "inference_raw",
                    "inference_scans",
                    "inference_locations",
                    "inference_networks",
                    "params:preprocess",
                    "inference_store_work",
                ],
                "inference_store",
                name="prepare_scans",
            ),
            Node(
                nodes.find_findings,
                [
                    "inference_store",
                    "inference_networks",
                    "params:find",
                    "params:segment",
                    "params:classify",
                    "inference_masks_work",
                ],
                ["inference_instances", "inference_masks"],
                name="find_findings",
                tags="gpu",
            ),
            Node(
                nodes.write_findings,
                [
                    "inference_raw",
                    "inference_scans",
                    "inference_locations",
                    "inference_store",
                    *FINDINGS,
                    "inference_findings_work",
                ],
                ["inference_written", "inference_findings"],
                name="write_findings",
            ),
            Node(
                nodes.report_findings,
                ["inference_store", *FINDINGS, "params:report"],
                "inference_report",
                name="report_findings",
            ),
        ]
    )

"""The pipeline ``imaging_inference``."""

from medpipe.pipelines.imaging_inference.pipeline import create_pipeline

__all__ = ["create_pipeline"]

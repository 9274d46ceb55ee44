"""The pipeline ``imaging``."""

from medpipe.pipelines.imaging.pipeline import create_pipeline

__all__ = ["create_pipeline"]

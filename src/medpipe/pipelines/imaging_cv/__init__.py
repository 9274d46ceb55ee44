"""The pipeline ``imaging_cv``."""

from medpipe.pipelines.imaging_cv.pipeline import create_pipeline

__all__ = ["create_pipeline"]

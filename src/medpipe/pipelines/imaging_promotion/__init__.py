"""The pipeline ``imaging_promotion``."""

from medpipe.pipelines.imaging_promotion.pipeline import create_pipeline

__all__ = ["create_pipeline"]

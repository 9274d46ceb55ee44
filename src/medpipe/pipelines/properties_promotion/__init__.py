"""The pipeline ``properties_promotion``."""

from medpipe.pipelines.properties_promotion.pipeline import create_pipeline

__all__ = ["create_pipeline"]

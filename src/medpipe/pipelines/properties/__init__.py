"""The pipeline ``properties``."""

from medpipe.pipelines.properties.pipeline import create_pipeline

__all__ = ["create_pipeline"]

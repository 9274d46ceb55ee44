"""The pipeline ``molecules_promotion``."""

from medpipe.pipelines.molecules_promotion.pipeline import create_pipeline

__all__ = ["create_pipeline"]

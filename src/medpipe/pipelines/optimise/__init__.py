"""The pipeline ``optimise``."""

from medpipe.pipelines.optimise.pipeline import create_pipeline

__all__ = ["create_pipeline"]

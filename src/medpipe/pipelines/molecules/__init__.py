"""The pipeline ``molecules``."""

from medpipe.pipelines.molecules.pipeline import create_pipeline

__all__ = ["create_pipeline"]

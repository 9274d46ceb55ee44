"""How pipelines are run."""

from medpipe.runners.incremental import IncrementalRunner

__all__ = ["IncrementalRunner"]

"""How pipelines are run."""

from medpipe.runners.incremental import IncrementalRunner
from medpipe.runners.ray import RayRunner

__all__ = ["IncrementalRunner", "RayRunner"]

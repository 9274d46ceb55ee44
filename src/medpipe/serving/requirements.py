"""What a served model needs."""

import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement

CODE = Path(__file__).parents[1]
"""Our own package, which travels with each model."""


def requirements() -> list[str]:
    """The project's dependencies at the versions installed here, so that a model runs as it was trained."""
    needed = [Requirement(text) for text in importlib.metadata.requires("medpipe") or []]
    names = [item.name for item in needed if item.marker is None]
    return [f"{name}=={importlib.metadata.version(name).partition('+')[0]}" for name in names]

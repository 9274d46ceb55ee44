"""Nested parameters as flat names."""

from collections.abc import Mapping
from typing import Any


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings and pydantic models to dotted names; sequences stay whole.

    Example:
        ``{"trainer": {"seed": 1}}`` with prefix ``train_cnn`` gives ``{"train_cnn.trainer.seed": 1}``.
    """
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if not isinstance(value, Mapping):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat

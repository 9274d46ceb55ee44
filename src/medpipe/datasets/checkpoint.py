"""A trained network in the catalog."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from medpipe.core.errors import InputError
from medpipe.training.checkpoint import Checkpoint


class CheckpointDataset(AbstractDataset):
    """One safetensors file with weights, parameters and provenance.

    Args:
        filepath: Where the file lies.
        kind: The kind of network that is expected there; another is refused when it is loaded.
        metadata: Not used by Kedro.
    """

    def __init__(self, *, filepath: str, kind: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._kind = kind
        self.metadata = metadata

    def load(self) -> Checkpoint:
        """Reads the checkpoint; tensors are on the CPU.

        Raises:
            InputError: There is none, or it is of another kind.
        """
        if not self._filepath.exists():
            raise InputError(f"{self._filepath}: no {self._kind} is there yet; first run the pipeline that trains it.")
        return Checkpoint.load(self._filepath, self._kind)

    def save(self, data: Checkpoint) -> None:
        """Writes the checkpoint atomically."""
        if data.kind != self._kind:
            raise ValueError(f"{self._filepath}: holds a {self._kind!r}, got a {data.kind!r}")
        data.save(self._filepath)

    def preview(self) -> JSONPreview:
        """Parameters and provenance for Kedro-Viz."""
        import json

        checkpoint = self.load.__wrapped__(self)  # type: ignore[attr-defined]
        size = sum(tensor.numel() for tensor in checkpoint.weights.values())
        return JSONPreview(json.dumps({"kind": checkpoint.kind, "weights": size, "provenance": checkpoint.provenance}))

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "kind": self._kind}

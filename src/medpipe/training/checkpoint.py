"""A trained network as one safe file: weights, what rebuilds the network, and where it came from.

The format is safetensors (no code runs when it is read, unlike a pickle) with JSON in its metadata.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medpipe.core.atomic import atomic_path
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest

if TYPE_CHECKING:
    import torch

FORMAT = "medpipe-checkpoint-1"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network.

    Attributes:
        kind: What it is, such as ``nodule_detector``; the code that uses it refuses another kind.
        weights: Name to tensor, as ``Module.state_dict``.
        params: JSON-able; all that rebuilds the network and uses it (architecture, spacing, vocabulary, threshold).
        provenance: JSON-able; data fingerprint, training parameters, seed, versions.
    """

    kind: str
    weights: dict[str, "torch.Tensor"]
    params: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def absent(cls, kind: str, reason: str) -> "Checkpoint":
        """Stands where a network would be, had there been anything to learn from.

        Args:
            kind: What it would be.
            reason: Why there is none; a sentence.
        """
        return cls(kind, {}, {"absent": reason})

    @property
    def reason_absent(self) -> str | None:
        """Why there is no network; None where there is one."""
        return self.params.get("absent")

    def save(self, path: Path | str) -> None:
        """Writes one safetensors file, atomically."""
        from safetensors.torch import save_file

        header = {"format": FORMAT, "kind": self.kind}
        header |= {"params": json.dumps(self.params), "provenance": json.dumps(self.provenance)}
        weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in self.weights.items()}
        with atomic_path(path) as temporary:
            save_file(weights, temporary, metadata=header)

    @classmethod
    def load(cls, path: Path | str, kind: str | None = None) -> "Checkpoint":
        """Reads a checkpoint; tensors are on the CPU.

        Args:
            path: File written by ``save``.
            kind: The kind that is needed; None takes any.

        Raises:
            InputError: If the file is not a checkpoint of ours or of another kind.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except SafetensorError as error:
            raise InputError(f"{path}: not a readable safetensors file ({error}); train the model again.") from error
        if header.get("format") != FORMAT:
            raise InputError(f"{path}: format is {header.get('format')!r}, expected {FORMAT!r}.")
        if kind is not None and header["kind"] != kind:
            raise InputError(f"{path}: holds a {header['kind']!r}, expected a {kind!r}.")
        return cls(header["kind"], weights, json.loads(header["params"]), json.loads(header["provenance"]))

    def fingerprint(self) -> str:
        """Digest of the weights and of what rebuilds the network."""
        arrays = [self.weights[name].detach().cpu().numpy() for name in sorted(self.weights)]
        return digest(self.kind, self.params, sorted(self.weights), *arrays)

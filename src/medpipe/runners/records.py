"""What each node was run with, and whether that is still so: the memory of the runners that do no work twice."""

import json
from pathlib import Path
from typing import Any

from medpipe.core.atomic import remove_leftovers, write_json
from medpipe.core.code_version import code_digest
from medpipe.core.fingerprint import digest
from medpipe.datasets.fingerprint import dataset_fingerprint, persisted

DEFAULT_STATE_FOLDER = "data/.medpipe"


class Records:
    """Content fingerprints of what nodes read and wrote, one file a node, written when all its outputs are saved.

    Args:
        folder: Where the records lie.
        catalog: The datasets of the run.
    """

    def __init__(self, folder: Path, catalog: Any) -> None:
        self._folder = folder
        self._catalog = catalog

    def unchanged(self, node: Any) -> bool:
        """Whether inputs, parameters, code and outputs of a node are those of its last complete run."""
        record = self._file(node)
        if not record.exists() or not node.outputs:
            return False
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["outputs"] != self._fingerprints(node.outputs):
            return False
        now = self._read_state(node)
        return None not in now["inputs"].values() and all(known[key] == now[key] for key in now)

    def begin(self, node: Any) -> dict[str, Any]:
        """Forgets the node's last run, removes what a killed one left, and returns what it is run with now."""
        self._file(node).unlink(missing_ok=True)
        for name in node.outputs:
            _remove_leftovers(self._catalog[name])
        return self._read_state(node)

    def complete(self, node: Any, before: dict[str, Any]) -> None:
        """Remembers a node whose outputs are saved.

        Args:
            node: The node.
            before: What `begin` returned.
        """
        if all(persisted(self._catalog[name]) for name in node.outputs):
            write_json(self._file(node), before | {"outputs": self._fingerprints(node.outputs)})

    def _read_state(self, node: Any) -> dict[str, Any]:
        return {"code": code_digest(node.func), "inputs": self._fingerprints(node.inputs)}

    def _fingerprints(self, names: list[str]) -> dict[str, str | None]:
        return {name: dataset_fingerprint(self._catalog[name], self._folder) for name in names}

    def _file(self, node: Any) -> Path:
        """Named by the node and by where its outputs lie, so that environments with data of their own keep apart."""
        places = digest([[name, repr(self._catalog[name])] for name in node.outputs])
        return self._folder / "nodes" / f"{node.name}-{places[:8]}.json"


def _remove_leftovers(dataset: Any) -> None:
    """Removes what a killed run left beside the dataset's file under a temporary name."""
    path = getattr(dataset, "_filepath", None)
    if path is not None:
        remove_leftovers(Path(str(path)).parent)

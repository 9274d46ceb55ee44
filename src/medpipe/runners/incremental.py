"""A sequential runner that does no work twice."""

import json
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

from kedro.runner import SequentialRunner
from kedro.runner.task import Task

from medpipe.core.atomic import remove_leftovers, write_json
from medpipe.core.code_version import code_digest
from medpipe.core.fingerprint import digest
from medpipe.datasets.fingerprint import dataset_fingerprint, persisted
from medpipe.runners.followers import check_nodes, follow, follows

DEFAULT_STATE_FOLDER = "data/.medpipe"


class IncrementalRunner(SequentialRunner):
    """Runs a node only if its inputs, parameters, code or outputs are not those of its last complete run.

    What a node read and wrote is kept as content fingerprints when all its outputs are saved. A file that merely exists
    counts for nothing: a half-finished or changed output makes the node run again. Since fingerprints follow content, a
    node whose inputs were made again with the same content is not run again.
    ``kedro run --runner=SequentialRunner`` runs every node regardless.

    Args:
        is_async: Load and save with threads.
        state_folder: Where the records lie, relative to the project.
    """

    def __init__(self, is_async: bool = False, state_folder: str = DEFAULT_STATE_FOLDER) -> None:
        super().__init__(is_async=is_async)
        self._folder = Path(state_folder)

    def _run(self, pipeline: Any, catalog: Any, hook_manager: Any = None, run_id: str | None = None) -> None:
        check_nodes([node.name for node in pipeline.nodes])
        load_counts = Counter(chain.from_iterable(node.inputs for node in pipeline.nodes))
        done: set[Any] = set()
        for number, node in enumerate(pipeline.nodes, start=1):
            try:
                if self._unchanged(node, catalog):
                    self._logger.info("%s (%d of %d): unchanged, skipped", node.name, number, len(pipeline.nodes))
                else:
                    self._logger.info("%s (%d of %d)", node.name, number, len(pipeline.nodes))
                    self._execute(node, catalog, hook_manager, run_id)
            except Exception:
                self._suggest_resume_scenario(pipeline, done, catalog)
                raise
            done.add(node)
            self._release_datasets(node, catalog, load_counts, pipeline)

    def _execute(self, node: Any, catalog: Any, hook_manager: Any, run_id: str | None) -> None:
        if follows():
            return follow(node, catalog)
        record = self._record_file(node, catalog)
        record.unlink(missing_ok=True)
        for name in node.outputs:
            _remove_leftovers(catalog[name])
        before = self._read_state(node, catalog)
        Task(node, catalog, self._is_async, hook_manager, run_id).execute()
        if all(persisted(catalog[name]) for name in node.outputs):
            write_json(record, before | {"outputs": self._fingerprints(node.outputs, catalog)})

    def _unchanged(self, node: Any, catalog: Any) -> bool:
        record = self._record_file(node, catalog)
        if not record.exists() or not node.outputs:
            return False
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["outputs"] != self._fingerprints(node.outputs, catalog):
            return False
        now = self._read_state(node, catalog)
        return None not in now["inputs"].values() and all(known[key] == now[key] for key in now)

    def _read_state(self, node: Any, catalog: Any) -> dict[str, Any]:
        return {"code": code_digest(node.func), "inputs": self._fingerprints(node.inputs, catalog)}

    def _fingerprints(self, names: list[str], catalog: Any) -> dict[str, str | None]:
        return {name: dataset_fingerprint(catalog[name], self._folder) for name in names}

    def _record_file(self, node: Any, catalog: Any) -> Path:
        """Named by the node and by where its outputs lie, so that environments with data of their own keep apart."""
        places = digest([[name, repr(catalog[name])] for name in node.outputs])
        return self._folder / "nodes" / f"{node.name}-{places[:8]}.json"


def _remove_leftovers(dataset: Any) -> None:
    """Removes what a killed run left beside the dataset's file under a temporary name."""
    path = getattr(dataset, "_filepath", None)
    if path is not None:
        remove_leftovers(Path(str(path)).parent)

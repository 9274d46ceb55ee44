"""A sequential runner that does no work twice."""

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

from kedro.runner import SequentialRunner
from kedro.runner.task import Task

from medpipe.runners.followers import check_nodes, follow, follows
from medpipe.runners.records import DEFAULT_STATE_FOLDER, Records


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
        records = Records(self._folder, catalog)
        load_counts = Counter(chain.from_iterable(node.inputs for node in pipeline.nodes))
        done: set[Any] = set()
        for number, node in enumerate(pipeline.nodes, start=1):
            try:
                if records.unchanged(node):
                    self._logger.info("%s (%d of %d): unchanged, skipped", node.name, number, len(pipeline.nodes))
                elif follows():
                    follow(node, catalog)
                else:
                    self._logger.info("%s (%d of %d)", node.name, number, len(pipeline.nodes))
                    before = records.begin(node)
                    Task(node, catalog, self._is_async, hook_manager, run_id).execute()
                    records.complete(node, before)
            except Exception:
                self._suggest_resume_scenario(pipeline, done, catalog)
                raise
            done.add(node)
            self._release_datasets(node, catalog, load_counts, pipeline)

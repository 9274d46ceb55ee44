"""A runner that spreads nodes over a Ray cluster and does no work twice."""

import os
from collections import Counter
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.runner import AbstractRunner
from kedro.runner.task import Task

from medpipe.core.cluster import cancel, cluster_total, fetch, largest_host, start_ray
from medpipe.core.errors import InputError
from medpipe.core.parallel import FAN_OUT_VARIABLE
from medpipe.core.usage import ELSEWHERE
from medpipe.datasets.fingerprint import persisted
from medpipe.runners.ray_params import RayParams
from medpipe.runners.ray_worker import MEASURED, Work, run_node
from medpipe.runners.records import DEFAULT_STATE_FOLDER, Records

GPU_TAG = "gpu"
PARAMETERS = "params:ray"


class RayRunner(AbstractRunner):
    """Runs each node as a task of a Ray cluster, independent ones side by side, unless it is unchanged.

    The cluster is that of ``RAY_ADDRESS``, or one of this machine. Files of the catalog lie on a file system that all
    hosts share under the same path; what is kept in memory goes through Ray's object store. Records, hooks and thus the
    one MLflow run are in this process. Hooks about loading are not called; other hooks get data that are loaded when
    they look at them.

    When a node fails, those that are running come to their end and are saved; then the error is raised. Ctrl-C ends
    them.

    Args:
        is_async: Load and save with threads.
        state_folder: Where the records lie, relative to the project; shared with `medpipe.runners.IncrementalRunner`.
    """

    def __init__(self, is_async: bool = False, state_folder: str = DEFAULT_STATE_FOLDER) -> None:
        super().__init__(is_async=is_async)
        self._folder = Path(state_folder)

    def _get_executor(self, max_workers: int) -> None:
        """None: Ray takes the place of Python's executors."""

    def _run(self, pipeline: Any, catalog: Any, hook_manager: Any = None, run_id: str | None = None) -> None:
        start_ray(show_output=True)
        asked = catalog.load(PARAMETERS) if PARAMETERS in catalog else {}
        params = asked if isinstance(asked, RayParams) else RayParams.model_validate(asked)
        run = _Run(self, pipeline, catalog, hook_manager, run_id, params, Records(self._folder, catalog))
        try:
            run.to_the_end()
        except Exception:
            self._suggest_resume_scenario(pipeline, run.done, catalog)
            raise
        finally:
            cancel(list(run.running))


class _Run:
    """State of one run."""

    def __init__(
        self,
        runner: RayRunner,
        pipeline: Any,
        catalog: Any,
        hook_manager: Any,
        run_id: str | None,
        params: RayParams,
        records: Records,
    ) -> None:
        self._runner, self._pipeline, self._catalog, self._params = runner, pipeline, catalog, params
        self._hook, self._hook_manager, self._run_id, self._records = hook_manager.hook, hook_manager, run_id, records
        self._numbers = {node: number for number, node in enumerate(pipeline.nodes, start=1)}
        self._loads = Counter(chain.from_iterable(node.inputs for node in pipeline.nodes))
        self._todo = list(pipeline.nodes)
        self._in_store: dict[str, Any] = {}  # references of outputs in memory
        self._resources = {tag: self._resources_of(tag) for tag in ("", GPU_TAG)}
        self.running: dict[Any, tuple[Any, dict[str, Any], list[Any]]] = {}
        self.done: set[Any] = set()

    def to_the_end(self) -> None:
        """Runs all nodes; of a failure, those that are running are waited for."""
        import ray

        failure: Exception | None = None
        while True:
            while failure is None and (node := self._next()) is not None:
                self._todo.remove(node)
                self._skip_or_start(node)
            if not self.running:
                break
            (ready, *_), _ = ray.wait(list(self.running))
            node, before, references = self.running.pop(ready)
            try:
                self._finish(node, before, references)
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _next(self) -> Any:
        dependencies = self._pipeline.node_dependencies
        return next((node for node in self._todo if dependencies[node] <= self.done), None)

    def _skip_or_start(self, node: Any) -> None:
        place = (node.name, self._numbers[node], len(self._pipeline.nodes))
        if self._records.unchanged(node):
            self._runner._logger.info("%s (%d of %d): unchanged, skipped", *place)
            self._release(node)
            return
        self._runner._logger.info("%s (%d of %d)", *place)
        before = self._records.begin(node)
        ELSEWHERE[node.name] = None
        changed = Task._collect_inputs_from_hook(
            node, self._catalog, self._lazily(node.inputs), self._runner._is_async, self._hook_manager, self._run_id
        )
        references = self._submit(node, changed)
        self.running[references[0]] = (node, before, references)

    def _submit(self, node: Any, changed: dict[str, Any]) -> list[Any]:
        """References of what the worker tells and of the outputs in memory."""
        import ray
        from kedro.framework.project import LOGGING, PACKAGE_NAME

        values = {name: self._in_store[name] for name in node.inputs if name in self._in_store} | changed
        kept = tuple(name for name in node.outputs if not persisted(self._catalog[name]))
        work = Work(
            node,
            self._catalog_of(node),
            tuple(values),
            kept,
            self._runner._is_async,
            os.getcwd(),
            PACKAGE_NAME,
            dict(LOGGING),
        )
        given = self._resources[GPU_TAG if GPU_TAG in node.tags else ""]
        threads = str(max(1, int(self._params.num_cpus)))
        variables = {"OMP_NUM_THREADS": threads, FAN_OUT_VARIABLE: "ray" if self._params.fan_out else "loky"}
        task = ray.remote(run_node).options(
            name=node.name,
            num_returns=1 + len(kept),
            max_retries=self._params.retries,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": variables},
            **given,
        )
        references = task.remote(work, *values.values())
        return references if kept else [references]

    def _catalog_of(self, node: Any) -> DataCatalog:
        """The node's datasets with their schemas; empty where the value comes along or is sent back."""
        names = [*node.inputs, *node.outputs]
        part = DataCatalog({name: self._catalog[name] for name in names})
        part._validator_specs = {name: spec for name, spec in self._catalog.validator_specs.items() if name in names}
        part.validation_enabled = self._catalog.validation_enabled
        return part

    def _finish(self, node: Any, before: dict[str, Any], references: list[Any]) -> None:
        import ray

        try:
            done = fetch(references[0])
        except Exception as error:
            self._report(node, error)
            raise
        self._runner._logger.info("%s: done on %s", node.name, done.host)
        ELSEWHERE[node.name] = done.measured
        kept = [name for name in node.outputs if not persisted(self._catalog[name])]
        self._in_store |= dict(zip(kept, references[1:], strict=True))
        for name in set(kept) & self._pipeline.outputs():
            self._catalog.save(name, ray.get(self._in_store[name]))
        common = {"node": node, "catalog": self._catalog, "is_async": self._runner._is_async, "run_id": self._run_id}
        outputs = self._lazily(node.outputs)
        self._hook.after_node_run(inputs=self._lazily(node.inputs), outputs=outputs, **common)
        for name, data in outputs.items():
            self._hook.before_dataset_saved(dataset_name=name, data=data, node=node)
            self._hook.after_dataset_saved(dataset_name=name, data=data, node=node)
        self._records.complete(node, before)
        self._release(node)

    def _report(self, node: Any, error: Exception) -> None:
        """Says which node failed and where, and tells the hooks."""
        if not hasattr(error, "__notes__"):  # nobody was left to say so
            error.add_note(f"Node {node.name} failed because its worker died.")
        ELSEWHERE[node.name] = getattr(error, MEASURED, None)
        self._runner._logger.error("%s %s: %s", error.__notes__[-1], type(error).__name__, error)
        self._hook.on_node_error(
            error=error,
            node=node,
            catalog=self._catalog,
            inputs=self._lazily(node.inputs),
            is_async=self._runner._is_async,
            run_id=self._run_id,
        )

    def _release(self, node: Any) -> None:
        """The node is done; what nobody needs any more is let go."""
        self.done.add(node)
        AbstractRunner._release_datasets(node, self._catalog, self._loads, self._pipeline)
        for name in [name for name in self._in_store if not self._loads[name]]:
            del self._in_store[name]

    def _lazily(self, names: list[str]) -> dict[str, Any]:
        """Stand-ins of data, which are loaded when somebody looks at them."""
        from werkzeug.local import LocalProxy

        return {name: LocalProxy(cache(partial(self._load, name))) for name in names}

    def _load(self, name: str) -> Any:
        return fetch(self._in_store[name]) if name in self._in_store else self._catalog[name].load()

    def _resources_of(self, tag: str) -> dict[str, float]:
        """What a node with this tag is given.

        Raises:
            InputError: No host of the cluster has so much.
        """
        wanted = {"num_cpus": self._params.num_cpus}
        if tag == GPU_TAG and cluster_total("GPU"):
            wanted["num_gpus"] = self._params.num_gpus
        for name, value in wanted.items():
            if value > (most := largest_host(name.removeprefix("num_").removesuffix("s").upper())):
                raise InputError(f"ray.{name} is {value:g}, but no host of the Ray cluster has more than {most:g}.")
        return wanted

"""What a worker does with a request: the model's part, without any HTTP."""

import importlib
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medpipe.core.errors import InputError
from medpipe.serving.server.refusal import Refusal, quoted, to_json
from medpipe.serving.server.worker import Answer, Job, WorkerSpec

LOADERS = {kind: f"medpipe.serving.{kind}" for kind in ("nodules", "generator", "properties")}
"""Module of `medpipe.serving` that loads each kind of model."""

_NOT_COMPATIBLE = "Data is not compatible with model signature."
"""What MLflow says of columns that it could read, but not convert."""

_PACKAGE = __name__.partition(".")[0]


def load_service(spec: WorkerSpec) -> "Service":
    """Loads the model and lets it predict its input example, so that the first caller does not wait for compilers.

    Raises:
        InputError: If the folder holds no model, or one of another kind.
    """
    import mlflow
    import torch
    from mlflow.models import Model

    if not (spec.folder / "MLmodel").is_file():
        raise InputError("there is no file MLmodel in it; name an MLflow model")
    loader = Model.load(spec.folder).flavors.get("python_function", {}).get("loader_module")
    if loader != LOADERS[spec.kind]:
        raise InputError(f"it is loaded by {loader}, expected {LOADERS[spec.kind]}: it is no model of {spec.kind}")
    _use_cores(torch, spec.params.workers)
    model = mlflow.pyfunc.load_model(str(spec.folder))  # only now: models of other kinds may be pickles
    example = model.input_example
    if example is not None:
        model.predict(example)
    module = importlib.import_module(f"medpipe.serving.server.{spec.kind}_service")
    service: Service = module.SERVICE(model, spec)
    return service


def _use_cores(torch: Any, workers: int) -> None:
    import os

    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) // workers)))


class Service:
    """What is common to the three: MLflow's scoring protocol, and answers to whatever goes wrong.

    Args:
        model: Of ``mlflow.pyfunc.load_model``.
        spec: What it is called, and the limits.
    """

    def __init__(self, model: Any, spec: WorkerSpec) -> None:
        self._model = model
        self._params = spec.params
        self._told = spec.told

    @property
    def device(self) -> str:
        """Where the model computes."""
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"

    def check_rows(self, table: Any) -> Any:
        """Holds the rows of ``/invocations`` against the limits; returns what the model is given.

        Raises:
            Refusal: If they are beyond them.
        """
        if table.empty:
            raise Refusal(422, "no_rows", "There are no rows.")
        if len(table) > self._params.max_rows:
            raise Refusal(422, "too_many_rows", f"{len(table)} rows: at most {self._params.max_rows} at a time.")
        return table

    def predict(self, table: Any) -> Any:
        """Rows of ``/invocations`` to rows of the answer.

        Raises:
            Refusal: If they are beyond the limits.
        """
        return self._model.predict(self.check_rows(table))

    def answer(self, job: Job) -> Answer:
        """Does one task; nothing that is wrong with a request is raised."""
        try:
            body: bytes = getattr(self, job.task)(job.folder, **job.arguments)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body())
        except InputError as error:
            return _refused(Refusal(422, "bad_input", quoted(error)))
        except MemoryError:
            return _refused(Refusal(422, "too_large", "The memory of the server does not suffice for this request."))
        except Exception as error:
            internal = Refusal(500, "internal_error", "The server failed on this request; its log says where.")
            return Answer(500, internal.body(), failed_at(error))
        return Answer(200, body)

    def invocations(self, folder: Path, file: str, content_type: str) -> bytes:
        """MLflow's scoring protocol, parsed and written by MLflow.

        Args:
            folder: Of the job.
            file: Name of the body in it.
            content_type: Of the request.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import scoring_server

        checked = _Checked(self._model.metadata, self.predict)
        schema = self._model.metadata.get_input_schema()
        try:
            answer = scoring_server.invocations((folder / file).read_bytes(), content_type, checked, schema)
        except Exception as error:
            if checked.error is not None:
                raise checked.error from error
            reason = error.message if isinstance(error, MlflowException) else type(error).__name__
            if _NOT_COMPATIBLE in reason:
                raise Refusal(422, "wrong_type", quoted(reason.rpartition(_NOT_COMPATIBLE)[2].strip(" ."))) from error
            raise Refusal(400, "bad_request", f"The body cannot be read: {quoted(reason)}") from error
        if answer.status != 200:
            raise Refusal(answer.status, "unsupported_content_type", quoted(answer.response))
        return str(answer.response).encode()


class _Checked:
    """The model as MLflow's server calls it; it keeps the error that MLflow is going to wrap.

    Attributes:
        error: What speaks against the request, or what failed.
    """

    def __init__(self, metadata: Any, predict: Callable[[Any], Any]) -> None:
        self.metadata = metadata
        self._predict_rows = predict
        self.error: Exception | None = None

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        try:
            return self._predict(data, params)
        except Exception as error:
            self.error = error
            raise

    def _predict(self, data: Any, params: Mapping[str, Any] | None) -> Any:
        from mlflow.exceptions import MlflowException

        if params:
            raise Refusal(422, "unknown_field", "params: this model takes none.", field="params")
        table = _as_table(data)
        schema = self.metadata.get_input_schema()
        known, needed = schema.input_names(), schema.required_input_names()
        for name in table.columns:
            if name not in known:
                raise Refusal(
                    422, "unknown_field", f"column {quoted(name)!r} is not known; expected {', '.join(known)}.",
                    field=quoted(name),
                )  # fmt: skip
        for name in needed:
            if name not in table.columns:
                raise Refusal(422, "missing_field", f"column {name!r} is missing.", field=name)
        if not table.columns.is_unique:
            name = str(table.columns[table.columns.duplicated()][0])
            raise Refusal(422, "bad_value", f"column {name!r} is there twice.", field=name)
        try:
            answer = self._predict_rows(table)
        except MlflowException as error:
            reason = error.message.rpartition("Error: ")[2]
            raise Refusal(422, "wrong_type", quoted(reason)) from error
        return plain(answer)


def _as_table(data: Any) -> Any:
    import pandas as pd

    try:
        return data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
    except Exception as error:
        raise Refusal(422, "wrong_shape", "The rows do not make a table with named columns.") from error


def _refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, refusal.body())


def failed_at(error: BaseException) -> str:
    """Type of an error, and module and line where it was raised and where our code last was: no message, no data."""
    frames = [
        (str(frame.f_globals.get("__name__", "?")), line) for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    ours = [frame for frame in frames if frame[0].partition(".")[0] == _PACKAGE]
    places = dict.fromkeys([*ours[-1:], *frames[-1:]])
    return f"{type(error).__name__} at " + ", ".join(f"{module}:{line}" for module, line in places)


def records(table: Any) -> list[dict[str, Any]]:
    """Rows of a table as JSON-able dictionaries; what is missing is None."""
    rows: list[dict[str, Any]] = plain(table).to_dict(orient="records")
    return rows


def plain(table: Any) -> Any:
    """A table with None for what is missing: JSON has no NaN."""
    return table.astype(object).where(table.notna(), None)


__all__ = ["LOADERS", "Service", "failed_at", "load_service", "records", "to_json"]

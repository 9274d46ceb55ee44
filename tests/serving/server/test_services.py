from pathlib import Path

import mlflow
import pytest

from medpipe.core.errors import InputError
from medpipe.serving.server.params import ServeParams
from medpipe.serving.server.services import load_service
from medpipe.serving.server.worker import WorkerSpec


class Foreign(mlflow.pyfunc.PythonModel):
    """A model of MLflow's own kind, which is a pickle."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def load_context(self, context: object) -> None:
        Path(self.trace).touch()

    def predict(self, context: object, model_input: list[str], params: object = None) -> list[str]:
        return model_input


def test_a_model_of_another_kind_is_refused_before_its_code_runs(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    mlflow.pyfunc.save_model(tmp_path / "model", python_model=Foreign(str(trace)), pip_requirements=[])
    trace.unlink(missing_ok=True)
    with pytest.raises(InputError, match="it is no model of generator"):
        load_service(WorkerSpec("generator", tmp_path / "model", "model", None, ServeParams()))
    assert not trace.exists()

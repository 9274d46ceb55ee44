"""What happens beside the nodes: MLflow tracking, resources, Kedro-Viz's run status, the summary at the end."""

from medpipe.hooks.contestants import RegisteredModelsHook
from medpipe.hooks.mlflow_hook import MLflowHook
from medpipe.hooks.resources import ResourceHook
from medpipe.hooks.run_status import RunStatusHook
from medpipe.hooks.summary import RunSummaryHook

__all__ = ["MLflowHook", "RegisteredModelsHook", "ResourceHook", "RunStatusHook", "RunSummaryHook"]

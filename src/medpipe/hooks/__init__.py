"""What happens beside the nodes: MLflow tracking, the summary at the end."""

from medpipe.hooks.mlflow_hook import MLflowHook
from medpipe.hooks.summary import RunSummaryHook

__all__ = ["MLflowHook", "RunSummaryHook"]

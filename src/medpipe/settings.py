"""Project settings: hooks and configuration loader."""

from medpipe.hooks import MLflowHook, RunSummaryHook

HOOKS = (MLflowHook(), RunSummaryHook())
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**"]},
}

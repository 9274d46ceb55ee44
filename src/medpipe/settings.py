"""Project settings: hooks and configuration loader."""

import warnings

from omegaconf.resolvers import oc

from medpipe.hooks import MLflowHook, RegisteredModelsHook, ResourceHook, RunStatusHook, RunSummaryHook

# what libraries say to their developers, not to our users
warnings.filterwarnings("ignore", message=r"(?s).*register_new_resolver\(\) is deprecated")
warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")

_mlflow = MLflowHook()
_resources = ResourceHook(_mlflow)
HOOKS = (RegisteredModelsHook(), _mlflow, _resources, RunStatusHook(), RunSummaryHook(_resources))
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**"]},
    "custom_resolvers": {"oc.env": oc.env},  # mlflow.yml takes the address of a server from the environment
}

"""Where a run came from: code revision, command, versions, device."""

import getpass
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

from medpipe.registry.passwords import hide_passwords

SCHEDULE_TAGS = {"schedule": "MEDPIPE_SCHEDULE", "schedule.run": "MEDPIPE_SCHEDULE_RUN"}
"""Tags of a run that a job of ``schedules.yml`` started, and the variables of its environment that hold them."""

LIBRARIES = ("medpipe", "torch", "monai", "lightning", "rdkit", "SimpleITK", "kedro", "mlflow", "numpy", "pandas")


def run_tags(pipeline: str, env: str | None, source: Path) -> dict[str, str]:
    """Tags of an MLflow run.

    Args:
        pipeline: Names of the pipelines.
        env: Kedro environment.
        source: Folder of the project.
    """
    tags = {
        "mlflow.runName": f"{pipeline} ({env})" if env else pipeline,
        "mlflow.user": _user(),
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": source.name,
        "kedro.pipeline": pipeline,
        "kedro.env": env or "local",
        "kedro.command": hide_passwords(" ".join(["kedro", *sys.argv[1:]])),
        "device": _device(),
        "python": platform.python_version(),
    }
    tags |= {f"version.{name}": importlib.metadata.version(name) for name in LIBRARIES}
    tags |= {tag: os.environ[name] for tag, name in SCHEDULE_TAGS.items() if os.environ.get(name)}
    if revision := _git(source, "rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = revision
        tags["mlflow.source.git.dirty"] = str(bool(_git(source, "status", "--porcelain"))).lower()
    return tags


def _user() -> str:
    """Name of the user; the number where the system knows no name for it, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _git(folder: Path, *arguments: str) -> str:
    """Output of a git command; empty where there is no git or no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"

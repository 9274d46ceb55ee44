"""The schedule as files of the host's own services: a systemd unit that keeps the scheduler, or lines for crontab."""

import getpass
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from medpipe.schedule.jobs import Job
from medpipe.schedule.processes import TERMINATION_S
from medpipe.schedule.state import STATE_FOLDER

_VARIABLES = ("PATH", "KEDRO_ENV", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "LANG")
"""Passed on where they are set. No credentials: those belong into conf/local."""

UNIT = "medpipe-schedule.service"
"""Name of the unit."""


def systemd_unit(project: Path, env: str | None = None, user: str | None = None) -> str:
    """A service that starts the scheduler with the host and again when it fails.

    Only the scheduler is sent SIGTERM on stop, and ends its job itself; what is left after that is killed. A training
    that runs out of memory does not stop the scheduler, as systemd would have it, but is a failed attempt.

    Args:
        project: Folder of the project.
        env: Kedro environment of the scheduler.
        user: Who it runs as; None is who asks.
    """
    command = " ".join(_quoted(word) for word in _command("run", env))
    environment = "\n".join(f'Environment="{_escaped(f"{name}={value}")}"' for name, value in _environment().items())
    return f"""\
[Unit]
Description=medpipe: scheduled retraining of {_percent(project.name)}
After=network-online.target remote-fs.target time-sync.target
Wants=network-online.target time-sync.target

[Service]
Type=simple
User={user or getpass.getuser()}
WorkingDirectory={_percent(str(project))}
{environment}
ExecStart={command}
Restart=on-failure
RestartSec=30
KillMode=mixed
OOMPolicy=continue
TimeoutStopSec={3 * TERMINATION_S:.0f}
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
"""


def crontab_lines(project: Path, jobs: Mapping[str, Job], env: str | None = None) -> str:
    """One line a job for cron, which knows no seconds: a job of six fields is left out, with a comment.

    Retries, timeouts, triggers and the state are the same as with the scheduler; what was missed while the host was
    down is not made up for.

    Args:
        project: Folder of the project.
        jobs: All jobs.
        env: Kedro environment of jobs that name none.
    """
    lines = ["# medpipe: scheduled retraining; for `crontab -e`"]
    lines += [f"{name}={value}" for name, value in _environment().items()]
    for name, job in jobs.items():
        if not job.enabled:
            lines.append(f"# {name}: switched off")
        elif len(job.cron.split()) == 6:
            lines.append(f"# {name}: {job.cron!r} has seconds, which cron does not know")
        else:
            command = " ".join(shlex.quote(word) for word in _command("once", env, name))
            log = f"{STATE_FOLDER}/cron.log"
            line = f"cd {shlex.quote(str(project))} && mkdir -p {STATE_FOLDER} && {command} >> {log} 2>&1"
            lines.append(f"{job.cron} {line}".replace("%", "\\%"))
    return "\n".join(lines) + "\n"


def _command(name: str, env: str | None, *more: str) -> list[str]:
    options = [f"--env={env}"] if env else []
    return [sys.executable, "-m", "medpipe", "schedule", name, *more, *options]


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}


def _quoted(word: str) -> str:
    """A word of ExecStart, see systemd.service(5), COMMAND LINES."""
    return f'"{_escaped(word).replace("$", "$$")}"' if set(word) & set(" \t\"'\\;$%") else word


def _escaped(text: str) -> str:
    return _percent(text.replace("\\", "\\\\").replace('"', '\\"'))


def _percent(text: str) -> str:
    return text.replace("%", "%%")

"""Scheduled jobs: what ``conf/<env>/schedules.yml`` may say, and what a wrong line in it is told."""

import os
import re
import warnings
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from medpipe.core.errors import InputError
from medpipe.core.params import Params
from medpipe.schedule.cron import Cron, parse_cron
from medpipe.schedule.state import LONGEST_WAIT

PATTERNS = ["schedules*", "schedules*/**"]
_DAY_S, _YEAR_S = LONGEST_WAIT.total_seconds(), 366 * 86400.0
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")  # it becomes a folder and part of a unit's name


def _cron(text: str) -> str:
    if parse_cron(text).next_after(datetime.now(UTC)) is None:
        raise ValueError(f"{text!r} is never due: there is no such date")
    return text


class Retries(Params):
    """What follows an attempt that failed, ran out of time or was killed.

    The wait before attempt ``n + 1`` is ``first_wait_s * factor ** (n - 1)`` seconds, at most ``longest_wait_s``.

    Attributes:
        times: Attempts after the first.
        first_wait_s: Seconds before the second attempt.
        factor: By which the wait grows.
        longest_wait_s: The longest wait, seconds; at most a day.
    """

    times: int = Field(2, ge=0, le=20)
    first_wait_s: float = Field(60.0, ge=0, le=_DAY_S)
    factor: float = Field(4.0, ge=1, le=100)
    longest_wait_s: float = Field(3600.0, ge=0, le=_DAY_S)

    def wait_s(self, attempt: int) -> float | None:
        """Seconds between the end of an attempt (from 1) and the next; None where there is no next."""
        if attempt > self.times:
            return None
        return float(min(self.first_wait_s * self.factor ** (attempt - 1), self.longest_wait_s))


class Job(Params):
    """A job of ``schedules.yml``.

    Attributes:
        cron: When it is due, in the host's time zone: five fields, or six with seconds first.
        pipelines: Run one after the other; the first that fails ends the attempt.
        env: Kedro environment; None takes the scheduler's.
        parameters: Changes of parameters, nested or by dotted names; single values only.
        timeout_s: Longest time of an attempt, seconds, at most a year; then the whole process group is ended.
        retries: What follows a failed attempt.
        min_new: So much new data (files of scans, molecules) since the last finished run is enough to train; 0 trains
            at each due time.
        drift_threshold: So much drift of the new data (population stability index of any feature) is enough, however
            few they are; None does not look.
        misfire_grace_s: How late a run may begin that was missed while the host slept or the scheduler was down;
            seconds, at most a year.
        enabled: Whether the scheduler runs it; ``once`` does so anyway.
    """

    cron: Annotated[str, AfterValidator(_cron)]
    pipelines: tuple[str, ...] = Field(min_length=1)
    env: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float = Field(12 * 3600.0, gt=0, le=_YEAR_S)
    retries: Retries = Retries()
    min_new: int = Field(1, ge=0)
    drift_threshold: float | None = Field(0.2, gt=0)
    misfire_grace_s: float = Field(3600.0, ge=0, le=_YEAR_S)
    enabled: bool = True

    @field_validator("parameters")
    @classmethod
    def _values_are_single(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        for name, value in _flat(parameters):
            if not isinstance(value, str | int | float | bool | None) or (isinstance(value, str) and "," in value):
                raise ValueError(
                    f"{name} is {value!r}; the command line takes single values without commas: "
                    "write it into parameters*.yml of an environment and name that by env"
                )
        return parameters

    @model_validator(mode="after")
    def _first_wait_fits(self) -> "Job":
        if self.retries.first_wait_s > self.retries.longest_wait_s:
            raise ValueError(
                f"retries.first_wait_s {self.retries.first_wait_s:g} is above longest_wait_s "
                f"{self.retries.longest_wait_s:g}"
            )
        return self

    @property
    def schedule(self) -> Cron:
        """The cron expression, ready to compute with."""
        return parse_cron(self.cron)

    def in_env(self, env: str | None) -> str | None:
        """The Kedro environment it runs in, given the scheduler's."""
        return self.env or env

    def run_options(self, pipeline: str, env: str | None) -> list[str]:
        """Options of ``kedro run`` for one of its pipelines.

        Args:
            pipeline: One of ``pipelines``.
            env: The scheduler's environment.
        """
        options = [f"--pipeline={pipeline}"]
        if chosen := self.in_env(env):
            options.append(f"--env={chosen}")
        if self.parameters:
            options.append("--params=" + ",".join(f"{name}={_yaml(value)}" for name, value in _flat(self.parameters)))
        return options

    def nested_parameters(self) -> dict[str, Any]:
        """``parameters`` with dotted names taken apart."""
        nested: dict[str, Any] = {}
        for name, value in _flat(self.parameters):
            *groups, last = name.split(".")
            inner = nested
            for group in groups:
                inner = inner.setdefault(group, {})
            inner[last] = value
        return nested


def _flat(parameters: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in parameters.items():
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", value)]
    return pairs


def _yaml(value: Any) -> str:
    """A value as Kedro's command line reads it back: YAML on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")


def load_jobs(project: Path, env: str | None = None, pipelines: Collection[str] | None = None) -> dict[str, Job]:
    """Reads ``schedules.yml`` of an environment, over that of ``conf/base``.

    Args:
        project: Folder of the Kedro project.
        env: Kedro environment; None takes KEDRO_ENV or ``local``.
        pipelines: Names that a job may use; None checks no names.

    Returns:
        Name to job, in the order of the file.

    Raises:
        InputError: With file, job, field and value of everything that is wrong.
    """
    conf = project / "conf"
    if env is not None and not (conf / env).is_dir():
        raise InputError(f"--env {env!r}: there is no folder {conf / env}")
    try:
        found = _read(project, env, "schedules", {"schedules": PATTERNS})
    except Exception as error:  # no file, YAML that cannot be read, a name given twice: of as many types
        text = " ".join(str(error).split())
        raise InputError(f"{conf}/{{base,{env or 'local'}}}/schedules.yml: {text}") from error
    problems: list[str] = []
    jobs = {str(name): job for name, value in found.items() if (job := _job(str(name), value, problems)) is not None}
    for name, job in jobs.items():
        problems += _unknown(project, name, job, env, pipelines)
    if problems:
        raise InputError("\n".join(f"schedules.yml: {problem}" for problem in problems))
    return jobs


def _job(name: str, value: Any, problems: list[str]) -> Job | None:
    if not _NAME.fullmatch(name):
        problems.append(f"job {name!r}: a name is made of letters, digits, '_', '-' and '.'")
        return None
    if not isinstance(value, Mapping):
        problems.append(f"job {name!r}: it is {value!r}; expected a mapping with cron and pipelines")
        return None
    try:
        return Job.model_validate(dict(value))
    except ValidationError as error:
        for one in error.errors():
            field = ".".join(map(str, one["loc"])) or "all"
            given = "" if one["type"] == "missing" else f", got {one['input']!r}"
            problems.append(f"job {name!r}: field {field!r}: {one['msg']}{given}")
        return None


def _unknown(project: Path, name: str, job: Job, env: str | None, pipelines: Collection[str] | None) -> list[str]:
    """Names in a job that stand for nothing: pipelines, environments, parameters."""
    problems = []
    if pipelines is not None:
        known = ", ".join(sorted(pipelines))
        problems += [
            f"job {name!r}: field 'pipelines': {pipeline!r} is none of {known}"
            for pipeline in job.pipelines
            if pipeline not in pipelines
        ]
    if job.env is not None and not (project / "conf" / job.env).is_dir():
        return [*problems, f"job {name!r}: field 'env': there is no environment {job.env!r} in {project / 'conf'}"]
    if job.parameters:
        there = read_parameters(project, job.model_copy(update={"parameters": {}}), env)
        names = sorted({parameter.partition(".")[0] for parameter, _ in _flat(job.parameters)} - set(there))
        problems += [f"job {name!r}: field 'parameters': there is no parameter {parameter!r}" for parameter in names]
    return problems


def read_parameters(project: Path, job: Job, env: str | None) -> dict[str, Any]:
    """All parameters that the job's pipelines will see.

    Args:
        project: Folder of the Kedro project.
        job: Its environment and its changes count.
        env: The scheduler's environment.

    Raises:
        InputError: The files cannot be read.
    """
    try:
        return _read(project, job.in_env(env), "parameters", runtime_params=job.nested_parameters())
    except Exception as error:  # as in `load_jobs`
        raise InputError(
            f"{project / 'conf'}: the parameters cannot be read: {' '.join(str(error).split())}"
        ) from error


def _read(
    project: Path, env: str | None, section: str, patterns: dict[str, list[str]] | None = None, **more: Any
) -> dict[str, Any]:
    """A section of the configuration, as Kedro merges it."""
    from kedro.config import OmegaConfigLoader

    with warnings.catch_warnings():  # of Kedro to its developers
        warnings.filterwarnings("ignore", message=r"(?s).*register_new_resolver\(\) is deprecated")
        loader = OmegaConfigLoader(
            str(project / "conf"),
            env=env or os.environ.get("KEDRO_ENV"),
            base_env="base",
            default_run_env="local",
            config_patterns=patterns,
            **more,
        )
        return dict(loader[section])

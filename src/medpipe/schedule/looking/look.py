"""The look at a job's data: enough new, or drifted, or a sentence that says why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medpipe.schedule.jobs import Job
from medpipe.schedule.looking.drift import Profile, compare
from medpipe.schedule.looking.sources import Keys, Source, pack, sources_of, unpack
from medpipe.schedule.state import Baseline


@dataclass(frozen=True)
class Look:
    """What was found.

    Attributes:
        train: Whether there is reason to train.
        reason: Why, or why not, with the numbers.
        baselines: What the next look compares with, if this run finishes; empty where there is no reason to run.
    """

    train: bool
    reason: str
    baselines: tuple[Baseline, ...] = ()


def look(
    project: Path, job: Job, env: str | None, known: Mapping[str, Baseline] | None, *, force: bool = False
) -> Look:
    """Compares a job's data with those of its last finished run.

    Args:
        project: Folder of the project.
        job: The job.
        env: Kedro environment of the scheduler.
        known: By source, what the last finished run began with; None where none has finished.
        force: Whether there is reason to train in any case.

    Raises:
        InputError: The data or the parameters cannot be read.
    """
    listed = [(source, source.keys()) for source in sources_of(project, job, env)]
    if force:
        train, reason = True, "forced"
    elif known is None:
        train, reason = True, "no run of this job has finished yet"
    elif not listed:
        train = False
        reason = (
            f"nothing new can come: {', '.join(job.pipelines)} make or fetch their data themselves; name your own data "
            "in the parameters, or set min_new: 0 to train at each due time"
        )
    else:
        judged = [_judge(source, keys, known.get(source.name), job) for source, keys in listed]
        train = any(enough for enough, _ in judged)
        reason = "; ".join(text for enough, text in judged if enough or not train)
    if not train:
        return Look(False, reason)
    return Look(True, reason, tuple(_baseline(source, keys, job) for source, keys in listed))


def _judge(source: Source, keys: Keys, known: Baseline | None, job: Job) -> tuple[bool, str]:
    """Whether a source gives reason to train, and the numbers in words."""
    new = keys if known is None else np.setdiff1d(keys, unpack(known.listing), assume_unique=True)
    if len(new) >= job.min_new:
        return True, f"{len(new):,} new {source.unit}, at least {job.min_new:,} wanted"
    few = f"{len(new):,} of at least {job.min_new:,} new {source.unit}"
    if not len(new):
        return False, f"nothing new: {few}"
    if job.drift_threshold is None or known is None or known.profile is None:
        return False, f"{few}; drift was not looked for"
    drifted, text = _drift(Profile.from_json(known.profile), source.profile(new), job.drift_threshold)
    return drifted, f"{few}; {text}"


def _drift(reference: Profile, now: Profile, threshold: float) -> tuple[bool, str]:
    drifts = compare(reference, now)
    if not drifts:
        return False, f"no {now.unit} to compare"
    above = [drift for drift in drifts if drift.above(threshold)]
    worst = (above or drifts)[0]
    if above:
        verdict = f"at least {threshold:g}"
    elif worst.psi < threshold:
        verdict = f"below {threshold:g}"
    else:
        verdict = f"at least {threshold:g} but within chance"
    numbers = f"{worst.feature}, KS {worst.ks:.2f}, p {worst.p:.2g}, {worst.n_reference:,} and {worst.n:,} {now.unit}"
    return bool(above), f"PSI {worst.psi:.2f} {verdict} ({numbers})"


def _baseline(source: Source, keys: Keys, job: Job) -> Baseline:
    profile = None if job.drift_threshold is None else source.profile(keys).to_json()
    return Baseline(source.name, pack(keys), profile)

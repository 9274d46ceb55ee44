"""What became of every run, and what is still to be run: one SQLite file that a reboot or a kill leaves whole.

Times are kept as text in UTC (ISO 8601). All that waits (a due time, a retry) is a row, so there is no queue to lose.
"""

import socket
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

WAITING, RUNNING = "waiting", "running"
FINISHED, SKIPPED, FAILED, TIMEOUT = "finished", "skipped", "failed", "timeout"
KILLED, STOPPED, MISSED = "killed", "stopped", "missed"
"""Outcomes of a run; docs/retraining.md says what each means."""

CLOCK, ONCE = "clock", "once"
"""Who asked for a run: its cron, or ``medpipe schedule once``."""

LONGEST_WAIT = timedelta(days=1)
"""Before a retry. A time that lies further ahead was written down while the clock was wrong, and counts for nothing."""

STATE_FOLDER = Path("data", ".schedule")
"""Of a project: state, locks, logs."""

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, trigger TEXT NOT NULL, outcome TEXT NOT NULL, planned TEXT NOT NULL,
    due TEXT NOT NULL, attempt INTEGER NOT NULL, started TEXT, ended TEXT, pid INTEGER, host TEXT,
    reason TEXT NOT NULL DEFAULT '', log TEXT
);
CREATE INDEX IF NOT EXISTS runs_of_job ON runs (job, outcome, planned);
CREATE TABLE IF NOT EXISTS jobs (name TEXT PRIMARY KEY, cron TEXT NOT NULL, since TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS looks (run TEXT PRIMARY KEY, train INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS baselines (
    run TEXT NOT NULL, job TEXT NOT NULL, source TEXT NOT NULL, listing BLOB NOT NULL, profile TEXT,
    PRIMARY KEY (run, source)
);
"""


@dataclass(frozen=True)
class Run:
    """An attempt at a job, or one that waits for its turn.

    Attributes:
        id: Twelve hexadecimal digits; MLflow's runs of the attempt are tagged with it.
        job: Name of the job.
        trigger: ``clock`` or ``once``.
        outcome: See the constants of this module.
        planned: The due time that it stands for, the latest where it stands for several.
        due: Not begun before: the due time, or the end of the wait before a retry.
        attempt: From 1.
        started: None while it waits.
        ended: None while it waits or runs.
        pid: Of the process that was started last, which leads a process group.
        host: Where it ran.
        reason: Why it ran, did not run or failed.
        log: File of what it wrote, relative to the project.
    """

    id: str
    job: str
    trigger: str
    outcome: str
    planned: datetime
    due: datetime
    attempt: int = 1
    started: datetime | None = None
    ended: datetime | None = None
    pid: int | None = None
    host: str | None = None
    reason: str = ""
    log: str | None = None


@dataclass(frozen=True)
class Baseline:
    """What a source of data held when the last finished run began.

    Attributes:
        source: Digest of where the data lie; names of folders may tell of patients.
        listing: Keys of its items; see `medpipe.schedule.looking.sources`.
        profile: JSON of a sample of the inputs; see `medpipe.schedule.looking.drift`. None where no one asked.
    """

    source: str
    listing: bytes
    profile: str | None


_READ = "BEGIN"  # needs no right to write, and does not wait for a writer before its COMMIT
_COLUMNS = tuple(field.name for field in fields(Run))
_TIMES = ("planned", "due", "started", "ended")


class State:
    """The runs of a project.

    Args:
        project: Folder of the project; the file is made when it is missing.
    """

    def __init__(self, project: Path) -> None:
        self.folder = project / STATE_FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._transaction(_READ) as database:
            if database.execute("SELECT 1 FROM sqlite_master").fetchone():  # those who only look need not write
                return
        with self._transaction() as database:
            for statement in _TABLES.split(";\n"):
                database.execute(statement)

    @contextmanager
    def _transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """All that is written inside is there in full or not at all."""
        with closing(sqlite3.connect(self.folder / "schedule.sqlite", timeout=60, isolation_level=None)) as database:
            database.row_factory = sqlite3.Row
            database.execute(begin)
            yield database
            database.execute("COMMIT")

    def _select(self, condition: str, *values: Any) -> list[Run]:
        with self._transaction(_READ) as database:
            rows = database.execute(f"SELECT * FROM runs WHERE {condition}", values).fetchall()
        return [_run(row) for row in rows]

    def add(self, job: str, attempt: int = 1) -> Run:
        """Writes down a run of ``once``, which begins without waiting."""
        now = datetime.now(UTC)
        run = Run(_new_id(), job, ONCE, RUNNING, now, now, attempt, now, host=socket.gethostname())
        with self._transaction() as database:
            _insert(database, run)
        return run

    def miss(self, job: str, planned: datetime, reason: str) -> None:
        """Writes down a due time at which the job did not run."""
        run = Run(_new_id(), job, CLOCK, MISSED, planned, planned, ended=datetime.now(UTC), reason=reason)
        with self._transaction() as database:
            _insert(database, run)

    def wait_for_turn(self, job: str, planned: datetime) -> None:
        """A due time of the clock: one run waits, which stands for all due times until it begins."""
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE runs SET planned = ? WHERE job = ? AND outcome = ?", (_text(planned), job, WAITING)
            ).rowcount
            if not changed:
                _insert(database, Run(_new_id(), job, CLOCK, WAITING, planned, planned))

    def begin(self, run: Run, log: str) -> None:
        """The run begins now, on this host."""
        self._update(run, outcome=RUNNING, started=_now(), host=socket.gethostname(), log=log)

    def set_process(self, run: Run, pid: int) -> None:
        """The run has started this process."""
        self._update(run, pid=pid)

    def _update(self, run: Run, **values: Any) -> None:
        with self._transaction() as database:
            _set(database, run, values)

    def end(self, run: Run, outcome: str, reason: str, again: tuple[datetime, int] | None = None) -> None:
        """The run is over.

        Args:
            run: The run.
            outcome: What became of it; what it looked at becomes the baseline if it is `FINISHED`.
            reason: Why.
            again: When, and as which attempt, it is tried again.
        """
        with self._transaction() as database:
            _set(database, run, {"outcome": outcome, "reason": reason, "ended": _now()})
            others = "run != ? AND job = ?" if outcome == FINISHED else "run = ? AND job = ?"
            has_own = database.execute("SELECT 1 FROM baselines WHERE run = ?", (run.id,)).fetchone()
            if has_own:
                database.execute(f"DELETE FROM baselines WHERE {others}", (run.id, run.job))
            database.execute("DELETE FROM looks WHERE run = ?", (run.id,))
            if again is not None:
                _retry(database, run, *again)

    def next_waiting(self, now: datetime) -> Run | None:
        """The run whose turn it is; one that waits for longer than any wait is would wait for ever."""
        turn = "outcome = ? AND (due <= ? OR due > ?) ORDER BY due, rowid LIMIT 1"
        found = self._select(turn, WAITING, _text(now), _text(now + LONGEST_WAIT))
        return found[0] if found else None

    def waiting(self) -> list[Run]:
        """Runs that wait for their turn, the first one first."""
        return self._select("outcome = ? ORDER BY due, rowid", WAITING)

    def running(self) -> list[Run]:
        """Runs that have begun and are not known to be over."""
        return self._select("outcome = ? ORDER BY started", RUNNING)

    def last(self, job: str) -> Run | None:
        """The newest run of a job that is over or was missed."""
        found = self._select("job = ? AND ended IS NOT NULL ORDER BY rowid DESC LIMIT 1", job)
        return found[0] if found else None

    def runs(self, job: str | None = None, limit: int = 100) -> list[Run]:
        """The newest runs, the newest first."""
        if job is None:
            return self._select("1 ORDER BY rowid DESC LIMIT ?", limit)
        return self._select("job = ? ORDER BY rowid DESC LIMIT ?", job, limit)

    def due_since(self, job: str, cron: str, now: datetime) -> datetime:
        """Due times of a job after this moment are still to be seen to.

        That is the last one that was, or the moment in which the job, or its present cron, was first seen.
        """
        latest = _text(now + LONGEST_WAIT)
        with self._transaction() as database:
            row = database.execute(
                "SELECT since FROM jobs WHERE name = ? AND cron = ? AND since <= ?", (job, cron, latest)
            ).fetchone()
            if row is None:
                database.execute("REPLACE INTO jobs VALUES (?, ?, ?)", (job, cron, _text(now)))
                return now
            newest = database.execute(
                "SELECT MAX(planned) FROM runs WHERE job = ? AND trigger = ? AND planned <= ?", (job, CLOCK, latest)
            ).fetchone()[0]
        return datetime.fromisoformat(max(row["since"], newest or ""))

    def forget_cron(self, job: str) -> None:
        """A job that is switched off misses nothing until it is switched on."""
        with self._transaction() as database:
            database.execute("DELETE FROM jobs WHERE name = ?", (job,))

    def write_look(self, run_id: str, job: str, train: bool, reason: str, baselines: Sequence[Baseline]) -> None:
        """Keeps what a run found when it looked at the data."""
        with self._transaction() as database:
            database.execute("REPLACE INTO looks VALUES (?, ?, ?)", (run_id, int(train), reason))
            rows = [(run_id, job, one.source, one.listing, one.profile) for one in baselines]
            database.executemany("REPLACE INTO baselines VALUES (?, ?, ?, ?, ?)", rows)

    def look(self, run: Run) -> tuple[bool, str]:
        """Whether there is reason to train, and which."""
        with self._transaction(_READ) as database:
            row = database.execute("SELECT train, reason FROM looks WHERE run = ?", (run.id,)).fetchone()
        return bool(row["train"]), str(row["reason"])

    def baselines(self, job: str) -> dict[str, Baseline] | None:
        """What the job's last finished run began with, by source; None where no run has finished."""
        with self._transaction(_READ) as database:
            finished = "SELECT id FROM runs WHERE job = ? AND outcome = ?"
            if database.execute(f"{finished} LIMIT 1", (job, FINISHED)).fetchone() is None:
                return None
            rows = database.execute(
                f"SELECT source, listing, profile FROM baselines WHERE run IN ({finished})", (job, FINISHED)
            ).fetchall()
        return {row["source"]: Baseline(*row) for row in rows}


def _run(row: sqlite3.Row) -> Run:
    values = {name: row[name] for name in _COLUMNS}
    times = {name: datetime.fromisoformat(values[name]) for name in _TIMES if values[name] is not None}
    return Run(**{**values, **times})


def _retry(database: sqlite3.Connection, run: Run, due: datetime, attempt: int) -> None:
    """The next attempt waits; it stands for a due time too that came while the run went on."""
    changed = database.execute(
        "UPDATE runs SET due = ?, attempt = ? WHERE job = ? AND outcome = ?", (_text(due), attempt, run.job, WAITING)
    ).rowcount
    if not changed:
        _insert(database, Run(_new_id(), run.job, run.trigger, WAITING, run.planned, due, attempt))


def _insert(database: sqlite3.Connection, run: Run) -> None:
    values = [_text(value) if isinstance(value := getattr(run, name), datetime) else value for name in _COLUMNS]
    places = ", ".join("?" * len(_COLUMNS))
    database.execute(f"INSERT INTO runs ({', '.join(_COLUMNS)}) VALUES ({places})", values)


def _set(database: sqlite3.Connection, run: Run, values: dict[str, Any]) -> None:
    places = ", ".join(f"{name} = ?" for name in values)
    database.execute(f"UPDATE runs SET {places} WHERE id = ?", [*values.values(), run.id])


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def _now() -> str:
    return _text(datetime.now(UTC))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")

"""The status of a project as tables on a terminal."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpipe.cli.status import ProjectStatus
    from medpipe.registry.runs import RecordedRun

MAX_METRICS = 4
"""Headlines of a run; all are in the JSON."""

WIDTH = 140
"""Characters of a line that goes into a file or a pipe."""

_STYLES = {"FINISHED": "green", "FAILED": "red", "KILLED": "red", "RUNNING": "cyan"}


def show(status: "ProjectStatus") -> None:
    """Prints all parts, with a sentence for those that have nothing to show."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    parts: dict[str, Any] = {
        "runs": _runs(status),
        "models": _models(status),
        "schedule": _schedule(status),
        "disk": _disk(status),
        "gpus": _gpus(status),
    }
    for name, table in parts.items():
        if table.row_count:
            console.print(table)
        if note := status.notes.get(name):
            console.print(note, style="dim", markup=False)


def _table(title: str, *left: str, right: tuple[str, ...] = ()) -> Any:
    from rich.table import Table

    table = Table(*left, title=title, title_justify="left")
    for name in right:
        table.add_column(name, justify="right")
    return table


def _runs(status: "ProjectStatus") -> Any:
    table = _table("Newest runs", "began", "pipelines", "environment", "took", "status", "headlines")
    for run in status.runs:
        style = _STYLES.get(run.status, "")
        cells = (_local(run.started), run.pipelines, run.env, duration(run.seconds))
        table.add_row(*map(_text, cells), _text(run.status.lower(), style), _text(_told(run)))
    return table


def _told(run: "RecordedRun") -> str:
    """Headlines; of a failed run, why."""
    if run.error:
        return run.error
    shown = [f"{name.removeprefix('test/')} {value:.3g}" for name, value in sorted(run.metrics.items())]
    return ", ".join(shown[:MAX_METRICS]) + (
        f" and {len(shown) - MAX_METRICS} more" if len(shown) > MAX_METRICS else ""
    )


def _models(status: "ProjectStatus") -> Any:
    table = _table("Models", "model", "champion", "since", "why", "challenger", right=("versions",))
    for model in status.models:
        since = _local(datetime.fromisoformat(model.since)) if model.since else ""
        cells = (model.name, model.champion or "none yet", since, model.reason, model.challenger or "")
        table.add_row(*map(_text, cells), str(model.versions))
    return table


def _schedule(status: "ProjectStatus") -> Any:
    from medpipe.schedule.status import status_table

    return _table("") if status.schedule is None else status_table(status.schedule)


def _disk(status: "ProjectStatus") -> Any:
    table = _table(f"Disk: {size(status.free_bytes)} free", "what", right=("takes", "files"))
    for use in status.disk:
        at_least = "" if use.complete else "at least "
        table.add_row(_text(use.path.name), f"{at_least}{size(use.size_bytes)}", f"{at_least}{use.n_files:,}")
    return table


def _gpus(status: "ProjectStatus") -> Any:
    table = _table("GPUs", "model", right=("memory in use", "of", "busy"))
    for gpu in status.gpus:
        busy = "" if gpu.use_percent is None else f"{gpu.use_percent:.0f} %"
        table.add_row(_text(gpu.name), f"{gpu.memory_gib:.1f} GiB", f"{gpu.total_gib:.1f} GiB", busy)
    return table


def _text(text: str, style: str = "") -> Any:
    """Without rich's markup: names may hold brackets."""
    from rich.text import Text

    return Text(text, style=style)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """As people say it: 42 s, 3 min 20 s, 5 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(n_bytes: float) -> str:
    """In binary units: 512 B, 3.4 MiB, 1.2 TiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} TiB"

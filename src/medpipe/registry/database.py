"""MLflow's SQLite database, made in full before anybody sees it.

MLflow makes its tables in many small steps on first use, and cannot go on where a kill interrupted them.
"""

import os
from contextlib import suppress
from pathlib import Path

SQLITE = "sqlite:///"


def make_database(uri: str) -> None:
    """Makes the database of a SQLite tracking store where there is none; other stores are left alone.

    Args:
        uri: MLflow's tracking uri, with an absolute path if it is SQLite's.
    """
    file = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or file.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    SqlAlchemyStore(f"{SQLITE}{temporary}", "./mlruns").engine.dispose()
    with suppress(FileExistsError):  # a run beside this one was first
        os.link(temporary, file)
    temporary.unlink()

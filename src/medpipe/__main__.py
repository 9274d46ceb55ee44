"""``python -m medpipe`` and the ``medpipe`` command: ``kedro run`` of this project, wherever it is installed."""

from pathlib import Path

from kedro.framework.project import configure_project

from medpipe.cli import run


def main() -> None:
    """Runs a pipeline with the options of ``kedro run``."""
    configure_project(Path(__file__).parent.name)
    run()


if __name__ == "__main__":
    main()

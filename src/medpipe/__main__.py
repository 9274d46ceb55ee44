"""The ``medpipe`` command and ``python -m medpipe``, wherever the project is installed."""

from pathlib import Path

from kedro.framework.project import configure_project

from medpipe.cli import cli


def main() -> None:
    """Runs a command of the project; without one, ``kedro run`` with the options given."""
    configure_project(Path(__file__).parent.name)
    cli(prog_name="medpipe")


if __name__ == "__main__":
    main()

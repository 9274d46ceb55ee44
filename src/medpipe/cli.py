"""The project's Kedro commands: ``kedro run`` that does no work twice."""

import copy

import click
from kedro.framework.cli.project import run as kedro_run

run = copy.deepcopy(kedro_run)
for option in run.params:
    if option.name == "runner":
        option.default = "medpipe.runners.IncrementalRunner"


@click.group(name="medpipe")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)

"""The project's commands: ``kedro run`` that does no work twice, and what is done with trained models.

Each command is a module of its own, imported when it is called for. Kedro finds the group, so that each is a command of
``kedro``, too.
"""

import importlib

import click

from medpipe.cli.run import run

_COMMANDS = {
    "export": "medpipe.cli.export:export",
    "generate": "medpipe.cli.generate:generate",
    "models": "medpipe.cli.models:models",
    "predict-properties": "medpipe.cli.predict:predict_properties",
    "schedule": "medpipe.cli.schedule:schedule",
    "score-molecules": "medpipe.cli.score_molecules:score_molecules",
    "serve": "medpipe.cli.serve:serve",
    "shared-run": "medpipe.cli.shared_run:shared_run",
    "status": "medpipe.cli.status:status",
}
"""Where each command lies."""


class _Commands(click.Group):
    """Imports a command when it is asked for; options without a command are those of ``run``."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in context.help_option_names):
            args = ["run", *args]
        return super().parse_args(context, args)

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*super().list_commands(context), *_COMMANDS})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return super().get_command(context, name)
        module, _, attribute = _COMMANDS[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(name="medpipe", cls=_Commands)
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)

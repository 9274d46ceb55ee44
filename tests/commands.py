"""The command lines and parameters of this project, to hold what a document says against."""

import inspect
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

import click

from tests.documents import PROJECT, Found


@cache
def groups() -> Mapping[str, click.Group]:
    """The two command lines as they are installed."""
    from kedro.framework.cli.cli import KedroCLI

    from medpipe.cli import cli

    return {"kedro": KedroCLI(project_path=PROJECT), "medpipe": cli}


@cache
def pipelines(names: str) -> Any:
    """One pipeline, or several that are run together: names with commas."""
    groups()
    from kedro.framework.project import pipelines as registered

    return sum(registered[name] for name in names.split(","))


@cache
def configuration(environment: str) -> Mapping[str, Any]:
    """Parameters of an environment."""
    from kedro.config import OmegaConfigLoader

    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base", env=environment)
    return dict(loader["parameters"])


@cache
def models() -> Mapping[str, Any]:
    """Each parameter that a node takes, with the model that the node's annotation names."""
    groups()
    from kedro.framework.project import pipelines

    from medpipe.runners.ray_params import RayParams

    found: dict[str, Any] = {"ray": RayParams}  # of the runner, not of a node
    for each in pipelines.values():
        for node in each.nodes:
            names = list(inspect.signature(node.func).parameters)
            given = node._inputs if isinstance(node._inputs, dict) else dict(zip(names, node.inputs, strict=False))
            hints = inspect.get_annotations(node.func, eval_str=True)
            for argument, dataset in given.items():
                if dataset.startswith("params:") and hasattr(hints.get(argument), "model_fields"):
                    found[dataset.removeprefix("params:")] = hints[argument]
    return found


def parsed(line: Found) -> tuple[click.Command, dict[str, Any]]:
    """The command that a line calls, and the values of its options; raises as the command line itself would."""
    program, *arguments = shlex.split(line.text)
    command: click.Command = groups()[program]
    context = click.Context(command, info_name=program)
    while isinstance(command, click.Group) and arguments:
        with context:
            name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=name)
    if "--help" in arguments:
        return command, {}
    options, rest, _ = command.make_parser(context).parse_args(list(arguments))
    if rest:
        raise click.UsageError(f"unexpected arguments: {rest}")
    for param in command.params:
        value = options.get(param.name or "")
        if param.required and (value in (None, ()) or param.value_is_missing(value)):
            raise click.MissingParameter(ctx=context, param=param)
        if isinstance(param.type, (click.Choice, click.types.IntParamType, click.types.FloatParamType)) and value:
            placeholder = isinstance(value, str) and value.isupper()  # VERSION, N
            if not placeholder:
                param.type_cast_value(context, value)
    return command, options


def merged(base: Any, changes: Any) -> Any:
    """Parameters with changes, setting by setting, as ``--params`` does it."""
    if isinstance(base, Mapping) and isinstance(changes, Mapping):
        return {**base, **{name: merged(base.get(name), value) for name, value in changes.items()}}
    return changes


def has_field(model: Any, path: list[str]) -> bool:
    """Whether a model, or a model inside it, has the field that a dotted path names."""
    if not path:
        return True
    for part in (model, *_parts(model)):
        fields: Mapping[str, Any] = getattr(part, "model_fields", {})
        if path[0] in fields and has_field(fields[path[0]].annotation, path[1:]):
            return True
    return bool(getattr(model, "__origin__", None) in (dict, Mapping)) or model is Any


def _parts(annotation: Any) -> list[Any]:
    """What a union or an annotation is made of, all the way down."""
    found = []
    for part in getattr(annotation, "__args__", ()):
        found += [part, *_parts(part)]
    return found


def given_parameters(text: str | None) -> dict[str, Any]:
    """What ``--params`` says."""
    from kedro.framework.cli.utils import _split_params

    context = click.Context(click.Command("run"))
    return dict(_split_params(context, None, text)) if text else {}

"""Modules that are chosen by name in a parameter: one of the project's own, or the user's."""

from importlib import import_module
from types import ModuleType

from medpipe.core.errors import InputError


def find_module(name: str, package: str, protocol: type, parameter: str) -> ModuleType:
    """A module that offers what a protocol names.

    Args:
        name: Module in ``package``, or the dotted path of a module elsewhere.
        package: Where names without a dot are looked for.
        protocol: A ``typing.Protocol``; the module must have all its members.
        parameter: What the user set, for the message.

    Raises:
        InputError: If the module cannot be found or lacks a member.
    """
    path = name if "." in name else f"{package}.{name}"
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        raise InputError(f"{parameter}: {name!r} is no module that can be imported ({error})") from error
    members = {*protocol.__annotations__, *(part for part in vars(protocol) if not part.startswith("_"))}
    if missing := sorted(part for part in members if not hasattr(module, part)):
        raise InputError(f"{parameter}: {path} lacks {', '.join(missing)}; see {protocol.__module__}.{protocol.__name__}")
    return module

"""Modules of the user's own that take the place of one of the project's, chosen by their dotted path in a parameter."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from medpipe.core.errors import InputError


def find_module(name: str, known: Mapping[str, ModuleType], protocol: type, parameter: str) -> ModuleType:
    """A module that offers what a protocol names.

    Args:
        name: One of ``known``, or the dotted path of another module.
        known: The project's own modules.
        protocol: A ``typing.Protocol``; the module must have all its members.
        parameter: What the user set, for the message.

    Raises:
        InputError: If the module cannot be found or lacks a member.
    """
    if name in known:
        return known[name]
    names = ", ".join(known)
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(f"{parameter}: {name!r} is none of {names}, and no module ({error})") from error
    members = {*protocol.__annotations__, *(part for part in vars(protocol) if not part.startswith("_"))}
    if missing := sorted(part for part in members if not hasattr(module, part)):
        expected = f"{protocol.__module__}.{protocol.__name__}"
        raise InputError(f"{parameter}: {name} lacks {', '.join(missing)}; see {expected}")
    return module

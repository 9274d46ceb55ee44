"""Which version of the code a node runs: a digest over all of our modules that it reaches, and their libraries."""

import ast
import importlib.metadata
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from medpipe.core.fingerprint import digest

PACKAGE = __name__.partition(".")[0]


def code_digest(func: Callable[..., Any]) -> str:
    """Digest of a function's code.

    It covers the function, what it uses of its own module, each module of this package that these import, directly or
    not and inside functions too, and the versions of the libraries that they import. Comments and layout do not count.

    Args:
        func: A node's function.
    """
    func = inspect.unwrap(func)
    module = ast.parse(Path(inspect.getfile(func)).read_text(encoding="utf-8"))
    parts = _parts_used(func.__name__, module)
    imported = {name for part in parts for name in _imports(part)}
    ours, libraries = _closure(frozenset(imported))
    return digest(
        [ast.dump(part) for part in parts],
        {name: _module_digest(name) for name in sorted(ours)},
        {name: _version(name) for name in sorted(libraries)},
    )


def _parts_used(name: str, module: ast.Module) -> list[ast.stmt]:
    """The definition of ``name`` and the module-level statements that it needs, directly or not."""
    defined: dict[str, ast.stmt] = {}
    for statement in module.body:
        for target in _names_bound(statement):
            defined[target] = statement
    used: dict[str, ast.stmt] = {}
    pending = [name]
    while pending:
        current = pending.pop()
        if current in used or current not in defined:
            continue
        used[current] = defined[current]
        pending += [node.id for node in ast.walk(defined[current]) if isinstance(node, ast.Name)]
    return [used[key] for key in sorted(used)]


def _names_bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        yield from (node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _stored(node))


def _stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Full names that are imported anywhere in ``tree``; for ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _closure(names: frozenset[str]) -> tuple[set[str], set[str]]:
    """Our modules, and the libraries' top-level names, that are reached from imported ``names``."""
    ours: set[str] = set()
    libraries: set[str] = set()
    pending = set(names)
    while pending:
        name = pending.pop()
        top = name.partition(".")[0]
        if top != PACKAGE:
            libraries.add(top)
        elif name not in ours and (file := _file(name)) is not None:
            ours.add(name)
            pending |= set(_imports(_tree(file)))
    return ours, libraries - set(sys.stdlib_module_names)


@cache
def _file(name: str) -> Path | None:
    """Source file of one of our modules; None if ``name`` is something inside a module."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(textwrap.dedent(file.read_text(encoding="utf-8")))


@cache
def _module_digest(name: str) -> str:
    file = _file(name)
    return digest(ast.dump(_tree(file))) if file is not None else ""


@cache
def _version(top: str) -> str | None:
    """Version of the installed library that brings the top-level name ``top``."""
    try:
        return importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:
        return None

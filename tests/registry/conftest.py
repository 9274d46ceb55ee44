"""Fixtures of the registry."""

from collections.abc import Callable

import pytest

from medpipe.registry.registry import Registry
from tests.registry.shelf import Shelf


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """One store for all tests of the registry; each test takes a model name of its own."""
    return Shelf(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="session")
def logged(shelf: Shelf) -> list[str]:
    """Three logged models."""
    return [shelf.log(f"weights {number}") for number in (1, 2, 3)]


@pytest.fixture
def registry(shelf: Shelf) -> Registry:
    return shelf.registry


@pytest.fixture
def fill(shelf: Shelf, logged: list[str]) -> Callable[..., Registry]:
    """Registers so many versions of a name."""

    def make(name: str, n: int) -> Registry:
        for number in range(n):
            shelf.registry.register(name, logged[number], shelf.run_id, {"number": str(number + 1)})
        return shelf.registry

    return make

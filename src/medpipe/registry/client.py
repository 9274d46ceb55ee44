"""How MLflow's client is asked."""

from collections.abc import Callable, Iterator
from typing import Any


def found(ask: Callable[[], Any]) -> Any:
    """The answer, or None for what MLflow does not have."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
            return None
        raise


def pages(ask: Callable[..., Any]) -> Iterator[Any]:
    """All items of an answer that comes page by page.

    Args:
        ask: Takes ``page_token``.
    """
    token = None
    while True:
        page = ask(page_token=token)
        yield from page
        token = page.token
        if not token:
            return

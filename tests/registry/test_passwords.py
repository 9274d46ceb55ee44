import logging

import pytest

from medpipe.core.errors import InputError
from medpipe.registry.params import MLflowParams
from medpipe.registry.passwords import hide_passwords
from medpipe.registry.registry import open_registry

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://me:s3cr3t@db.org:5432/mlflow", "postgresql+psycopg://me:***@db.org:5432/mlflow"),
        ("at http://me:s3@cr3t@db.org/x failed", "at http://me:***@db.org/x failed"),
        ("mysql://db.org/x?user=me&password=s3cr3t", "mysql://db.org/x?user=me&password=***"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_passwords_are_hidden_and_nothing_else(text, shown):
    assert hide_passwords(text) == shown


@pytest.mark.parametrize("uri", [f"postgres://me:{SECRET}@db.org/mlflow", f"nonsense+x://me:{SECRET}@db.org/mlflow"])
def test_an_unusable_store_is_named_without_its_password(tmp_path, uri, caplog):
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(InputError, match="tracking_uri is ") as caught,
    ):
        open_registry(tmp_path, MLflowParams(tracking_uri=uri))
    assert "me:***@db.org/mlflow" in str(caught.value)
    assert SECRET not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_address_that_mlflow_would_print_holds_no_password(tmp_path):
    with pytest.raises(InputError, match="MLFLOW_TRACKING_PASSWORD") as caught:
        open_registry(tmp_path, MLflowParams(tracking_uri=f"https://me:{SECRET}@mlflow.org"))
    assert SECRET not in str(caught.value)


def test_parameters_do_not_show_the_tracking_uri(tmp_path):
    assert SECRET not in repr(MLflowParams(tracking_uri=f"http://me:{SECRET}@db.org"))
    with pytest.raises(ValueError, match="tracking_url") as caught:
        MLflowParams.model_validate({"tracking_url": f"http://me:{SECRET}@db.org"})
    assert SECRET not in str(caught.value)

"""Errors as they are told outside the terminal."""

import pytest

from medpipe.core.errors import InputError
from medpipe.hooks.messages import public_message


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InputError("train_cnn.trainer.seed: must not be negative"), None),
        (InputError("/data/Doe Jane/scan.nii: 3 axes expected"), "<path>: 3 axes expected"),
        (InputError("data/01_raw/Doe Jane.nii: 3 axes expected"), "<path>: 3 axes expected"),
        (InputError("Doe Jane/scan.nii: 3 axes expected"), "<path>: 3 axes expected"),
        (InputError("no such folder: '/data/Doe Jane'"), "no such folder: '<path>"),
        (
            InputError("failed while loading Table(filepath=/Doe Jane.csv)"),
            "failed while loading Table(filepath=<path>",
        ),
        (InputError("cannot copy scans/Doe Jane to /data"), "<path>"),
        (InputError("first line\n/data/Doe Jane"), "first line"),
    ],
)
def test_paths_are_left_out(error, told):
    assert public_message(error) == f"InputError: {told or error}"


def test_files_of_the_system_are_left_out():
    error = FileNotFoundError(2, "No such file or directory", "/data/Doe Jane")
    assert public_message(error) == "FileNotFoundError: No such file or directory"


def test_an_error_without_words_is_named():
    assert public_message(KeyboardInterrupt()) == "KeyboardInterrupt"

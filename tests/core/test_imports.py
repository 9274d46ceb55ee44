import gc

import pytest

from medpipe.core.imports import without_collection


def test_the_collector_is_on_again_after_a_failure():
    with pytest.raises(ImportError), without_collection():  # noqa: PT012
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()

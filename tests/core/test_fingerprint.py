import os

import numpy as np
import pandas as pd
import pytest

from medpipe.core.fingerprint import digest, digest_path
from medpipe.core.params import Params


class Size(Params):
    edge: int = 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 2}),
        ([1, 2], [2, 1]),
        (b"ab", b"ba"),
        (np.zeros(4, np.int16), np.zeros(2, np.int32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [2, 1]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
        (Size(edge=1), Size(edge=2)),
    ],
)
def test_different_content_has_different_digests(one, other):
    assert digest(one) == digest(one)
    assert digest(one) != digest(other)


def test_order_of_keys_is_no_content():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_parts_are_kept_apart():
    assert digest(b"ab", b"c") != digest(b"a", b"bc")


def test_object_without_content_is_refused():
    with pytest.raises(TypeError, match="no fingerprint"):
        digest(object())


def test_folder_digest_follows_names_and_content_not_times(tmp_path):
    folder = tmp_path / "raw"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a").write_bytes(b"1" * 100_000)
    first = digest_path(folder, tmp_path / "cache")
    os.utime(folder / "sub" / "a", ns=(1, 1))
    assert digest_path(folder, tmp_path / "cache") == first
    (folder / "sub" / "a").rename(folder / "sub" / "b")
    renamed = digest_path(folder, tmp_path / "cache")
    (folder / "sub" / "b").write_bytes(b"2" * 100_000)
    assert len({first, renamed, digest_path(folder, tmp_path / "cache")}) == 3


def test_cache_gives_what_reading_gives(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(os.urandom(100_000))
    assert digest_path(file) == digest_path(file, tmp_path / "cache") == digest_path(file, tmp_path / "cache")


def test_hidden_files_do_not_count(tmp_path):
    (tmp_path / "a").touch()
    before = digest_path(tmp_path)
    (tmp_path / ".tmp-x").touch()
    assert digest_path(tmp_path) == before


def test_missing_path_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        digest_path(tmp_path / "none")


def test_what_cannot_be_read_in_a_folder_counts_by_its_name(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    before = digest_path(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    both = digest_path(tmp_path)
    (tmp_path / "nowhere").write_bytes(b"2")
    assert len({before, both, digest_path(tmp_path)}) == 3


def test_cache_holds_no_names(tmp_path):
    file = tmp_path / "MUELLER^ANNA" / "scan"
    file.parent.mkdir()
    file.write_bytes(os.urandom(100_000))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "hashes.sqlite").write_bytes(b"MUELLER^ANNA")
    digest_path(file.parent, tmp_path / "cache")
    caches = list((tmp_path / "cache").iterdir())
    assert caches
    assert not any(b"MUELLER" in cache.read_bytes() for cache in caches)

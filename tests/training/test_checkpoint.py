import pickle

import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.training.checkpoint import Checkpoint


@pytest.fixture
def checkpoint():
    return Checkpoint("detector", {"layer.weight": torch.arange(6.0).reshape(2, 3)}, {"edge": 3}, {"seed": 1})


def test_round_trip(tmp_path, checkpoint):
    checkpoint.save(tmp_path / "a.safetensors")
    loaded = Checkpoint.load(tmp_path / "a.safetensors", "detector")
    torch.testing.assert_close(loaded.weights, checkpoint.weights)
    assert (loaded.params, loaded.provenance) == ({"edge": 3}, {"seed": 1})
    assert loaded.fingerprint() == checkpoint.fingerprint()


def test_other_kind_is_refused(tmp_path, checkpoint):
    checkpoint.save(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="holds a 'detector', expected a 'generator'"):
        Checkpoint.load(tmp_path / "a.safetensors", "generator")


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps({"a": 1})])
def test_foreign_file_is_refused_unread(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not a readable safetensors file"):
        Checkpoint.load(tmp_path / "a.safetensors")


def test_fingerprint_follows_the_weights(checkpoint):
    other = Checkpoint(checkpoint.kind, {"layer.weight": torch.zeros(2, 3)}, checkpoint.params)
    assert other.fingerprint() != checkpoint.fingerprint()


def test_an_absent_network_says_why(tmp_path):
    Checkpoint.absent("segmenter", "No finding has an outline.").save(tmp_path / "a.safetensors")
    loaded = Checkpoint.load(tmp_path / "a.safetensors", "segmenter")
    assert loaded.reason_absent == "No finding has an outline."
    assert loaded.weights == {}

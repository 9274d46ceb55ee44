"""GPUs as the driver names them; where there is none, that is no error."""

import pytest

from medpipe.core.gpu import read_gpus, visible


@pytest.mark.parametrize(
    ("variable", "devices"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("2,0", [2, 0]),
        ("0, 1", [0, 1]),
        ("1,7,0", [1]),
        ("GPU-8932f937,MIG-2", ["GPU-8932f937", "MIG-2"]),
    ],
)
def test_devices_are_those_that_cuda_shows(variable, devices):
    assert visible(variable, 3) == devices


def test_gpus_are_read_or_absent():
    for gpu in read_gpus():
        assert 0 <= gpu.memory_gib <= gpu.total_gib
        assert gpu.use_percent is None or 0 <= gpu.use_percent <= 100

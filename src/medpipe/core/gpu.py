"""What NVIDIA's driver says of the GPUs (NVML), where there are any."""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

BYTES_A_GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Gpu:
    """A GPU at one moment; memory and use are of all processes on it.

    Attributes:
        name: Model.
        memory_gib: In use.
        total_gib: Built in.
        use_percent: Share of the last moments in which it computed; None where the driver does not tell (MIG).
    """

    name: str
    memory_gib: float
    total_gib: float
    use_percent: float | None


def read_gpus() -> list[Gpu]:
    """The GPUs that this process may use (``CUDA_VISIBLE_DEVICES``); empty without a GPU or its driver."""
    return [gpu for handle in _handles() if (gpu := _read(handle)) is not None]


def _read(handle: Any) -> Gpu | None:
    import pynvml

    use = None
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        with suppress(pynvml.NVMLError):
            use = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        name = pynvml.nvmlDeviceGetName(handle)
    except pynvml.NVMLError:  # fallen off the bus, or taken away
        return None
    return Gpu(name, memory.used / BYTES_A_GIBIBYTE, memory.total / BYTES_A_GIBIBYTE, use)


@lru_cache(maxsize=1)
def _handles() -> tuple[Any, ...]:
    import pynvml

    try:
        pynvml.nvmlInit()
        names = visible(os.environ.get("CUDA_VISIBLE_DEVICES"), pynvml.nvmlDeviceGetCount())
        return tuple(
            pynvml.nvmlDeviceGetHandleByIndex(name) if isinstance(name, int) else pynvml.nvmlDeviceGetHandleByUUID(name)
            for name in names
        )
    except pynvml.NVMLError:  # no driver, or a device that it does not know
        return ()


def visible(variable: str | None, count: int) -> list[int | str]:
    """The devices that CUDA shows to a process, as numbers or UUIDs.

    Args:
        variable: ``CUDA_VISIBLE_DEVICES``; None shows all. As CUDA does, the list ends at the first name of no device.
        count: Devices of the machine.
    """
    if variable is None:
        return list(range(count))
    names: list[int | str] = []
    for name in (part.strip() for part in variable.split(",")):
        if name.startswith(("GPU-", "MIG-")):
            names.append(name)
        elif name.isdecimal() and int(name) < count:
            names.append(int(name))
        else:
            break
    return names

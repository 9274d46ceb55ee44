"""The device to compute on."""

import torch


def torch_device(accelerator: str) -> torch.device:
    """``auto`` takes the GPU where there is one; otherwise torch's own name of a device, such as ``cpu``."""
    if accelerator == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(accelerator)

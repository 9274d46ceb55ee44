"""Batch normalisation over the global batch, where several processes train together."""

from typing import Any, cast

import torch
from lightning.pytorch.plugins import LayerSync
from torch import Tensor, nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm


class GlobalBatchNorm(LayerSync):
    """Has every batch normalisation of a network see the patches of all processes.

    On a GPU that is torch's own `SyncBatchNorm`, which refuses a CPU; there it is `_SharedBatchNorm`. The weights keep
    their names. Lightning applies it where there are several processes.

    Args:
        on_cpu: Whether the processes compute on the CPU.
    """

    def __init__(self, on_cpu: bool) -> None:
        self._on_cpu = on_cpu

    def apply(self, model: nn.Module) -> nn.Module:
        """Exchanges the layers; in place, where the model itself is none."""
        if not self._on_cpu:
            return cast(nn.Module, SyncBatchNorm.convert_sync_batchnorm(model))
        for layer in model.modules():
            if isinstance(layer, _BatchNorm) and not isinstance(layer, SyncBatchNorm):
                layer.__class__ = _SharedBatchNorm  # the same parameters and buffers, another way forward
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Nothing: outside training and without other processes the layers do what they did before."""
        return model


class _SharedBatchNorm(_BatchNorm):
    """Batch normalisation with the mean and the variance of all processes' samples, in training."""

    def _check_input_dim(self, input: Tensor) -> None:
        """The layer that it was in the place of knew its input."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalises ``input``, B x C x any; each process has alike many samples of the same shape."""
        if not (self.training and torch.distributed.is_initialized()):
            return super().forward(input)
        axes = [axis for axis in range(input.dim()) if axis != 1]
        shape = [1, -1, *[1] * (input.dim() - 2)]
        n = input.numel() // input.shape[1] * torch.distributed.get_world_size()
        mean = _sum_of_all(input.sum(axes)) / n
        variance = _sum_of_all((input - mean.view(shape)).square().sum(axes)) / n
        self._follow(mean.detach(), variance.detach() * n / (n - 1))
        normal = (input - mean.view(shape)) * torch.rsqrt(variance + self.eps).view(shape)
        return normal * self.weight.view(shape) + self.bias.view(shape) if self.affine else normal

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Running statistics, as torch keeps them."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance, weight)


class _SumOfAll(torch.autograd.Function):
    """Sum over the processes. What all use of it comes back to each."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _sum_of_all(gradients[0])


@torch.compiler.disable
def _sum_of_all(value: Tensor) -> Tensor:
    return cast(Tensor, _SumOfAll.apply(value))

"""What generator and discriminator play for, whatever the family, and how strong the discriminator may get.

All losses take raw logits: of the real (x) and of the generated (G(z)), of equal shape, averaged over all elements.

| kind | discriminator minimises | generator minimises |
|---|---|---|
| minimax | (softplus(-D(x)) + softplus(D(G(z)))) / 2 | softplus(-D(G(z))) |
| least_squares | ((D(x) - 1)^2 + D(G(z))^2) / 2 | (D(G(z)) - 1)^2 / 2 |
| wasserstein_gp, wasserstein_clip | D(G(z)) - D(x) | -D(G(z)) |
| relativistic | softplus(D(G(z)) - D(x)) | softplus(D(x) - D(G(z))) |

Sources: minimax, not saturating: Goodfellow et al., "Generative Adversarial Nets" (NeurIPS 2014), section 3 (half of
it, the mean cross-entropy); least squares: Mao et al., "Least Squares Generative Adversarial Networks" (ICCV 2017), a
= 0, b = c = 1; Wasserstein: Arjovsky et al., "Wasserstein GAN" (ICML 2017), Gulrajani et al., "Improved Training of
Wasserstein GANs" (NeurIPS 2017); relativistic, paired: Huang et al., "The GAN is dead; long live the GAN!" (NeurIPS
2024), equation 2.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpipe.molecules.generation.params import BandParams, LossParams

Discriminate = Callable[[Tensor], Tensor]

_ACCURACY_MEMORY = 0.9
"""Of the running accuracy of the discriminator, a batch."""


def discriminator_loss(params: LossParams, real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator minimises, without its `penalty`.

    Args:
        params: The kind.
        real: Logits of real molecules, any shape.
        fake: Logits of generated ones, of that shape; pairs matter to ``relativistic``.
    """
    match params.kind:
        case "minimax":
            return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
        case "least_squares":
            return 0.5 * ((real - 1).square().mean() + fake.square().mean())
        case "relativistic":
            return F.softplus(fake - real).mean()
        case "wasserstein_gp" | "wasserstein_clip":
            return fake.mean() - real.mean()


def generator_loss(params: LossParams, real: Tensor | None, fake: Tensor) -> Tensor:
    """What the generator minimises.

    Args:
        params: The kind.
        real: Logits of real molecules, of the shape of ``fake``; used by ``relativistic`` alone.
        fake: Logits of generated ones, any shape.

    Raises:
        ValueError: ``relativistic`` got no ``real``.
    """
    return -rewards(params, fake, real).mean()


def rewards(params: LossParams, fake: Tensor, real_mean: Tensor | None) -> Tensor:
    """What each generated element earns, higher where it looks more real; its negative mean is `generator_loss`.

    Args:
        params: The kind.
        fake: Logits of generated molecules, any shape.
        real_mean: What ``relativistic`` compares with: a logit of a real molecule each, or the mean of many; any shape
            that broadcasts to that of ``fake``.

    Raises:
        ValueError: ``relativistic`` got no ``real_mean``.
    """
    match params.kind:
        case "minimax":
            return F.logsigmoid(fake)
        case "least_squares":
            return -0.5 * (fake - 1).square()
        case "relativistic":
            if real_mean is None:
                raise ValueError("the relativistic loss compares with real molecules, but there are no logits of them")
            return F.logsigmoid(fake - real_mean)
        case "wasserstein_gp" | "wasserstein_clip":
            return fake


def penalty(
    params: LossParams, discriminate: Discriminate, real: Tensor, fake: Tensor, random: torch.Generator
) -> Tensor:
    """What keeps the discriminator smooth, to be added to its loss; 0 for kinds without.

    ``wasserstein_gp``: weight times E (|grad D| - 1)^2 on lines between real and generated (Gulrajani et al., equation
    3). ``relativistic``: r1/2 E |grad D(x)|^2 + r2/2 E |grad D(G(z))|^2 (Huang et al., equation 4).

    Args:
        params: The kind and its weights.
        discriminate: (B, ...) inputs to logits; row b of the logits must depend on row b of the inputs alone, so no
            batch normalisation.
        real: (B, ...) continuous inputs made from real molecules (embedded tokens, latents, one-hot graphs).
        fake: (B, ...) those made from generated ones.
        random: Source of chance, on the device of ``real``.
    """
    if params.kind == "wasserstein_gp":
        shape = (len(real), *[1] * (real.dim() - 1))
        share = torch.rand(shape, generator=random, device=real.device)
        norms = gradient_norms(discriminate, torch.lerp(fake.detach(), real.detach(), share))
        return params.gradient_penalty * (norms - 1).square().mean()
    if params.kind == "relativistic":
        at_real, at_fake = (gradient_norms(discriminate, at).square().mean() for at in (real, fake))
        return 0.5 * (params.r1 * at_real + params.r2 * at_fake)
    return torch.zeros((), device=real.device)


def gradient_norms(discriminate: Discriminate, inputs: Tensor) -> Tensor:
    """L2 norm (B,) of the gradient of each logit with respect to its row of ``inputs`` (B, ...), differentiable."""
    inputs = inputs.detach().requires_grad_()
    # cuDNN's recurrent layers cannot be differentiated twice.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        (gradient,) = torch.autograd.grad(discriminate(inputs).sum(), inputs, create_graph=True)
    return torch.linalg.vector_norm(gradient.flatten(1), dim=1)


@torch.no_grad()
def clip_weights(params: LossParams, module: nn.Module) -> None:
    """After a step of the discriminator: bounds its weights where the kind is ``wasserstein_clip``."""
    if params.kind == "wasserstein_clip":
        for weight in module.parameters():
            weight.clamp_(-params.clip, params.clip)


class AccuracyBand(nn.Module):
    """Follows how often the discriminator is right and says who may learn; it is saved with the training.

    A discriminator left free soon tells everything apart and then teaches nothing. Logits of ``minimax`` are parted at
    0 and those of ``least_squares`` at 1/2; those of the others have no zero, so they are parted half way between the
    means of the two sides.

    Args:
        loss: What is played for.
        band: Where the accuracy is kept.
    """

    accuracy: Tensor

    def __init__(self, loss: LossParams, band: BandParams) -> None:
        super().__init__()
        self._kind, self._band = loss.kind, band
        self.register_buffer("accuracy", torch.tensor(0.5))

    @torch.no_grad()
    def update(self, real: Tensor, fake: Tensor) -> None:
        """Takes the logits of a batch, (B,) each; where several processes train, they go on with the same accuracy."""
        border = {"minimax": 0.0, "least_squares": 0.5}.get(self._kind, 0.5 * (real.mean() + fake.mean()))
        right = 0.5 * ((real > border).float().mean() + (fake < border).float().mean())
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(right)
            right /= torch.distributed.get_world_size()
        self.accuracy.lerp_(right, 1 - _ACCURACY_MEMORY)

    @property
    def discriminator_learns(self) -> bool:
        """Whether the discriminator is weak enough to take a step."""
        return bool(self.accuracy <= self._band.high)

    @property
    def generator_listens(self) -> bool:
        """Whether the discriminator is strong enough to be worth listening to."""
        return bool(self.accuracy >= self._band.low)

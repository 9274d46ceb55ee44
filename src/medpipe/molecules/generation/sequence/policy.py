"""How the generator of sequences learns from a verdict: by policy gradient.

A token cannot be differentiated through (Williams, 1992; SeqGAN: Yu et al., AAAI 2017). Here the discriminator judges
every prefix, and what a token changes in its verdict is that token's reward; the rewards of a molecule add up to the
verdict on the whole.

Shapes: B molecules, T tokens said (the start is not one of them).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def verdicts(logits: Tensor, said: Tensor) -> Tensor:
    """The logit (B,) on each whole molecule: that of its last token."""
    last = said.sum(1, keepdim=True).clamp_min(1) - 1
    return logits.gather(1, last).squeeze(1)


def token_rewards(worth: Tensor, said: Tensor) -> Tensor:
    """Reward (B, T) of each token: how much it raised the worth of the molecule, 0 after the end.

    Args:
        worth: (B, T) what the prefixes that end with each token earn. The empty prefix earns 0: it is the same for all
            molecules, so another constant would change no advantage.
        said: (B, T) True where there is a token.
    """
    return (worth - F.pad(worth[:, :-1], (1, 0))) * said


def returns(rewards: Tensor, decay: float) -> Tensor:
    """Rewards to come (B, T), each step ahead counting ``decay`` times as much as the one before."""
    total = torch.zeros_like(rewards[:, 0])
    collected = []
    for t in range(rewards.shape[1] - 1, -1, -1):
        total = rewards[:, t] + decay * total
        collected.append(total)
    return torch.stack(collected[::-1], 1)


def leave_one_out_advantages(gains: Tensor, said: Tensor) -> Tensor:
    """Gains (B, T) less the mean of the other molecules that are still going at that token (Kool et al., 2019).

    The baseline of a molecule does not depend on its own tokens, so the gradient stays unbiased.
    """
    gains = gains * said
    others = (said.sum(0) - 1).clamp_min(1)
    baseline = (gains.sum(0) - gains) / others
    alone = said.sum(0) < 2
    return ((gains - baseline) * said).masked_fill(alone, 0)


def policy_loss(log_probabilities: Tensor, advantages: Tensor) -> Tensor:
    """Its gradient is the policy gradient: advantage times the gradient of log G, summed a molecule.

    Args:
        log_probabilities: (B, T) log G of the tokens said; 0 after the end.
        advantages: (B, T), no gradient flows into them.
    """
    return -(log_probabilities * advantages.detach()).sum() / len(advantages)

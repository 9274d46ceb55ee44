"""A trained latent family: molecules to latent vectors, latent vectors to molecules, and new ones from noise.

Shapes: n molecules, L = size of a latent vector.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from medpipe.molecules.encoding.tokens import END, PAD, START, Vocabulary
from medpipe.molecules.generation.latent.networks import Autoencoder, LatentGenerator, Whitening
from medpipe.molecules.generation.latent.params import LatentParams
from medpipe.molecules.generation.sampler import KIND
from medpipe.molecules.generation.sequence.rollout import draw
from medpipe.training.checkpoint import Checkpoint

_LENGTH_ALLOWANCE = 2
"""A molecule may have this many times the tokens of the longest one learnt from, before it is cut."""
_ENCODE_BATCH = 1000
GREEDY = 1e-3
"""Temperature at which the most likely token is as good as certain."""


class LatentModel(nn.Module):
    """Encoder, decoder and prior; see `medpipe.molecules.generation.sampler.MoleculeSampler` for drawing.

    Args:
        params: Shapes.
        vocabulary: What its tokens mean.
        longest: Tokens of the longest molecule it was trained on.
        adversarial: Whether a trained generator gives the latents; else they come from the normal distribution
            fitted to those of train.
    """

    def __init__(self, params: LatentParams, vocabulary: Vocabulary, longest: int, *, adversarial: bool) -> None:
        super().__init__()
        self._params, self.vocabulary, self._longest = params, vocabulary, longest
        self.max_tokens = _LENGTH_ALLOWANCE * longest + 1
        self.latent_size = params.decoder.noise_size
        self.autoencoder = Autoencoder(params, vocabulary)
        self.whitening = Whitening(self.latent_size)
        self.generator = LatentGenerator(params.prior, self.latent_size) if adversarial else None

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.autoencoder.decoder.embedding.weight.device

    @torch.no_grad()
    def encode(self, smiles: Sequence[str]) -> Tensor:
        """Mean latent vectors (n, L) of molecules, on the model's device.

        Args:
            smiles: Canonical SMILES, as those it was trained on; another writing has another vector.

        Raises:
            InputError: A token is not in the vocabulary; the message names it.
        """
        found = [torch.empty(0, self.latent_size, device=self.device)]
        for first in range(0, len(smiles), _ENCODE_BATCH):
            ids, borders = self.vocabulary.encode_many(list(smiles[first : first + _ENCODE_BATCH]))
            rows = torch.from_numpy(ids.astype("int64")).tensor_split(torch.from_numpy(borders[1:-1]))
            ends = torch.tensor([START]), torch.tensor([END])
            tokens = pad_sequence([torch.cat([ends[0], row, ends[1]]) for row in rows], True, PAD)
            found.append(self.autoencoder.encoder(tokens.to(self.device))[0])
        return torch.cat(found)

    @torch.no_grad()
    def decode(
        self,
        latents: Tensor,
        random: torch.Generator,
        *,
        temperature: float = GREEDY,
        top_p: float = 1.0,
        max_tokens: int | None = None,
    ) -> list[str]:
        """Molecules of latent vectors (n, L), as they come out; invalid and empty ones included.

        Args:
            latents: On the model's device.
            random: Source of chance, on that device.
            temperature: Divides the logits; the default takes the most likely token each time.
            top_p: Share of probability that the most likely tokens must hold.
            max_tokens: A molecule that has not ended by then is cut; None takes the model's own.
        """
        drawn = draw(
            self.autoencoder.decoder,
            latents,
            max_tokens=max_tokens or self.max_tokens,
            random=random,
            temperature=temperature,
            top_p=top_p,
        )
        return [self.vocabulary.decode(row) for row in drawn.tolist()]

    @torch.no_grad()
    def draw_latents(self, n: int, random: torch.Generator) -> Tensor:
        """New latent vectors (n, L) from noise."""
        noise = torch.randn((n, self.latent_size), generator=random, device=self.device)
        return self.whitening.restore(noise if self.generator is None else self.generator(noise))

    def draw(self, n: int, random: torch.Generator, *, temperature: float, top_p: float, max_tokens: int) -> list[str]:
        """See the protocol; the temperature is that of the decoder."""
        latents = self.draw_latents(n, random)
        return self.decode(latents, random, temperature=temperature, top_p=top_p, max_tokens=max_tokens)

    def checkpoint(self, provenance: dict[str, Any]) -> Checkpoint:
        """The model with all that rebuilds it."""
        content = {
            "family": "latent",
            "latent": self._params.model_dump(mode="json"),
            "vocabulary": self.vocabulary.to_dict(),
            "longest": self._longest,
            "adversarial": self.generator is not None,
        }
        return Checkpoint(KIND, dict(self.state_dict()), content, provenance)


def load_latent_model(checkpoint: Checkpoint) -> LatentModel:
    """The model of a checkpoint of the latent family, on the CPU, in evaluation mode."""
    content = checkpoint.params
    vocabulary = Vocabulary.from_dict(content["vocabulary"])
    params = LatentParams(**content["latent"])
    model = LatentModel(params, vocabulary, content["longest"], adversarial=content["adversarial"])
    model.load_state_dict(checkpoint.weights)
    return model.eval()

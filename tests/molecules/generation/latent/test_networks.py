import math

import pytest
import torch

from medpipe.molecules.encoding.batches import pad
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import PAD
from medpipe.molecules.generation.latent.networks import Autoencoder, LatentGenerator, Whitening
from medpipe.molecules.generation.latent.params import EncoderParams, LatentParams, PriorParams
from medpipe.molecules.generation.sequence.params import GeneratorParams

PARAMS = LatentParams(
    encoder=EncoderParams(embedding_size=12, hidden_size=16),
    decoder=GeneratorParams(noise_size=6, embedding_size=12, hidden_size=16),
)


@pytest.fixture(scope="module")
def autoencoder(store: TokenStore) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(PARAMS, store.vocabulary)


@pytest.fixture(scope="module")
def tokens(store: TokenStore) -> torch.Tensor:
    return torch.from_numpy(pad(store, store.rows("train")[:7]))


def test_padding_says_nothing_to_the_encoder(autoencoder: Autoencoder, tokens: torch.Tensor) -> None:
    padded = torch.nn.functional.pad(tokens, (0, 5), value=PAD)
    torch.testing.assert_close(autoencoder.encoder(padded), autoencoder.encoder(tokens))


def test_the_decoder_says_step_by_step_what_it_says_at_once(autoencoder: Autoencoder, tokens: torch.Tensor) -> None:
    latents = torch.randn(len(tokens), 6)
    state, logits = autoencoder.decoder.first_state(latents), []
    for token in tokens.T:
        one, state = autoencoder.decoder.step(token, state)
        logits.append(one)
    torch.testing.assert_close(torch.stack(logits, 1), autoencoder.decoder(tokens, latents))


def test_every_token_hears_the_latent_vector(autoencoder: Autoencoder, tokens: torch.Tensor) -> None:
    latents = torch.zeros(len(tokens), 6, requires_grad=True)
    heard = autoencoder.decoder.reminder(latents)
    assert torch.autograd.grad(heard.sum(), latents)[0].abs().min() > 0


def test_divergence_from_the_normal_by_hand(autoencoder: Autoencoder, tokens: torch.Tensor) -> None:
    """KL(N(m, s) | N(0, 1)) = (m^2 + s^2 - 1) / 2 - log s, over 6 dimensions."""
    encoder = autoencoder.encoder
    with torch.no_grad():
        for layer, bias in ((encoder.to_mean, 0.5), (encoder.to_log_std, -1.0)):
            layer.weight.zero_()
            layer.bias.fill_(bias)
    _, divergence = autoencoder(tokens)
    assert divergence.item() == pytest.approx(6 * ((0.25 + math.exp(-2) - 1) / 2 + 1), rel=1e-5)


def test_whitening_makes_latents_standard_and_gives_them_back() -> None:
    torch.manual_seed(0)
    means = torch.randn(50_000, 3) @ torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, -1.0, 0.5]]) + 4
    log_stds = torch.full_like(means, math.log(0.3))
    whitening = Whitening(3)
    whitening.fit(means, log_stds)
    latents = means + 0.3 * torch.randn_like(means)
    white = whitening(latents)
    torch.testing.assert_close(white.mean(0), torch.zeros(3), atol=0.02, rtol=0)
    torch.testing.assert_close(torch.cov(white.T), torch.eye(3), atol=0.02, rtol=0)
    torch.testing.assert_close(whitening.restore(white), latents, atol=1e-4, rtol=1e-4)


def test_an_untrained_generator_is_the_normal_distribution() -> None:
    noise = torch.randn(5, 4)
    torch.testing.assert_close(LatentGenerator(PriorParams(), 4)(noise), noise)

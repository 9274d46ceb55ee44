"""What a training depends on, and where its result comes from."""

from importlib.metadata import version
from typing import Any

from medpipe.core.fingerprint import digest
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import BandParams, GanParams, LossParams

_VERSIONED = ("medpipe", "torch", "lightning", "rdkit")


def on_one_device(params: GanParams) -> GanParams:
    """The same on one device: these networks are so small that several would mostly wait for each other.

    Besides, not all of them take part in each step, which training on several refuses.
    """
    trainer = params.trainer.model_copy(update={"devices": 1, "num_nodes": 1})
    return params.model_copy(update={"trainer": trainer})


def likelihood_key(store: TokenStore, params: GanParams) -> str:
    """Key of the training by likelihood: with another loss against the discriminator, it need not be done again."""
    fixed = params.model_copy(update={"loss": LossParams(), "accuracy_band": BandParams()})
    return digest("train_by_likelihood", fixed, store.fingerprint())


def adversarial_key(store: TokenStore, params: GanParams) -> str:
    """Key of the training against the discriminator."""
    return digest("train_against_discriminator", params, store.fingerprint())


def provenance(store: TokenStore, params: GanParams, **counts: int) -> dict[str, Any]:
    """Data, parameters, seed and versions, with ``counts`` beside."""
    return {
        "data": store.fingerprint(),
        "params": params.model_dump(mode="json"),
        "seed": params.trainer.seed,
        **counts,
        "versions": {name: version(name) for name in _VERSIONED},
    }

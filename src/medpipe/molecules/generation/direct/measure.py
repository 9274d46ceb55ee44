"""What every family of this package measures on its way, and where a checkpoint comes from."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import GanParams

_VERSIONED = ("medpipe", "torch", "lightning", "rdkit")


def validity(smiles: Sequence[str]) -> dict[str, float]:
    """Shares of valid texts among all, and of distinct molecules among the valid ones."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        read = [Chem.MolFromSmiles(text) if text else None for text in smiles]
    valid = [Chem.MolToSmiles(molecule) for molecule in read if molecule is not None]
    shares = {"sample_validity": len(valid) / len(smiles)}
    return shares | ({"sample_uniqueness": len(set(valid)) / len(valid)} if valid else {})


def provenance(store: TokenStore, params: GanParams, **counts: int) -> dict[str, Any]:
    """Data, parameters, seed and versions, with ``counts`` beside."""
    return {
        "data": store.fingerprint(),
        "params": params.model_dump(mode="json"),
        "seed": params.trainer.seed,
        **counts,
        "versions": {name: version(name) for name in _VERSIONED},
    }

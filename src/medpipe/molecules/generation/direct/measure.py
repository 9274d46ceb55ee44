"""What every family of this package measures on its way."""

from collections.abc import Sequence


def validity(smiles: Sequence[str]) -> dict[str, float]:
    """Shares of valid texts among all, and of distinct molecules among the valid ones."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        read = [Chem.MolFromSmiles(text) if text else None for text in smiles]
    valid = [Chem.MolToSmiles(molecule) for molecule in read if molecule is not None]
    shares = {"sample_validity": len(valid) / len(smiles)}
    return shares | ({"sample_uniqueness": len(set(valid)) / len(valid)} if valid else {})

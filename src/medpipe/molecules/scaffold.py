"""The scaffold of a molecule."""


def murcko_scaffold(smiles: str) -> str:
    """Canonical Murcko scaffold: rings and the chains between them; empty without rings.

    Bemis and Murcko, J. Med. Chem. 39, 2887, 1996.

    Args:
        smiles: A valid molecule.
    """
    from rdkit import rdBase
    from rdkit.Chem.Scaffolds import MurckoScaffold

    with rdBase.BlockLogs():  # it warns of a hydrogen alone, of which there is nothing to be said
        return str(MurckoScaffold.MurckoScaffoldSmiles(smiles=smiles))

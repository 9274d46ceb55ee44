"""Typed parameters of encoding."""

from pydantic import NonNegativeInt, PositiveInt

from medpipe.core.params import Params
from medpipe.molecules.encoding.notation import Notation


class EncodeParams(Params):
    """How molecules become token ids.

    Attributes:
        notation: ``smiles``, or ``selfies``, in which any line of symbols is a possible molecule.
        n_merges: Byte-pair merges learnt on train; 0 leaves symbols as they are.
        merge_sample: Molecules of train (the first ones) that the merges are learnt from.
        n_random: Random writings of each molecule of train beside the canonical one, as augmentation (Arús-Pous et al.,
            J. Cheminform. 11, 71, 2019); val and test have none.
        seed: Seed of the random writings.
        n_jobs: Worker processes for SELFIES and random writings; -1 is one a core.
    """

    notation: Notation = "smiles"
    n_merges: NonNegativeInt = 300
    merge_sample: PositiveInt = 30_000
    n_random: NonNegativeInt = 0
    seed: NonNegativeInt = 0
    n_jobs: int = -1

"""Typed parameters of encoding."""

from pydantic import NonNegativeInt, PositiveInt

from medpipe.core.params import Params


class EncodeParams(Params):
    """How SMILES become token ids.

    Attributes:
        n_merges: Byte-pair merges learnt on train; 0 leaves chemical tokens as they are.
        merge_sample: Molecules of train (the first ones) that the merges are learnt from.
    """

    n_merges: NonNegativeInt = 300
    merge_sample: PositiveInt = 30_000

"""Clean molecules to a token store."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.encoding.store import SPLITS, TokenStore
from medpipe.molecules.encoding.tokens import Vocabulary

_logger = logging.getLogger(__name__)


def encode(smiles: pd.DataFrame, params: EncodeParams, folder: Path) -> TokenStore:
    """Learn a vocabulary and write the molecules as token ids.

    The alphabet is that of all splits, so that val and test can be read; the merges are learnt from train alone.

    Args:
        smiles: Columns smiles, split, as ``ingest`` gives them.
        params: Size of the vocabulary.
        folder: Where the store goes.

    Raises:
        InputError: No molecule is in train, or one holds what is no SMILES token.
    """
    train = smiles.smiles[smiles.split == "train"]
    if train.empty:
        raise InputError(f"split: none of {len(smiles)} molecules is in 'train', merges cannot be learnt.")
    molecules = smiles.smiles.tolist()
    bare = Vocabulary.learn(molecules, 0)
    vocabulary = bare.with_merges(*bare.encode_many(train.head(params.merge_sample).tolist()), params.n_merges)
    tokens, borders = vocabulary.encode_many(molecules)
    splits = smiles.split.map({name: code for code, name in enumerate(SPLITS)}).to_numpy().astype(np.uint8)
    store = TokenStore.write(folder, tokens, borders, splits, vocabulary)
    _logger.info(
        "Encoded %s molecules: %d tokens in the vocabulary, %.1f a molecule, at most %d",
        f"{len(store):,}", len(vocabulary), len(tokens) / len(store), store.longest,
    )  # fmt: skip
    return store

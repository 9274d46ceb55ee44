"""The training molecules beside the generated ones: nearest neighbours, and what a draw of them scores.

A measure says little alone: the Fréchet distance of real molecules to real molecules is not 0 but what their number
makes it. So as many training molecules as were generated are drawn with a seed and scored against the same references
(``name_floor``; for similarities the value that a perfect generator reaches), and nearest training neighbours are told
for molecules of the reference, too, which nobody has seen (``name_of_test``). All of it is kept on disk by content.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medpipe.core.atomic import atomic_path, write_json
from medpipe.core.fingerprint import digest
from medpipe.core.parallel import parallel
from medpipe.core.progress import track
from medpipe.molecules.metrics.fcd import frechet_distance
from medpipe.molecules.metrics.fingerprints import N_WORDS, Packed, morgan, nearest, unpack_bytes
from medpipe.molecules.metrics.fragments import cosine_similarity
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.reference import MADE_BY, Reference, References, kept_reference

NEAR = 0.9
"""A Tanimoto similarity of Morgan fingerprints from which two molecules are nearly the same."""
SHARES = {"q50": 0.5, "q95": 0.95}
"""Quantiles of the similarity to the nearest training molecule."""
_CHUNK = 2000
_NO_FINGERPRINT = bytes(8 * N_WORDS)


class Training:
    """What is known of the training molecules, from what is kept wherever it was made from the same content.

    Args:
        smiles: Canonical SMILES, at least one.
        folder: Where fingerprints and statistics are kept.
        params: How to score.
    """

    def __init__(self, smiles: Sequence[str], folder: Path, params: ScoreParams) -> None:
        self.smiles = list(smiles)
        self.folder = folder
        self.params = params
        self._key = digest(MADE_BY, self.smiles)

    def draw(self, n: int) -> Reference:
        """Statistics of ``n`` of the molecules (of all, where there are fewer), drawn with the seed."""
        rng = np.random.default_rng(self.params.seed)
        rows = rng.choice(len(self.smiles), size=min(n, len(self.smiles)), replace=False)
        return kept_reference([self.smiles[i] for i in rows], self.folder, self.params, with_physchem=True)

    def nearest(self, fingerprints: Packed) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Similarity (n,) to the nearest of the molecules, and its row (n,), of each fingerprint (n, 16)."""
        return nearest(fingerprints, self._fingerprints(), self.params.n_jobs)

    def floors(self, n: int, references: References) -> dict[str, float]:
        """What a draw of ``n`` of the molecules scores against each reference, and the reference against them."""
        # What the draw is made of follows from the key, the seed and n.
        of_references = {name: digest(reference.fingerprints) for name, reference in references.items()}
        key = digest(self._key, self.params.model_dump_json(include={"seed", "fcd", "nearest_train"}), n, of_references)
        path = self.folder / f"floors-{key}.json"
        if not path.exists():
            write_json(path, self._compute_floors(self.draw(n), references))
        floors: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return floors

    def _compute_floors(self, draw: Reference, references: References) -> dict[str, float]:
        floors: dict[str, float | None] = {}
        for name, reference in references.items():
            similarity, _ = nearest(draw.fingerprints, reference.fingerprints, self.params.n_jobs)
            floors[f"SNN_{name}"] = float(similarity.mean())
            floors[f"Frag_{name}"] = cosine_similarity(reference.fragments, draw.fragments)
            floors[f"Scaf_{name}"] = cosine_similarity(reference.scaffolds, draw.scaffolds)
            if draw.chemnet is not None and reference.chemnet is not None:
                floors[f"FCD_{name}"] = frechet_distance(reference.chemnet, draw.chemnet)
        found = {f"{name}_floor": value for name, value in floors.items() if value is not None}
        if self.params.nearest_train:
            unseen = next(iter(references.values())).fingerprints
            rng = np.random.default_rng(self.params.seed)
            rows = rng.choice(len(unseen), size=min(self.params.nearest_train, len(unseen)), replace=False)
            similarity, _ = self.nearest(unseen[rows])
            found["near_train_of_test"] = float(np.mean(similarity >= NEAR))
            for name, share in SHARES.items():
                found[f"similarity_train_{name}_of_test"] = float(np.quantile(similarity, share))
        return found

    def _fingerprints(self) -> Packed:
        """Of the molecules, (m, 16), read from disk as they are needed; an unreadable string has no bits."""
        path = self.folder / f"fingerprints-{self._key}.npy"
        if not path.exists():
            chunks = [self.smiles[start : start + _CHUNK] for start in range(0, len(self.smiles), _CHUNK)]
            described = parallel(_fingerprint_chunk, chunks, n_jobs=self.params.n_jobs, description=None)
            shown = track(described, "fingerprints of training molecules", len(self.smiles), size=_n_fingerprints)
            with atomic_path(path, suffix=".npy") as temporary:
                np.save(temporary, unpack_bytes(list(shown)), allow_pickle=False)
        kept: Packed = np.load(path, mmap_mode="r", allow_pickle=False)
        return kept


def _fingerprint_chunk(smiles: Sequence[str]) -> bytes:
    from rdkit import rdBase

    with rdBase.BlockLogs():
        return b"".join(map(_fingerprint, smiles))


def _n_fingerprints(chunk: bytes) -> int:
    return len(chunk) // len(_NO_FINGERPRINT)


def _fingerprint(smiles: str) -> bytes:
    """Morgan fingerprint without perceiving stereo, which it does not see, and which takes a third of the time."""
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles, sanitize=False)
    try:
        Chem.SanitizeMol(mol)
    except (ValueError, TypeError):
        return _NO_FINGERPRINT
    return morgan(mol)

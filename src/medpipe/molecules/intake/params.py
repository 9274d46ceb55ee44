"""Typed parameters of intake: where molecules come from, and how they are cleaned and split."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from medpipe.core.params import Fraction, Params

MOSES_ELEMENTS = ("C", "N", "S", "O", "F", "Cl", "Br", "H")
"""Elements that MOSES allows (Polykovskiy et al., Frontiers in Pharmacology 2020, section 2.1)."""


class SmilesSourceParams(Params):
    """Where molecules come from.

    Attributes:
        kind: ``moses`` fetches the MOSES benchmark set once; ``file`` takes a file of the user's.
        path: CSV, TSV, SMI or Parquet file, ``.gz`` too; only with kind ``file``.
    """

    kind: Literal["moses", "file"] = "moses"
    path: str | None = None

    @model_validator(mode="after")
    def _path_goes_with_file(self) -> "SmilesSourceParams":
        if (self.kind == "file") != (self.path is not None):
            raise ValueError(
                f"path must be given with kind 'file' and only then; got {self.kind!r}, path {self.path!r}"
            )
        return self


class IngestSmilesParams(Params):
    """How raw lines become clean molecules with a split.

    Attributes:
        column: Column that holds SMILES; case does not matter. An SMI file needs none.
        split: Test share of a user's file: by ``random`` molecule or whole Murcko ``scaffold``. MOSES brings its own.
        test_fraction: Share of a user's file that is kept for the test.
        val_fraction: Share of train held out for validation; never from the test.
        max_train: Most lines of train (val is taken from them), drawn with ``seed``; None takes all.
        max_test: Most lines of test, drawn with ``seed``; None takes all.
        max_length: Longest canonical SMILES, in characters.
        allowed_elements: Element symbols; a molecule with another one is rejected.
        stereo: Whether stereo marks are kept or removed.
        allow_fragments: Whether salts and mixtures (with a dot) are taken.
        seed: Seed of subsets and splits.
        n_jobs: Worker processes; -1 is one a core.
    """

    column: str = "smiles"
    split: Literal["random", "scaffold"] = "random"
    test_fraction: Fraction = 0.1
    val_fraction: Fraction = 0.05
    max_train: PositiveInt | None = None
    max_test: PositiveInt | None = None
    max_length: PositiveInt = 100
    allowed_elements: tuple[str, ...] = Field(MOSES_ELEMENTS, min_length=1)
    stereo: Literal["keep", "remove"] = "keep"
    allow_fragments: bool = False
    seed: NonNegativeInt = 0
    n_jobs: int = -1

    @field_validator("allowed_elements")
    @classmethod
    def _elements_exist(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        from rdkit.Chem import GetPeriodicTable

        table = GetPeriodicTable()
        known = {table.GetElementSymbol(number) for number in range(1, 119)}
        if unknown := [symbol for symbol in symbols if symbol not in known]:
            raise ValueError(f"{', '.join(unknown)}: no such element; write symbols such as C, Cl, Se")
        return symbols

"""Typed parameters of intake: where molecules come from, and how they are cleaned and split."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator, model_validator

from medpipe.core.params import Fraction, Params

MOSES_ELEMENTS = ("C", "N", "S", "O", "F", "Cl", "Br", "H")
"""Elements that MOSES allows (Polykovskiy et al., Frontiers in Pharmacology 2020, section 2.1)."""

Range = tuple[NonNegativeFloat | None, NonNegativeFloat | None]
"""Least and greatest value that is taken, both included; None is no bound."""


class SmilesSourceParams(Params):
    """Where molecules come from.

    Attributes:
        kind: ``moses`` fetches the MOSES benchmark set once; ``file`` takes a file of the user's.
        path: CSV, TSV, SMI, SDF or Parquet file, ``.gz`` too; only with kind ``file``.
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

    A molecule is brought into shape first (fragments, isotopes, charges, stereo), then judged.

    Attributes:
        column: Column that holds SMILES; case does not matter. An SMI or SDF file needs none.
        split: Split of a user's file: by ``random`` molecule, by whole Murcko ``scaffold``, or as a ``column`` says.
            MOSES brings its own.
        split_column: Column (SDF: data field) with ``train``, ``val`` or ``test``; only with split ``column``.
        test_fraction: Share of a user's file that is kept for the test.
        val_fraction: Share of train held out for validation, never from the test; none where a column names val.
        max_train: Most lines of train (val is taken from them), drawn with ``seed``; None takes all.
        max_test: Most lines of test, drawn with ``seed``; None takes all.
        fragments: Salts and mixtures: ``refuse`` them, take the ``largest`` fragment, or ``keep`` them whole.
        charges: ``keep`` them, ``neutralise`` by protons what can be (a quaternary nitrogen stays), or ``refuse`` a
            molecule with a net charge.
        stereo: Whether stereo marks are kept or removed.
        isotopes: Isotope marks: ``keep`` or ``remove`` them, or ``refuse`` the molecule.
        allowed_elements: Element symbols; a molecule with another one is rejected.
        max_length: Longest canonical SMILES, in characters.
        heavy_atoms: Fewest and most heavy atoms; None is no bound.
        weight_da: Least and greatest molecular weight in dalton; None is no bound.
        moses_filters: Whether only what passes the filters of MOSES is taken (no charge, no ring above 7 atoms, none of
            the MCF and PAINS alerts).
        seed: Seed of subsets and splits.
        n_jobs: Worker processes; -1 is one a core.
    """

    column: str = "smiles"
    split: Literal["random", "scaffold", "column"] = "random"
    split_column: str | None = None
    test_fraction: Fraction = 0.1
    val_fraction: Fraction = 0.05
    max_train: PositiveInt | None = None
    max_test: PositiveInt | None = None
    fragments: Literal["refuse", "largest", "keep"] = "refuse"
    charges: Literal["keep", "neutralise", "refuse"] = "keep"
    stereo: Literal["keep", "remove"] = "keep"
    isotopes: Literal["keep", "remove", "refuse"] = "keep"
    allowed_elements: tuple[str, ...] = Field(MOSES_ELEMENTS, min_length=1)
    max_length: PositiveInt = 100
    heavy_atoms: Range = (None, None)
    weight_da: Range = (None, None)
    moses_filters: bool = False
    seed: NonNegativeInt = 0
    n_jobs: int = -1

    @model_validator(mode="after")
    def _column_goes_with_split(self) -> "IngestSmilesParams":
        if (self.split == "column") != (self.split_column is not None):
            raise ValueError(
                f"split_column must be given with split 'column' and only then; got split {self.split!r}, "
                f"split_column {self.split_column!r}"
            )
        return self

    @field_validator("heavy_atoms", "weight_da")
    @classmethod
    def _bounds_are_in_order(cls, bounds: Range) -> Range:
        low, high = bounds
        if low is not None and high is not None and low > high:
            raise ValueError(f"the lower bound {low:g} is above the upper bound {high:g}")
        return bounds

    @field_validator("allowed_elements")
    @classmethod
    def _elements_exist(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        from rdkit.Chem import GetPeriodicTable

        table = GetPeriodicTable()
        known = {table.GetElementSymbol(number) for number in range(1, 119)}
        if unknown := [symbol for symbol in symbols if symbol not in known]:
            raise ValueError(f"{', '.join(unknown)}: no such element; write symbols such as C, Cl, Se")
        return symbols

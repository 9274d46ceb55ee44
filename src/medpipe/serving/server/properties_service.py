"""Properties of molecules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medpipe.serving.server.bodies import PropertiesRequest, parse_json
from medpipe.serving.server.refusal import Refusal, to_json
from medpipe.serving.server.services import Service, records

MAX_SMILES_CHARACTERS = 2000
"""Longest SMILES taken: drugs have about 50, and a string made to exhaust a parser has many more."""


class PropertiesService(Service):
    """Predicts properties."""

    @property
    def device(self) -> str:
        """The networks and trees compute on the CPU."""
        return "cpu"

    def check_rows(self, table: Any) -> Any:
        """As `Service.check_rows`; each SMILES is bounded, too."""
        table = super().check_rows(table)
        check_smiles(table["smiles"].tolist())
        return table

    def properties(self, folder: Path, file: str) -> bytes:
        """Predicts.

        Args:
            folder: Of the job.
            file: Name of the body in it, a `PropertiesRequest`.
        """
        import pandas as pd

        smiles = parse_json((folder / file).read_bytes(), PropertiesRequest).smiles
        if len(smiles) > self._params.max_rows:
            raise Refusal(
                422, "too_many_rows", f"smiles holds {len(smiles)}: at most {self._params.max_rows} at a time; "
                "`medpipe predict-properties` takes files of any length.", field="smiles",
            )  # fmt: skip
        check_smiles(smiles)
        table = self._model.predict(pd.DataFrame({"smiles": pd.Series(smiles, dtype="str")}))
        return to_json({"model": self._told, "molecules": records(table)})


def check_smiles(smiles: Sequence[Any]) -> None:
    """Refuses what is no text, and strings that are longer than any molecule.

    Raises:
        Refusal: The place of the first.
    """
    for place, text in enumerate(smiles):
        if not isinstance(text, str):
            raise Refusal(422, "wrong_type", f"smiles[{place}] is no text.", field=f"smiles[{place}]")
        if len(text) > MAX_SMILES_CHARACTERS:
            raise Refusal(
                422, "too_long", f"smiles[{place}] has {len(text)} characters, at most {MAX_SMILES_CHARACTERS}.",
                field=f"smiles[{place}]",
            )  # fmt: skip


SERVICE = PropertiesService

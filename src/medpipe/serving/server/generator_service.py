"""Molecules from the generator."""

from pathlib import Path
from typing import Any

from medpipe.serving.server.refusal import Refusal, to_json
from medpipe.serving.server.services import Service


class GeneratorService(Service):
    """Draws molecules."""

    def check_rows(self, table: Any) -> Any:
        """As `Service.check_rows`; the molecules of all rows together are bounded, too."""
        table = super().check_rows(table)
        wanted = table["n"]
        if wanted.dtype.kind in "iuf" and (total := float(wanted.clip(lower=0).sum())) > self._params.max_molecules:
            raise _too_many(total, self._params.max_molecules)
        return table

    def molecules(self, folder: Path, **asked: Any) -> bytes:
        """Draws.

        Args:
            folder: Not used.
            **asked: n, seed, temperature, top_p.
        """
        import pandas as pd
        from rdkit import rdBase

        from medpipe.molecules.metrics.validity import canonical_smiles

        if asked["n"] > self._params.max_molecules:
            raise _too_many(asked["n"], self._params.max_molecules)
        drawn = self._model.predict(pd.DataFrame([asked]))["smiles"].tolist()
        with rdBase.BlockLogs():
            valid = [canonical_smiles(smiles) is not None for smiles in drawn]
        return to_json({"model": self._told, **asked, "n_valid": sum(valid), "smiles": drawn, "valid": valid})


def _too_many(n: float, most: int) -> Refusal:
    return Refusal(
        422, "too_many_molecules", f"n is {n:.0f}: at most {most} are drawn for a request; `medpipe generate` draws "
        "any number into a file.", field="n",
    )  # fmt: skip


SERVICE = GeneratorService

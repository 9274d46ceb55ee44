"""The folder in which written findings lie."""

from pathlib import Path

import pandas as pd

from medpipe.core.fingerprint import digest_path

TABLE = "findings.csv"


class FindingsFolder:
    """A folder of written findings.

    Args:
        folder: Filled by `medpipe.nodules.findings.export.write.write_findings`.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def table(self) -> pd.DataFrame:
        """The findings of all scans."""
        return pd.read_csv(self.folder / TABLE, dtype={"series_uid": "str", "source_series_uid": "str"})

    def fingerprint(self) -> str:
        """Digest of the files."""
        return digest_path(self.folder)

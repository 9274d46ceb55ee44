"""Findings of scans."""

from pathlib import Path
from typing import Any

from medpipe.core.errors import InputError
from medpipe.serving.server.refusal import Refusal, quoted, to_json
from medpipe.serving.server.services import Service, records

_NOT_TOLD = ["series_uid", "mask_number"]


class NodulesService(Service):
    """Searches scans."""

    def check_rows(self, table: Any) -> Any:
        """As `Service.check_rows`; paths must lie in the folder that the server was given for them."""
        table = super().check_rows(table)
        if "path" in table.columns:
            table = table.assign(path=[str(self._inside(path)) if path else None for path in table["path"]])
        return table

    def findings(self, folder: Path, path: str | None = None) -> bytes:
        """Findings of all scans of an upload, or at a path.

        Args:
            folder: Of the job; the upload lies in its folder ``raw``.
            path: Instead of an upload.

        Raises:
            Refusal: If no scan could be searched; it says why for each.
        """
        raw = folder / "raw" if path is None else self._inside(path)
        model = self._model.get_raw_model()
        try:
            search = model.search(raw, folder / "work")
        except InputError as error:  # the message names the folder, which is ours
            raise Refusal(422, "no_scan", quoted(str(error).replace(f"{raw}: ", ""))) from error
        rejected = records(search.rejected)
        if not search.series_uids:
            first = rejected[0]
            raise Refusal(422, first["code"], first["reason"], rejected=rejected)
        by_scan = dict(list(search.findings.groupby("series_uid")))
        none = search.findings.iloc[:0]
        scans = [
            {"series_uid": uid, "findings": records(by_scan.get(uid, none).drop(columns=_NOT_TOLD))}
            for uid in search.series_uids
        ]
        return to_json({"model": self._told, "scans": scans, "rejected": rejected})

    def _inside(self, path: object) -> Path:
        """The place that a caller names, if it lies in the folder of scans.

        Raises:
            Refusal: If there is no such folder, or it does not.
        """
        if self._params.scans is None:
            raise Refusal(
                422, "no_paths", "path: this server takes no paths; send the scan, or start it with --scans.",
                field="path",
            )  # fmt: skip
        root = self._params.scans.resolve()
        try:
            place = (root / str(path)).resolve()
            there = place.is_relative_to(root) and place.exists()
        except (OSError, ValueError):
            there = False
        if not there:
            raise Refusal(422, "bad_path", "path: nothing lies there in the folder of scans.", field="path")
        return place


SERVICE = NodulesService

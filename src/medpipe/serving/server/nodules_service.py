"""Findings of scans."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medpipe.core.errors import InputError
from medpipe.ct.readers.archive import close_archives
from medpipe.serving.server.refusal import Refusal, quoted, to_json
from medpipe.serving.server.services import Service, records
from medpipe.serving.server.worker import Answer, Job

_NOT_TOLD = ["series_uid", "mask_number"]


class NodulesService(Service):
    """Searches scans."""

    def answer(self, job: Job) -> Answer:
        """As `Service.answer`; nothing of an upload stays open."""
        try:
            return super().answer(job)
        finally:
            close_archives()

    def predict(self, table: Any) -> Any:
        """As `Service.predict`; paths must lie in the server's folder of scans, and come back as they were sent."""
        if "path" not in table.columns:
            return super().predict(table)
        places = {path: str(self._inside(path)) for path in table["path"] if isinstance(path, str)}
        paths = [places[path] if isinstance(path, str) else path for path in table["path"]]
        try:
            found = super().predict(table.assign(path=paths))
        except InputError as error:
            raise InputError(_told(str(error), places)) from error
        return found.assign(path=found["row"].map(table["path"].reset_index(drop=True)))

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
            search = model.search(raw, folder / "work", "scans")
        except InputError as error:
            raise Refusal(422, "no_scan", quoted(error)) from error
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


def _told(message: str, places: Mapping[str, str]) -> str:
    """A message with the paths that the caller gave, in place of those that they lead to."""
    for path, place in places.items():
        message = message.replace(place, path)
    return message


SERVICE = NodulesService

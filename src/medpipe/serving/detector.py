"""The nodule detector as a pyfunc model: a path of scans in, findings out.

It takes the same road as training: intake with its reasons for rejection, preprocessing, search.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from medpipe.core.errors import InputError
from medpipe.ct.params import CTSourceParams, IngestCTParams, PreprocessParams
from medpipe.ct.phantom.params import PhantomParams
from medpipe.training.checkpoint import Checkpoint

CHECKPOINT = "nodule_detector.safetensors"
EXAMPLE = "example"
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("string", "path")]),
    outputs=Schema(
        [
            ColSpec("string", "path"),
            ColSpec("string", "series_uid"),
            *(ColSpec("double", name) for name in ("x_mm", "y_mm", "z_mm", "diameter_mm", "probability")),
            ColSpec("boolean", "alarm"),
        ]
    ),
)
COLUMNS = [column.name for column in SIGNATURE.outputs.inputs]
_EXAMPLE_SCAN = PhantomParams(
    n_patients=1,
    second_scan_fraction=0.0,
    dicom_fraction=0.0,
    healthy_fraction=0.0,
    matrix=(112, 112),
    pixel_spacing_mm=(2.5, 2.5),
    slice_spacing_mm=(3.0, 3.0),
)


def prepare(checkpoint: Path, folder: Path) -> pd.DataFrame:
    """Puts the checkpoint and a small generated scan into the model's data folder.

    Returns:
        Input example: the path of that scan, relative to the model.
    """
    from medpipe.ct.sources import provide

    shutil.copyfile(checkpoint, folder / CHECKPOINT)
    provide(CTSourceParams(phantom=_EXAMPLE_SCAN, n_jobs=1), folder / EXAMPLE)
    return pd.DataFrame({"path": [EXAMPLE]})


def _load_pyfunc(data_path: str) -> "DetectorModel":
    folder = Path(data_path)
    return DetectorModel(Checkpoint.load(folder / CHECKPOINT, "nodule_detector"), folder)


class DetectorModel:
    """Finds nodules in scans on disk."""

    def __init__(self, checkpoint: Checkpoint, folder: Path) -> None:
        self._checkpoint = checkpoint
        self._folder = folder

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Searches every scan below each path.

        Args:
            model_input: Column path: a folder of LUNA16, LIDC or DICOM scans, or one ``.mhd`` file.
            params: Not used.

        Returns:
            One row a candidate: path, series_uid, centre in world LPS mm, diameter_mm, probability, and alarm: whether
            it reaches the operating threshold that was set on validation scans.

        Raises:
            InputError: If there is nothing at a path, or a scan there is rejected; it names the reason.
        """
        parts = [self._search(str(path)) for path in model_input["path"]]
        return pd.concat(parts, ignore_index=True)[COLUMNS]

    def _search(self, path: str) -> pd.DataFrame:
        from medpipe.ct.ingest import ingest
        from medpipe.ct.preprocess import preprocess
        from medpipe.nodules.detection.inference import detect
        from medpipe.nodules.detection.params import DetectParams

        trained = self._checkpoint.params
        raw, wanted = self._locate(path)
        with TemporaryDirectory() as folder:
            intake = ingest(raw, IngestCTParams(n_jobs=1, pseudonyms="never"), Path(folder, "masks"))
            scans = intake.scans
            if wanted is not None:
                here = intake.locations["path"] == wanted
                scans = scans[scans["series_uid"].isin(intake.locations.loc[here, "series_uid"])]
            _refuse_rejected(path, scans, "rejection_reason", ~scans["accepted"])
            params = PreprocessParams(spacing_mm=trained["spacing_mm"], hu_window=trained["hu_window"], n_jobs=1)
            store = preprocess(raw, scans, intake.locations, None, params, Path(folder, "store"))
            _refuse_rejected(path, store.rejections, "reason")
            found = detect(store, store.series_uids, self._checkpoint, DetectParams(**trained["detection"]))
        return found.assign(path=path, alarm=found["probability"] >= trained["operating_threshold"])

    def _locate(self, path: str) -> tuple[Path, str | None]:
        """Folder to look in, and the one file wanted there, if any; the example lies beside the checkpoint."""
        place = next((place for place in (Path(path), self._folder / path) if place.exists()), None)
        if place is None:
            raise InputError(f"path: {path} does not exist; expected a folder of scans or a .mhd file.")
        return (place, None) if place.is_dir() else (place.parent, place.name)


def _refuse_rejected(path: str, scans: pd.DataFrame, column: str, which: "pd.Series[bool] | None" = None) -> None:
    rejected = scans if which is None else scans[which]
    if len(rejected):
        raise InputError(f"path: {path}: {len(rejected)} scan(s) rejected: {rejected[column].iloc[0]}")
    if which is not None and not len(scans):
        raise InputError(f"path: {path} holds no CT scan that can be read.")

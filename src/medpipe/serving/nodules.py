"""Finding nodules as a pyfunc model: a path of scans, or a scan itself, in; findings out.

It takes the same road as ``imaging_inference``: intake with its reasons for rejection, preparation as the detector was
trained, detection, outlines, classes.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import Array

from medpipe.core.errors import InputError
from medpipe.ct.params import CTSourceParams, IngestCTParams, PreprocessParams
from medpipe.ct.phantom.params import PhantomParams
from medpipe.nodules.findings.models import ModelFolder, Models
from medpipe.nodules.findings.params import FindParams
from medpipe.serving.scan_input import GEOMETRY_COLUMNS, SCAN, write_scan_file

EXAMPLE = "example"
_NETWORKS = "networks"
_FINDING_COLUMNS = {
    "finding_id": "string",
    "series_uid": "string",
    "x_mm": "double",
    "y_mm": "double",
    "z_mm": "double",
    "diameter_mm": "double",
    "probability": "double",
    "alarm": "boolean",
    "volume_mm3": "double",
    "mask_diameter_mm": "double",
    "long_axis_mm": "double",
    "class_probability": "double",
}
SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec("string", "path", required=False),
            ColSpec("binary", SCAN, required=False),
            *(ColSpec(Array("double"), name, required=False) for name in GEOMETRY_COLUMNS),
        ]
    ),
    outputs=Schema(
        [
            ColSpec("long", "row"),
            ColSpec("string", "path", required=False),
            *(ColSpec(kind, name) for name, kind in _FINDING_COLUMNS.items()),
        ]
    ),
)
COLUMNS = ["row", "path", *_FINDING_COLUMNS]
_EXAMPLE_SCAN = PhantomParams(
    n_patients=1,
    second_scan_fraction=0.0,
    dicom_fraction=0.0,
    healthy_fraction=0.0,
    matrix=(112, 112),
    pixel_spacing_mm=(2.5, 2.5),
    slice_spacing_mm=(3.0, 3.0),
)


def prepare(networks: Path, folder: Path) -> pd.DataFrame:
    """Puts the networks and a small generated scan into the model's data folder.

    Args:
        networks: Folder of a `medpipe.nodules.findings.models.ModelFolder`.
        folder: The model's data folder.

    Returns:
        Input example: the path of that scan, relative to the model.
    """
    from medpipe.ct.sources import provide

    shutil.copytree(networks, folder / _NETWORKS, ignore=shutil.ignore_patterns(".*"))
    provide(CTSourceParams(phantom=_EXAMPLE_SCAN, n_jobs=1), folder / EXAMPLE)
    return pd.DataFrame({"path": [EXAMPLE]})


def _load_pyfunc(data_path: str) -> "NoduleModel":
    folder = Path(data_path)
    networks = ModelFolder(folder / _NETWORKS)
    return NoduleModel(networks.load(), networks.use(), folder)


@dataclass(frozen=True)
class Search:
    """What came of a folder of scans.

    Attributes:
        findings: Columns of `medpipe.nodules.findings.instances.INSTANCE_DTYPES`.
        series_uids: The scans that were searched.
        rejected: The others: columns series_uid, code and reason.
    """

    findings: pd.DataFrame
    series_uids: list[str]
    rejected: pd.DataFrame


class NoduleModel:
    """Finds, outlines and classifies nodules, as far as networks for it were trained.

    Args:
        models: The networks.
        use: How they are used.
        folder: Of the model; relative paths of scans may lie in it.
    """

    def __init__(self, models: Models, use: FindParams, folder: Path) -> None:
        self._models = models
        self._use = use
        self._folder = folder

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Searches every scan.

        Args:
            model_input: In each row either ``path``, a folder of DICOM, LUNA16, LIDC, NIfTI or NRRD scans or one file,
                or ``scan`` with its geometry, as `medpipe.serving.as_input` makes them of an array.
            params: Not used.

        Returns:
            One row a finding, by row of the input: ``row``, ``path``, and of
            `medpipe.nodules.findings.instances.INSTANCE_DTYPES` all but mask_number; sizes and class are missing where
            there is no network for them.

        Raises:
            InputError: If a row has neither or both, there is nothing at a path, or a scan is rejected; it names the
                reason.
        """
        parts = [self._row(number, row) for number, row in enumerate(model_input.to_dict(orient="records"))]
        return pd.concat(parts, ignore_index=True)[COLUMNS]

    def _row(self, number: int, row: dict[Any, Any]) -> pd.DataFrame:
        path, scan = (row.get(name) for name in ("path", SCAN))
        if isinstance(path, str) == isinstance(scan, bytes):
            raise InputError(f"row {number}: give either path (text) or {SCAN} (bytes), see medpipe.serving.as_input")
        name = f"path: {path}" if isinstance(path, str) else SCAN
        with TemporaryDirectory() as folder:
            raw = Path(folder, "raw")
            if isinstance(scan, bytes):
                write_scan_file(raw, scan, {name: row.get(name) for name in GEOMETRY_COLUMNS}, f"row {number}")
            else:
                raw = self._place(str(path))
            search = self.search(raw, Path(folder, "work"), name)
        if len(search.rejected):
            first = search.rejected["reason"].iloc[0]
            raise InputError(f"{name}: {len(search.rejected)} scan(s) rejected: {first}")
        return search.findings.assign(row=number, path=path if isinstance(path, str) else None)

    def search(self, raw: Path, work: Path, name: str) -> Search:
        """Searches all scans at a place that pass intake and preparation.

        Args:
            raw: A folder, archives in it are looked into; or an image, an archive or a DICOM file.
            work: For temporary files.
            name: Of the place, for messages.

        Raises:
            InputError: If there is no scan at all.
        """
        from medpipe.ct.preprocess import preprocess
        from medpipe.nodules.findings.instances import INSTANCE_DTYPES, find_instances
        from medpipe.nodules.findings.intake import as_trained, ingest_unlabelled

        if not raw.is_dir():
            raw = _alone(raw, work / "raw")
        try:
            scans, locations = ingest_unlabelled(raw, IngestCTParams(n_jobs=1, pseudonyms="never"), None)
        except InputError as error:  # it names the folder, which the caller does not know
            raise InputError(str(error).replace(str(raw), name)) from error
        refused = scans.loc[~scans["accepted"], ["series_uid", "rejection_code", "rejection_reason"]]
        refused = refused.set_axis(["series_uid", "code", "reason"], axis=1)
        nothing = pd.DataFrame(columns=list(INSTANCE_DTYPES)).astype(INSTANCE_DTYPES)
        if not scans["accepted"].any():
            return Search(nothing, [], refused)
        params = as_trained(PreprocessParams(n_jobs=1), self._models.detector)
        store = preprocess(raw, scans, locations, None, params, work / "store")
        refused = pd.concat([refused, store.rejections[["series_uid", "code", "reason"]]], ignore_index=True)
        uids = list(store.series_uids)
        found = find_instances(store, uids, self._models, self._use, work / "masks")[0] if uids else nothing
        return Search(found, uids, refused)

    def get_raw_model(self) -> "NoduleModel":
        """This model, for those who have it as MLflow's ``PyFuncModel``."""
        return self

    def _place(self, path: str) -> Path:
        """Where a path leads; the example lies beside the model."""
        place = next((place for place in (Path(path), self._folder / path) if place.exists()), None)
        if place is None:
            raise InputError(f"path: {path} does not exist; expected a folder of scans or the file of one.")
        return place


def _alone(file: Path, folder: Path) -> Path:
    """A folder in which a file, with those that belong to it, is by itself."""
    from medpipe.ct.readers import itk

    is_image = itk.split_name(file)[1] in itk.IMAGE_SUFFIXES
    folder.mkdir(parents=True)
    for part in itk.content(file) if is_image else [file]:
        (folder / part.name).symlink_to(part.absolute())
    return folder

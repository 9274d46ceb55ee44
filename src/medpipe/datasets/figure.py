"""kedro-datasets' Matplotlib dataset, written atomically."""

from kedro_datasets.matplotlib import MatplotlibDataset

from medpipe.datasets.files import Atomic


class FigureDataset(Atomic, MatplotlibDataset):
    """A Matplotlib figure as a picture."""

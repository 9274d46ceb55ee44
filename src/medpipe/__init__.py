"""medpipe: CT lesion detection by CNNs and new molecules by a GAN, as two Kedro pipelines."""

__version__ = "0.1.0"

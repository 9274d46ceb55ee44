"""Generated chest CT scans with known findings, written as the files that real ones come in."""

from medpipe.ct.phantom.cohort import write_cohort
from medpipe.ct.phantom.params import PhantomParams

__all__ = ["PhantomParams", "write_cohort"]

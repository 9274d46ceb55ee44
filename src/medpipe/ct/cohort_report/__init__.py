"""What the scans of a cohort are like, split by split, and whether val and test drifted away from train."""

from medpipe.ct.cohort_report.report import CohortReport, describe

__all__ = ["CohortReport", "describe"]

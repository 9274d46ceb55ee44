"""Findings as files that other programs read: CSV, NIfTI, DICOM segmentation and DICOM structured report."""

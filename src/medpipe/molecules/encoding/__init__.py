"""Molecules as what networks read: tokens, on disk and in batches."""

"""Finds nodules in whole scans: network, training, search."""

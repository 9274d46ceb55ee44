"""Outlines what was found, or an organ, voxel by voxel."""

"""Generated chest CT scans with known findings, written as the files that real ones come in."""

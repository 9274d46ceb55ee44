"""What everything stands on: parameters, atomic files, fingerprints, progress."""

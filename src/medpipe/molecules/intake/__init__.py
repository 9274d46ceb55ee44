"""Raw files to clean molecules with a split, and the reason for every refusal."""

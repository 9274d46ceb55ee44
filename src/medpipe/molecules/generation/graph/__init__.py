"""The graph family: small molecules as atoms and bonds, made all at once."""

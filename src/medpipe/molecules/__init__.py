"""SMILES cleaning, tokens, networks, adversarial training, sampling, MOSES metrics."""

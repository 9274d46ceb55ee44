"""Generators of molecules: networks, adversarial training, sampling."""

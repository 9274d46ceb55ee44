"""Trained models in the registry of MLflow: their versions, cards and aliases."""

"""Trained networks as MLflow pyfunc models: one module a model, found by MLflow through its name; nothing is pickled.

Each module has ``SIGNATURE``, ``prepare(checkpoint, folder)``, which fills the model's data folder and returns an input
example, and ``_load_pyfunc(data_path)``, which MLflow calls to load the model.
"""

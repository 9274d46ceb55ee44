"""Trained networks as MLflow pyfunc models: one module a model, found by MLflow through its name; nothing is pickled.

Each module has ``SIGNATURE``, ``prepare(path, folder)``, which fills the model's data folder from the catalog entry's
file or folder and returns an input example, and ``_load_pyfunc(data_path)``, which MLflow calls to load the model. One
whose model has ``predict_stream`` says ``STREAMABLE = True``.
"""

from medpipe.serving.scan_input import as_input

__all__ = ["as_input"]

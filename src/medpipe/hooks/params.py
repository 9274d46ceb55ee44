"""What each catalog entry sends to MLflow."""

from typing import Literal

from medpipe.core.params import Params
from medpipe.registry.params import CardParams


class MLflowEntry(Params):
    """What a catalog entry sends to MLflow when it is saved: its ``metadata: mlflow:``.

    Attributes:
        log: ``metrics`` (flat dictionary), ``history`` (table of step, name, value), ``artifact`` (the file or folder
            as it is) or ``model`` (a servable pyfunc model).
        folder: Artifact folder for ``artifact``; prefix of the metric names for ``metrics`` and ``history``.
        loader: For ``model``: module with ``_load_pyfunc`` and ``prepare``, such as ``medpipe.serving.nodules``.
        card: For ``model``: what its card is made of.
    """

    log: Literal["metrics", "history", "artifact", "model"]
    folder: str = ""
    loader: str = ""
    card: CardParams = CardParams()

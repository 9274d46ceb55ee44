"""What made the findings, as files that leave the project name it."""

from dataclasses import dataclass, field
from typing import Any

import medpipe
from medpipe.nodules.findings.models import Models
from medpipe.training.checkpoint import Checkpoint

NAME = "medpipe"


@dataclass(frozen=True)
class PositiveClass:
    """What the classifier tells of a finding.

    Attributes:
        name: Of the positive class, such as ``malignancy >= 4``.
        column: Of the table of findings that it was learnt from.
        threshold: Probability from which on a finding is taken for one of the class; set on validation findings.
    """

    name: str
    column: str
    threshold: float


@dataclass(frozen=True)
class Algorithm:
    """The networks behind the findings.

    Attributes:
        networks: Kind of each network and the digest of its weights.
        positive_class: Of the classifier; None without one.
        name: Of the program.
        version: Of the program.
    """

    networks: dict[str, str] = field(default_factory=dict)
    positive_class: PositiveClass | None = None
    name: str = NAME
    version: str = medpipe.__version__


def algorithm_of(models: Models) -> Algorithm:
    """What a set of networks is called in files."""
    networks = {checkpoint.kind: checkpoint.fingerprint() for checkpoint in models.present.values()}
    return Algorithm(networks, None if models.classifier is None else _positive_class(models.classifier))


def _positive_class(classifier: Checkpoint) -> PositiveClass:
    target: dict[str, Any] = classifier.params["target"]
    words = target.get("positive")
    rule = ", ".join(words) if words else f">= {target['positive_min']:g}"
    column = str(target["column"])
    return PositiveClass(f"{column} {rule}", column, float(classifier.params["operating_threshold"]))

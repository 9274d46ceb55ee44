"""The search for better molecules, whatever its method."""

import logging
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest, digest_path
from medpipe.molecules.generation.sampler import KIND
from medpipe.molecules.optimisation.evolution import Mutation, evolve
from medpipe.molecules.optimisation.journal import Journal
from medpipe.molecules.optimisation.params import OptimiseParams
from medpipe.molecules.optimisation.results import rank, summarise
from medpipe.molecules.optimisation.scoring import Scorer
from medpipe.training.checkpoint import Checkpoint

_logger = logging.getLogger(__name__)


class Optimised(NamedTuple):
    """What a search gives.

    Attributes:
        table: The best molecules; see `medpipe.molecules.optimisation.results.rank`.
        metrics: How good they are, what was drawn and what was refused.
        history: Columns step, name, value.
        tuned: The fine-tuned generator of method ``policy``; absent with the others.
    """

    table: pd.DataFrame
    metrics: dict[str, float]
    history: pd.DataFrame
    tuned: Checkpoint


def optimise(
    checkpoint: Checkpoint,
    starts: pd.DataFrame,
    params: OptimiseParams,
    work_dir: Path,
    models: Path | None = None,
) -> Optimised:
    """Looks for molecules with a better score.

    Args:
        checkpoint: A trained generator.
        starts: Column smiles; no row begins from scratch.
        params: The score and the method.
        work_dir: Where an unfinished search is kept: a killed one goes on.
        models: Property models that the score asks for.

    Raises:
        InputError: The generator is of a family that the method cannot use, or the method cannot begin with molecules.
    """
    given = starts["smiles"].tolist()
    check_method(checkpoint, params, from_scratch=not given)
    scorer = Scorer(params.scoring, models)
    key = digest(
        "optimise", params, given, checkpoint.fingerprint(), "" if models is None else digest_path(models, None)
    )
    if params.method == "policy":
        from medpipe.molecules.optimisation.tune import tune

        found, history, tuned = tune(checkpoint, scorer, params, work_dir / "policy", key)
    else:
        journal = Journal(work_dir, key)
        mutation = _mutation(checkpoint, params)
        found, history = evolve(given, mutation, scorer, params.evolution, params.diversity, params.seed, journal)
        journal.close()
        tuned = Checkpoint.absent(KIND, f"method {params.method} tunes no generator")
    table = rank(found, params.keep)
    metrics = summarise(found, table, history, params)
    _report(metrics, from_scratch=not given)
    return Optimised(table, metrics, history, tuned)


def check_method(checkpoint: Checkpoint, params: OptimiseParams, *, from_scratch: bool) -> None:
    """Refuses at once what cannot be done with a generator.

    Raises:
        InputError: The checkpoint is no generator or of a family that the method cannot use, or the method cannot begin
            with given molecules.
    """
    if checkpoint.kind != KIND:
        raise InputError(f"checkpoint: its kind is {checkpoint.kind!r}, expected {KIND!r}; give what train_gan made.")
    family, needed = checkpoint.params.get("family"), "latent" if params.method == "latent" else "sequence"
    if family != needed:
        raise InputError(
            f"optimise.method: {params.method} needs a generator of the family {needed}, this one is of {family!r}; "
            f"train one with train_gan.family={needed}, or choose another method."
        )
    if params.method == "policy" and not from_scratch:
        raise InputError(
            "optimise.method: policy begins from scratch, not with given molecules; set optimise_start.kind=scratch, "
            "or take the method completion."
        )


def _mutation(checkpoint: Checkpoint, params: OptimiseParams) -> Mutation:
    from medpipe.training.device import torch_device

    device = torch_device(params.device)
    if params.method == "latent":
        from medpipe.molecules.optimisation.walk import LatentWalk

        return LatentWalk(checkpoint, params.walk, device)
    from medpipe.molecules.optimisation.completion import Completion

    return Completion(checkpoint, params.completion, device)


def _report(metrics: dict[str, float], from_scratch: bool) -> None:
    if from_scratch:
        _logger.info("Best molecules: mean score %.3f", metrics["mean_score"])
    else:
        _logger.info(
            "Starts: %d, improved %.1f %%, mean score %.3f -> %.3f",
            metrics["n_starts"], 100 * metrics["improved"], metrics["start_score"], metrics["mean_score"],
        )  # fmt: skip
    _logger.info(
        "Of %d molecules drawn %d were measured, %d of them refused",
        metrics["drawn"], metrics["scored"], metrics["gated"],
    )  # fmt: skip

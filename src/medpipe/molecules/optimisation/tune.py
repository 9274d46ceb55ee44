"""Fine-tuning of a sequence generator on a score, from checkpoint to checkpoint."""

import warnings
from pathlib import Path

import pandas as pd

from medpipe.molecules.generation.sequence.networks import rebuild_generator
from medpipe.molecules.generation.sequence.sampler import SequenceSampler
from medpipe.molecules.optimisation.params import OptimiseParams
from medpipe.molecules.optimisation.policy import PolicyTuning, Steps
from medpipe.molecules.optimisation.scoring import Scorer
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.fit import fit


def tune(
    checkpoint: Checkpoint, scorer: Scorer, params: OptimiseParams, work_dir: Path, key: str
) -> tuple[pd.DataFrame, pd.DataFrame, Checkpoint]:
    """Fine-tunes the generator; a killed run goes on where it was.

    Args:
        checkpoint: A generator of the sequence family.
        scorer: What is good.
        params: How it is tuned.
        work_dir: Where the unfinished training is kept.
        key: Digest of all that it depends on.

    Returns:
        All distinct molecules that were measured, as `evolve` gives them; the history; the tuned generator.
    """
    (agent, vocabulary), (prior, _) = rebuild_generator(checkpoint), rebuild_generator(checkpoint)
    longest = SequenceSampler(checkpoint).max_tokens
    tuning = PolicyTuning(agent, prior, vocabulary, longest, scorer, params.policy, params.diversity)
    with warnings.catch_warnings():
        # Dropout is off on purpose: likelihoods must be those of the draw.
        warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
        history = fit(
            tuning,
            Steps(tuning),
            params=params.policy.trainer,
            work_dir=work_dir,
            run_key=key,
            description="Fine-tuning the generator",
        )
    provenance = checkpoint.provenance | {
        "tuned": params.model_dump(mode="json"),
        "tuned_from": checkpoint.fingerprint(),
    }
    weights = {name: weight.detach().cpu() for name, weight in tuning.agent.state_dict().items()}
    return tuning.table(), history, Checkpoint(checkpoint.kind, weights, checkpoint.params, provenance)

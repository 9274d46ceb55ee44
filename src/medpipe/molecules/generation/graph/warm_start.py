"""The generator of graphs by likelihood: its warm start, and its control."""

import copy

from torch import Tensor

from medpipe.molecules.generation.direct.likelihood import LikelihoodTraining
from medpipe.molecules.generation.direct.module import Measure
from medpipe.molecules.generation.graph.networks import GraphAutoencoder
from medpipe.molecules.generation.params import GanParams


def branch_step(params: GanParams) -> int:
    """Step of the control at which the generator goes its own way, before the last one."""
    steps = params.trainer.max_steps
    return min(round(steps * params.graph.warm_start_share), steps - 1)


class GraphWarmStart(LikelihoodTraining):
    """Trains the generator as the decoder of a variational autoencoder, on graphs (B, F) in the order of their SMILES.

    That order is the same for all, so no graph needs to be matched to another (as in GraphVAE: Simonovsky and
    Komodakis, 2018). After ``warm_start_share`` of the steps a copy is kept: there the adversarial stage branches off,
    while this goes on and becomes the control.

    Args:
        autoencoder: The generator with its encoder, trained in place.
        params: Everything that can be chosen.
        measure: What is measured now and then; name to value.
    """

    def __init__(self, autoencoder: GraphAutoencoder, params: GanParams, measure: Measure) -> None:
        super().__init__(autoencoder, params, params.graph.kl_weight, measure)
        self.branch = copy.deepcopy(autoencoder).requires_grad_(False)
        self._branch_step = branch_step(params)

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        """One step on one batch."""
        if self.global_step == self._branch_step:
            self.branch.load_state_dict(self.autoencoder.state_dict())
        super().training_step(batch, batch_idx)

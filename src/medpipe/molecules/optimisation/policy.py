"""Fine-tuning of a sequence generator on a score, held by what it was before.

The augmented likelihood of REINVENT (Olivecrona et al., J. Cheminf. 9, 48, 2017): each molecule x should become as
likely as log P_prior(x) + sigma score(x) says. What the score does not ask for stays as the prior has it, so the agent
goes on saying molecules instead of whatever fools the score.
"""

from typing import Any

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medpipe.molecules.encoding.tokens import PAD, Vocabulary
from medpipe.molecules.generation.sequence.gan import log_probabilities
from medpipe.molecules.generation.sequence.networks import Generator
from medpipe.molecules.generation.sequence.rollout import draw
from medpipe.molecules.optimisation.diversity import ScaffoldMemory
from medpipe.molecules.optimisation.evolution import FROM_SCRATCH, FULL_SCAFFOLD
from medpipe.molecules.optimisation.measures import internal_diversity
from medpipe.molecules.optimisation.params import DiversityParams, PolicyParams
from medpipe.molecules.optimisation.scoring import INVALID, Scorer


class PolicyTuning(pl.LightningModule):
    """Each step draws a batch from the agent, scores it, and moves the agent's likelihoods towards the augmented ones.

    The best molecules are remembered and taken again (experience replay). All that was found lies in the state, so a
    killed run goes on with it.

    Args:
        agent: What is tuned.
        prior: The same generator, which stays as it is.
        vocabulary: The tokens.
        max_tokens: A molecule that has not ended by then is cut.
        scorer: What is good.
        params: How it is tuned.
        diversity: When a scaffold has been looked at enough.
    """

    def __init__(
        self,
        agent: Generator,
        prior: Generator,
        vocabulary: Vocabulary,
        max_tokens: int,
        scorer: Scorer,
        params: PolicyParams,
        diversity: DiversityParams,
    ) -> None:
        super().__init__()
        self.agent, self.prior = _without_dropout(agent), _without_dropout(prior).requires_grad_(False)
        self._vocabulary, self._max_tokens, self._scorer, self._hyper = vocabulary, max_tokens, scorer, params
        self._memory = ScaffoldMemory(diversity)
        self._found: dict[str, dict[str, Any]] = {}
        self._replay: list[tuple[float, list[int]]] = []
        self._counts: dict[str, float] = {}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam on the agent alone."""
        return torch.optim.Adam(self.agent.parameters(), lr=self._hyper.learning_rate)

    def training_step(self, step: int, batch_idx: int) -> Tensor:
        """One batch; see the class."""
        random = torch.Generator(self.device).manual_seed((self._hyper.trainer.seed << 32) + step)
        noise = torch.randn((self._hyper.batch_size, self.agent.noise_size), generator=random, device=self.device)
        tokens = draw(self.agent, noise, max_tokens=self._max_tokens, random=random)
        worth = self._judge(tokens, step)
        remembered = self._recall(np.random.default_rng([self._hyper.trainer.seed, step]))
        self._remember(tokens, worth)
        said = _stack([*tokens, *[one for _, one in remembered]])
        goal = self._hyper.sigma * torch.tensor([*worth, *[score for score, _ in remembered]], device=self.device)
        noise = torch.cat([noise, torch.randn((len(remembered), noise.shape[1]), generator=random, device=self.device)])
        likelihood = _log_likelihood(self.agent, said, noise)
        with torch.no_grad():
            augmented = _log_likelihood(self.prior, said, noise) + goal
        return ((augmented - likelihood) ** 2).mean()

    def table(self) -> pd.DataFrame:
        """All distinct molecules that were measured; columns as `evolve` gives them."""
        return pd.DataFrame(list(self._found.values()))

    def get_extra_state(self) -> dict[str, Any]:
        """What was found, for the checkpoint."""
        replay = [(score, tokens) for score, tokens in self._replay]
        return {
            "found": list(self._found.values()),
            "replay": replay,
            "scaffolds": dict(self._memory.counts),
            "counts": dict(self._counts),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Inverse of ``get_extra_state``."""
        self._found = {row["smiles"]: row for row in state["found"]}
        self._replay = [(float(score), list(tokens)) for score, tokens in state["replay"]]
        self._memory.counts.update(state["scaffolds"])
        self._counts = dict(state["counts"])

    def _judge(self, tokens: Tensor, step: int) -> list[float]:
        """What each molecule is worth; one seen before, or of a full scaffold, nothing."""
        scores = self._scorer.score([self._vocabulary.decode(row) for row in tokens.tolist()])
        rows = scores.table().assign(start=FROM_SCRATCH, parent="", step=step, similarity=np.nan)
        new = (rows["refused"] != INVALID) & ~rows["smiles"].isin(self._found) & ~rows["smiles"].duplicated()
        fresh = rows[new]
        admitted = self._memory.admit(zip(fresh["smiles"], fresh["score"], strict=True))
        full = fresh.index[~np.array(admitted, bool)]
        rows.loc[full, "refused"] = FULL_SCAFFOLD
        rows.loc[full, "score"] = 0.0
        self._found |= {row["smiles"]: row for row in rows[new].to_dict(orient="records")}
        worth = rows["score"].where(new, 0.0)
        self._note(rows, new, step)
        return [float(one) for one in worth]

    def _recall(self, rng: np.random.Generator) -> list[tuple[float, Tensor]]:
        n = min(self._hyper.replay_batch, len(self._replay))
        chosen = rng.permutation(len(self._replay))[:n]
        return [(self._replay[i][0], torch.tensor(self._replay[i][1], device=self.device)) for i in chosen]

    def _remember(self, tokens: Tensor, worth: list[float]) -> None:
        good = [(score, row) for score, row in zip(worth, tokens.tolist(), strict=True) if score > 0]
        self._replay = sorted(self._replay + good, key=lambda one: -one[0])[: self._hyper.replay_size]

    def _note(self, rows: pd.DataFrame, new: pd.Series, step: int) -> None:
        """Counts go into the history with the next point; they add up over all steps."""
        refused = rows["refused"]
        counts = {
            "drawn": len(rows),
            "invalid": (refused == INVALID).sum(),
            "scored": (refused != INVALID).sum(),
            "gated": (~refused.isin(["", INVALID, FULL_SCAFFOLD])).sum(),
            "new": new.sum(),
            "full_scaffold": (refused == FULL_SCAFFOLD).sum(),
        }
        for name, count in counts.items():
            self._counts[name] = self._counts.get(name, 0.0) + float(count)
        last = step + 1 == self._hyper.trainer.max_steps
        if self.logger is None or not (last or (step + 1) % self._hyper.trainer.log_every_n_steps == 0):
            return
        valid = rows[refused != INVALID]
        best = sorted((row["score"] for row in self._found.values()), reverse=True)[: self._hyper.replay_size]
        state = {
            "best_score": float(np.mean(best)) if best else 0.0,
            "mean_score": float(valid["score"].mean()) if len(valid) else 0.0,
            "internal_diversity": internal_diversity(valid["smiles"].drop_duplicates().tolist()),
        }
        self.logger.log_metrics(state | self._counts, step + 1)
        self._counts = {}


class Steps(torch.utils.data.IterableDataset[int]):
    """Numbers of the steps from where a run begins or goes on.

    Args:
        module: Counts its steps.
    """

    def __init__(self, module: pl.LightningModule) -> None:
        self._module = module

    def __iter__(self) -> Any:
        """Endless."""
        step = self._module.global_step
        while True:
            yield step
            step += 1


def _without_dropout(generator: Generator) -> Generator:
    """In training mode, which cuDNN's recurrent networks need for gradients, but with the likelihoods of a draw."""
    for module in generator.modules():
        module.training = not isinstance(module, torch.nn.Dropout)
    return generator


def _log_likelihood(generator: Generator, tokens: Tensor, noise: Tensor) -> Tensor:
    """Log G (B,) of whole molecules, in nats."""
    return log_probabilities(generator, tokens, noise).sum(1)


def _stack(sequences: list[Tensor]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=PAD)

"""Typed parameters of optimisation: what is good, how far it may go, and how it is looked for."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from medpipe.core.params import Params
from medpipe.molecules.optimisation.transforms import AsIs, Transform
from medpipe.training.params import TrainerParams

Descriptor = Literal[
    "qed",
    "sa",
    "log_p",
    "penalised_log_p",
    "weight",
    "tpsa",
    "h_bond_donors",
    "h_bond_acceptors",
    "rotatable_bonds",
    "rings",
    "aromatic_rings",
    "heavy_atoms",
    "moses_filters",
]
SHARES = ("qed", "moses_filters", "similarity")
"""Kinds whose values lie between 0 and 1 as they are."""


class _Component(Params):
    """One aim.

    Attributes:
        weight: Its weight in the mean.
        transform: From its value to a score between 0 and 1.
        filter: It multiplies the mean by its score instead of being part of it: what scores 0 here is worth nothing.
    """

    weight: PositiveFloat = 1.0
    transform: Transform = AsIs()
    filter: bool = False


class DescriptorParams(_Component):
    """Something RDKit computes from the structure.

    Attributes:
        kind: ``qed`` drug-likeness; ``sa`` synthetic accessibility, 1 easy to 10 hard; ``log_p`` Crippen's;
            ``penalised_log_p`` as in Jin et al., ICML 2018; ``weight`` in g/mol; ``tpsa`` polar surface in square
            angstrom; counts of donors, acceptors, rotatable bonds, rings, aromatic rings, heavy atoms;
            ``moses_filters`` 1 where MOSES's filters let it pass.
    """

    kind: Descriptor

    @model_validator(mode="after")
    def _score_is_a_share(self) -> "DescriptorParams":
        if self.kind not in SHARES and isinstance(self.transform, AsIs):
            raise ValueError(
                f"{self.kind} is no number between 0 and 1 as it is; give a transform, such as "
                "{type: sigmoid, low: ..., high: ...}"
            )
        return self


class SimilarityParams(_Component):
    """Likeness to given molecules.

    Attributes:
        kind: ``similarity``: highest Tanimoto similarity to any of them (Morgan, radius 2, 2048 bits).
        smiles: The molecules.
    """

    kind: Literal["similarity"]
    smiles: tuple[str, ...] = Field(min_length=1)

    @field_validator("smiles")
    @classmethod
    def _all_are_molecules(cls, smiles: tuple[str, ...]) -> tuple[str, ...]:
        from rdkit import Chem

        if bad := [text for text in smiles if not text or Chem.MolFromSmiles(text) is None]:
            raise ValueError(f"not a molecule: {bad[0]!r}")
        return smiles


class PatternParams(_Component):
    """Substructures that must not, or must, be there.

    Attributes:
        kind: ``alerts``: a molecule with one of them scores 0; ``required``: it must have all of them.
        smarts: The substructures.
        filter: As for all aims, but on unless said otherwise.
    """

    kind: Literal["alerts", "required"]
    smarts: tuple[str, ...] = Field(min_length=1)
    filter: bool = True

    @field_validator("smarts")
    @classmethod
    def _all_are_patterns(cls, smarts: tuple[str, ...]) -> tuple[str, ...]:
        from rdkit import Chem

        if bad := [text for text in smarts if not text or Chem.MolFromSmarts(text) is None]:
            raise ValueError(f"not a SMARTS pattern: {bad[0]!r}")
        return smarts


class PropertyParams(_Component):
    """What a trained property model predicts.

    Attributes:
        kind: ``property``.
        model: File of the model's checkpoint, in the folder of models.
        task: Which of its properties.
        max_uncertainty: A molecule of which the model is less certain is worth nothing; in the property's unit. None
            asks for no certainty.
        in_domain: A molecule outside the model's applicability domain is worth nothing.
    """

    kind: Literal["property"]
    model: str
    task: str
    max_uncertainty: PositiveFloat | None = None
    in_domain: bool = True


Component = Annotated[DescriptorParams | SimilarityParams | PatternParams | PropertyParams, Field(discriminator="kind")]


class ScoringParams(Params):
    """What makes a molecule good.

    Attributes:
        aggregate: How the scores of the aims become one: their weighted ``geometric_mean``, where no aim can be given
            up, or ``arithmetic_mean``.
        components: The aims by name.
        n_jobs: Processes that score; -1 is one a core.
    """

    aggregate: Literal["geometric_mean", "arithmetic_mean"] = "geometric_mean"
    components: dict[str, Component] = Field(default={"qed": DescriptorParams(kind="qed")}, min_length=1)
    n_jobs: int = -1


class DiversityParams(Params):
    """When a scaffold has been looked at enough (REINVENT's filter of identical Murcko scaffolds).

    Attributes:
        bucket_size: Good molecules of one scaffold; more of them are worth nothing. 0 sets no limit.
        min_score: From which score a molecule counts as good.
    """

    bucket_size: NonNegativeInt = 25
    min_score: float = Field(0.4, ge=0, le=1)


class PolicyParams(Params):
    """Fine-tuning of a sequence generator on the score (Olivecrona et al., J. Cheminf. 9, 48, 2017).

    Attributes:
        sigma: How many nats of likelihood a score of 1 is worth against the prior's.
        batch_size: Molecules drawn a step.
        learning_rate: Of Adam.
        replay_size: Best molecules remembered.
        replay_batch: Of these, taken again at each step.
        trainer: Steps, device, seed.
    """

    sigma: PositiveFloat = 100.0
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 1e-3
    replay_size: PositiveInt = 100
    replay_batch: NonNegativeInt = 16
    trainer: TrainerParams = TrainerParams(max_steps=150, log_every_n_steps=5, checkpoint_every_n_steps=25)


class CompletionParams(Params):
    """Children by the sequence generator: a molecule is written from some atom, its end is cut off and written anew.

    Attributes:
        keep_low: Least share of the tokens that stays.
        random_writings: Share of the parents written with their branches in random order; the others keep the canonical
            order, which the generator knows best.
        temperature: Divides the logits.
    """

    keep_low: float = Field(0.5, ge=0, lt=1)
    random_writings: float = Field(0.5, ge=0, le=1)
    temperature: PositiveFloat = 0.8


class WalkParams(Params):
    """Children by the latent family: a molecule is encoded, moved, decoded.

    Attributes:
        step_low: Shortest step, in standard deviations of the latents of training.
        step_high: Longest step; lengths are spread evenly in their logarithm.
    """

    step_low: PositiveFloat = 0.1
    step_high: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _range_is_a_range(self) -> "WalkParams":
        if self.step_low > self.step_high:
            raise ValueError(f"step_low {self.step_low:g} must not be above step_high {self.step_high:g}")
        return self


class EvolutionParams(Params):
    """Generations of children of the best so far.

    Attributes:
        generations: How many.
        children: Children a start and generation; all of them together from scratch.
        parents: Best molecules of a start that have children.
        min_similarity: Least Tanimoto similarity to the start (Morgan, radius 2, 2048 bits); from scratch there is
            none.
        stop_at: Score at which a start is done; None goes on to the end.
    """

    generations: PositiveInt = 20
    children: PositiveInt = 20
    parents: PositiveInt = 10
    min_similarity: float = Field(0.4, ge=0, le=1)
    stop_at: float | None = Field(None, ge=0, le=1)


class StartParams(Params):
    """Where the search begins.

    Attributes:
        kind: ``test``: molecules of the test split, those with the lowest score; ``file``: the user's; ``scratch``:
            whatever the generator says.
        path: SMILES file, of the formats of ``ingest_smiles``; with kind ``file``.
        column: Its SMILES column.
        n: Most molecules to start from.
        among: Of how many molecules of the test split, drawn with the seed, those with the lowest score are taken.
        seed: Of that draw.
    """

    kind: Literal["test", "file", "scratch"] = "test"
    path: str | None = None
    column: str = "smiles"
    n: PositiveInt = 50
    among: PositiveInt = 1000
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _path_goes_with_file(self) -> "StartParams":
        if (self.kind == "file") != (self.path is not None):
            raise ValueError(
                f"path must be given with kind 'file' and only then; got {self.kind!r}, path {self.path!r}"
            )
        return self


class PropertyModelsParams(Params):
    """Where trained property models lie.

    Attributes:
        path: Folder with checkpoints of the pipeline ``properties``, or one such file; None where the score needs none.
    """

    path: str | None = None


class OptimiseParams(Params):
    """How better molecules are looked for.

    Attributes:
        method: ``completion``: evolution, children by the sequence generator; ``latent``: evolution, children by a walk
            in the latent space; ``policy``: the sequence generator is fine-tuned, from scratch only.
        scoring: What makes a molecule good.
        diversity: When a scaffold has been looked at enough.
        evolution: Of the methods ``completion`` and ``latent``.
        completion: Of the method ``completion``.
        walk: Of the method ``latent``.
        policy: Of the method ``policy``.
        keep: Best molecules kept: of each start, or in all from scratch.
        seed: Of the search.
        device: Of the generator in an evolution; ``auto`` takes the GPU where there is one.
    """

    method: Literal["completion", "latent", "policy"] = "completion"
    scoring: ScoringParams = ScoringParams()
    diversity: DiversityParams = DiversityParams()
    evolution: EvolutionParams = EvolutionParams()
    completion: CompletionParams = CompletionParams()
    walk: WalkParams = WalkParams()
    policy: PolicyParams = PolicyParams()
    keep: PositiveInt = 5
    seed: NonNegativeInt = 0
    device: str = "auto"

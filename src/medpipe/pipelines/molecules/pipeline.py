"""``ingest_smiles -> encode -> train_gan -> sample -> score_novelty``."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.molecules import nodes


def create_pipeline(**_: object) -> Pipeline:
    """SMILES in, a tested generator of new molecules out."""
    return Pipeline(
        [
            Node(
                nodes.provide_smiles,
                ["params:smiles_source", "smiles_source_work"],
                "smiles_raw",
                name="provide_smiles",
            ),
            Node(
                nodes.ingest_smiles,
                ["smiles_raw", "params:ingest_smiles"],
                ["smiles", "smiles_rejected"],
                name="ingest_smiles",
            ),
            Node(nodes.encode, ["smiles", "params:encode", "token_store_work"], "token_store", name="encode"),
            Node(
                nodes.train_gan,
                ["token_store", "params:train_gan", "train_gan_work"],
                ["generator_checkpoint", "control_checkpoint", "generator_history"],
                name="train_gan",
                tags="gpu",
            ),
            Node(nodes.sample, ["generator_checkpoint", "params:sample"], "generated", name="sample", tags="gpu"),
            Node(
                nodes.score_novelty,
                ["generated", "smiles", "smiles_raw", "params:score_novelty", "score_novelty_work"],
                ["generation_metrics", "generated_profile", "reference_profile"],
                name="score_novelty",
                tags="gpu",
            ),
            Node(nodes.draw_molecules, ["generated_profile"], "molecules_figure", name="draw_molecules"),
            Node(
                nodes.draw_properties,
                ["generated_profile", "reference_profile"],
                "properties_figure",
                name="draw_properties",
            ),
        ]
    )

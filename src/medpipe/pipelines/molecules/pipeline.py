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
            Node(
                nodes.sample,
                ["generator_checkpoint", "params:sample", "sample_work"],
                "generated",
                name="sample",
                tags="gpu",
            ),
            Node(
                nodes.sample,
                ["control_checkpoint", "params:sample", "sample_control_work"],
                "control_generated",
                name="sample_control",
                tags="gpu",
            ),
            Node(nodes.keep_novel, ["generated", "smiles"], ["novel_molecules", "novel_metrics"], name="keep_novel"),
            Node(
                nodes.score_novelty,
                ["generated", "smiles", "smiles_raw", "params:score_novelty", "score_novelty_work"],
                ["generation_metrics", "generated_profile", "reference_profile"],
                name="score_novelty",
                tags="gpu",
            ),
            Node(
                nodes.score_control,
                ["control_generated", "smiles", "smiles_raw", "params:score_novelty", "score_novelty_work"],
                "control_metrics",
                name="score_control",
                tags="gpu",
            ),
            Node(
                nodes.compare_with_control,
                ["generation_metrics", "control_metrics"],
                "generation_comparison",
                name="compare_with_control",
            ),
            Node(
                nodes.map_chemical_space,
                ["generated_profile", "smiles"],
                "chemical_space",
                name="map_chemical_space",
            ),
            *_pictures(),
        ]
    )


def _pictures() -> list[Node]:
    return [
        Node(nodes.draw_molecules, "generated_profile", "molecules_figure", name="draw_molecules"),
        Node(nodes.draw_neighbours, "generated_profile", "nearest_train_figure", name="draw_neighbours"),
        Node(
            nodes.draw_properties,
            ["generated_profile", "reference_profile"],
            "properties_figure",
            name="draw_properties",
        ),
        Node(nodes.draw_chemical_space, "chemical_space", "chemical_space_figure", name="draw_chemical_space"),
        Node(nodes.draw_comparison, "generation_comparison", "generation_comparison_figure", name="draw_comparison"),
        Node(nodes.draw_training, "generator_history", "generator_training_figure", name="draw_training"),
        Node(
            nodes.write_molecule_report,
            [
                "generator_checkpoint",
                "generator_history",
                "smiles",
                "smiles_rejected",
                "generated",
                "generation_metrics",
                "generation_comparison",
                "generated_profile",
                "reference_profile",
                "chemical_space",
                "novel_metrics",
            ],
            "molecules_report",
            name="write_molecule_report",
        ),
    ]

"""``provide_property_models -> choose_starts -> optimise``."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.optimise import nodes


def create_pipeline(**_: object) -> Pipeline:
    """A trained generator and molecules in, better molecules out."""
    return Pipeline(
        [
            Node(
                nodes.provide_property_models,
                ["params:property_models", "property_models_work"],
                "property_models",
                name="provide_property_models",
            ),
            Node(
                nodes.choose_starts,
                ["generator_checkpoint", "smiles", "params:optimise_start", "params:optimise", "property_models"],
                "optimisation_starts",
                name="choose_starts",
            ),
            Node(
                nodes.optimise,
                [
                    "generator_checkpoint",
                    "optimisation_starts",
                    "params:optimise",
                    "property_models",
                    "optimise_work",
                ],
                ["optimised", "optimisation_metrics", "optimisation_history", "tuned_generator"],
                name="optimise",
                tags="gpu",
            ),
            Node(nodes.draw_optimised, "optimised", "optimised_figure", name="draw_optimised"),
            Node(nodes.draw_optimisation, "optimisation_history", "optimisation_figure", name="draw_optimisation"),
        ]
    )

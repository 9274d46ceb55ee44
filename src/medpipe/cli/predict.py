"""``medpipe predict-properties``: the champion's word on a file of molecules."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from medpipe.cli.told import told


@click.command("predict-properties")
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--column", default="smiles", show_default=True, help="SMILES column, whatever its case.")
@click.option("--model", help="Version, alias, folder or MLflow uri. [default: the champion]")
@click.option("--env", "-e", help="Kedro environment whose registry is asked.")
@click.option("--n-jobs", default=-1, show_default=True, help="Processes that read molecules; -1 is one a core.")
@told()
def predict_properties(
    source: Path, output: Path, column: str, model: str | None, env: str | None, n_jobs: int
) -> None:
    """Predict the properties of the molecules of INPUT into OUTPUT.

    INPUT is CSV, TSV, SMI, text or Parquet, also gzipped; OUTPUT ends in .parquet, .csv or .csv.gz. Its rows keep the
    order of INPUT, with the line each came from, the uncertainty, and whether the model knows such molecules.
    """
    from medpipe.cli.champion import choose_model
    from medpipe.molecules.properties.model import KIND, PropertyModel
    from medpipe.molecules.properties.predict_file import predict_file
    from medpipe.training.checkpoint import Checkpoint

    with TemporaryDirectory(prefix="medpipe-model-") as folder:
        chosen = choose_model("properties", model, env, Path(folder))
        loaded = PropertyModel.of(Checkpoint.load(chosen.file("property_model.safetensors"), KIND))
        n = predict_file(loaded, source, output, column=column, n_jobs=n_jobs)
    click.echo(f"written: {output} ({n} molecules)")

"""``medpipe generate``: molecules from the champion into a file."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from medpipe.cli.told import told
from medpipe.registry.project import find_project


@click.command("generate")
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option("-n", "n", default=10_000, show_default=True, help="Molecules in the file.")
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same molecules.")
@click.option("--temperature", default=1.0, show_default=True, help="1 draws as trained; 0.01 to 100.")
@click.option("--top-p", default=1.0, show_default=True, help="Share of probability to draw from; 1 takes all.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1.")
@click.option("--model", help="Version, alias, folder or MLflow uri. [default: the champion]")
@click.option("--env", "-e", help="Kedro environment whose registry is asked.")
@click.option(
    "--novel-only/--raw",
    default=False,
    show_default="raw",
    help="Valid molecules that are not in train or val, each once; or all that is drawn, as it is.",
)
@click.option("--known", type=click.Path(path_type=Path), help="With --novel-only: file of what is not new instead.")
@click.option("--column", default="smiles", show_default=True, help="SMILES column of --known, whatever its case.")
@told()
def generate(
    output: Path, model: str | None, env: str | None, novel_only: bool, known: Path | None, column: str, **drawn: Any
) -> None:
    """Draw molecules from the champion into OUTPUT.

    The name of OUTPUT says the format: .parquet, .csv, .smi or .txt, the last three also with .gz.
    """
    from pydantic import ValidationError

    from medpipe.cli.champion import choose_model
    from medpipe.molecules.generation.params import SampleParams
    from medpipe.molecules.table_files import check_format

    try:
        params = SampleParams.model_validate(drawn)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise click.BadParameter(
            f"{'-n' if name == 'n' else f'--{name}'} is {first['input']!r}: {first['msg']}"
        ) from error
    if known is not None and not novel_only:
        raise click.BadParameter("--known is for --novel-only")
    with TemporaryDirectory(prefix="medpipe-model-") as folder:
        check_format(output, columns=False)
        chosen = choose_model("generator", model, env, Path(folder))
        _generate(chosen.file("smiles_generator.safetensors"), params, output, _known(novel_only, known, column, env))


def _generate(checkpoint: Path, params: Any, output: Path, known: set[str] | None) -> None:
    from medpipe.molecules.generation.sampler import KIND
    from medpipe.molecules.generation.to_file import generate
    from medpipe.training.checkpoint import Checkpoint

    made = generate(Checkpoint.load(checkpoint, KIND), params, output, known)
    kept = "" if known is None else f", {made.n_drawn} drawn"
    click.echo(f"written: {output} ({made.n_written} molecules{kept})")


def _known(novel_only: bool, file: Path | None, column: str, env: str | None) -> set[str] | None:
    """What is not new: the molecules of a file, or those of train and val of this project."""
    if not novel_only:
        return None
    from rdkit import rdBase

    from medpipe.core.errors import InputError
    from medpipe.molecules.intake.readers import read_lines
    from medpipe.molecules.metrics.validity import canonical_smiles

    if file is None:
        return _of_project(env)
    if not file.is_file():
        raise InputError(f"--known: {file} does not exist; name a file of SMILES.")
    with rdBase.BlockLogs():
        return {smiles for line in read_lines(file, column) if (smiles := canonical_smiles(line.text)) is not None}


def _of_project(env: str | None) -> set[str]:
    from kedro.framework.session import KedroSession

    from medpipe.core.errors import InputError

    with KedroSession.create(find_project(), env=env, save_on_close=False) as session:
        catalog = session.load_context().catalog
        if not catalog.exists("smiles"):
            raise InputError(
                "smiles: this project has no table of molecules yet; run kedro run --pipeline=molecules, or name known "
                "molecules with --known."
            )
        table = catalog.load("smiles")
    return set(table.loc[table["split"] != "test", "smiles"])

"""``medpipe score-molecules``: scores for any file of SMILES."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medpipe.cli.told import told

if TYPE_CHECKING:
    from medpipe.molecules.metrics.files import FileScore

_WIDTH = 110  # characters of a table that goes into a file or a pipe


@click.command("score-molecules")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--column", default="smiles", show_default=True, help="SMILES column, whatever its case.")
@click.option("--train", help="Molecules the generator has seen: a file, or 'moses'. Without it there is no novelty.")
@click.option("--reference", type=click.Path(path_type=Path), help="Molecules to compare with; else MOSES's test sets.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for metrics, profile and pictures.")
@click.option("--fcd/--no-fcd", default=True, help="Whether to tell the Fréchet ChemNet distance, the slowest measure.")
@click.option("--n-jobs", default=-1, show_default=True, help="Processes and threads; -1 is one a core.")
@click.option("--device", default="auto", show_default=True, help="Where ChemNet runs: auto, cpu, cuda, cuda:1.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path.home() / ".cache" / "medpipe",
    help="Folder for what is fetched or computed once.",
    show_default="~/.cache/medpipe",
)
@told()
def score_molecules(
    file: Path,
    column: str,
    train: str | None,
    reference: Path | None,
    output: Path | None,
    fcd: bool,
    n_jobs: int,
    device: str,
    cache: Path,
) -> None:
    """Score the SMILES strings of FILE: MOSES's and GuacaMol's measures with intervals.

    FILE is CSV, TSV, SMI, text (one string a line) or Parquet, also gzipped.
    """
    from rich.console import Console

    from medpipe.molecules.metrics.files import score_file
    from medpipe.molecules.metrics.params import ScoreParams
    from medpipe.reporting.scores import score_table

    params = ScoreParams(n_jobs=n_jobs, device=device, fcd=fcd)
    scored = score_file(file, column=column, train=train, reference=reference, cache=cache, params=params)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(score_table(scored.score.metrics, title=file.name))
    if output is not None:
        _write(scored, output)
        click.echo(f"written: {output}")


def _write(scored: "FileScore", folder: Path) -> None:
    """Writes metrics.json, profile.parquet and the pictures."""
    from medpipe.core.atomic import atomic_path, write_json
    from medpipe.molecules.metrics.chemical_space import chemical_space
    from medpipe.reporting.chemical_space import space_map
    from medpipe.reporting.molecules import molecule_grid, nearest_train, property_histograms

    profile = scored.score.profile
    write_json(folder / "metrics.json", scored.score.metrics)
    with atomic_path(folder / "profile.parquet", suffix=".parquet") as temporary:
        profile.to_parquet(temporary, index=False)
    pictures = {
        "molecules": molecule_grid(profile),
        "properties": property_histograms(profile, scored.reference),
        "chemical_space": space_map(chemical_space(profile["smiles"].tolist(), scored.reference_smiles)),
    }
    if "nearest_train" in profile:
        pictures["nearest_train"] = nearest_train(profile)
    for name, figure in pictures.items():
        with atomic_path(folder / f"{name}.png", suffix=".png") as temporary:
            figure.savefig(temporary)

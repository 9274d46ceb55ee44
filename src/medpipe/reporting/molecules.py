"""Pictures of molecules: grids of structures, nearest neighbours, histograms of their properties."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL_PIXELS = (300, 230)  # width, height of a molecule with its legend
_LEGEND_PIXELS = 30
_SHARPNESS = 2  # structures are drawn at so many times their size in pixels
_DPI = 100
_N_BINS = 40
_SHOWN_QUANTILES = (0.002, 0.998)  # of either set; the tails beyond only flatten the picture
# Okabe and Ito's colours, told apart with any kind of colour vision and in grey print.
_GENERATED_COLOUR, _REFERENCE_COLOUR = "#D55E00", "#0072B2"
_LABELS = {
    "logP": "logP",
    "SA": "synthetic accessibility (1 easy, 10 hard)",
    "QED": "drug-likeness, QED (0 to 1)",
    "weight": "molecular weight (g/mol)",
}


def molecule_grid(profile: pd.DataFrame, *, n: int = 20, columns: int = 5) -> "Figure":
    """Draws the first molecules of a profile with their properties; an empty profile gives a picture that says so.

    Args:
        profile: Columns smiles, logP, SA, QED and weight (g/mol), one row a distinct molecule, in the order generated.
        n: Most molecules to draw.
        columns: Molecules a row.
    """
    if len(profile) == 0:
        return _nothing("no valid molecule was generated")
    shown = profile.head(n)
    legends = [
        f"QED {qed:.2f}   SA {sa:.1f}   logP {log_p:.1f}   {weight:.0f} g/mol"
        for qed, sa, log_p, weight in zip(*(shown[name] for name in ("QED", "SA", "logP", "weight")), strict=True)
    ]
    title = f"The first {len(shown)} of {len(profile):,} distinct molecules, as they were generated"
    return structure_grid(shown["smiles"].tolist(), legends, columns=columns, title=title)


def structure_grid(
    smiles: Sequence[str], legends: Sequence[str] | None = None, *, columns: int = 5, title: str | None = None
) -> "Figure":
    """Draws molecules side by side.

    Args:
        smiles: What to draw; a string that is no molecule gives a cell that says so.
        legends: Text below each molecule.
        columns: Molecules a row.
        title: Text above the picture.

    Raises:
        InputError: If there is nothing to draw, or the numbers of molecules and legends differ.
    """
    legends = [""] * len(smiles) if legends is None else list(legends)
    if not len(smiles) or len(legends) != len(smiles):
        raise InputError(
            f"structure_grid: {len(smiles)} molecules and {len(legends)} legends received; expected at least one "
            "molecule and a legend for each."
        )
    columns = min(columns, len(smiles))
    picture = _structures(smiles, columns)
    height, width = picture.shape[0] / _SHARPNESS, picture.shape[1] / _SHARPNESS
    figure = _figure(width / _DPI, height / _DPI + (0.4 if title else 0.0))
    axis = figure.subplots()
    axis.imshow(picture, extent=(0, width, height, 0))
    axis.axis("off")
    for cell, (text, legend) in enumerate(zip(smiles, legends, strict=True)):
        x = (cell % columns + 0.5) * _CELL_PIXELS[0]
        y = (cell // columns + 1) * _CELL_PIXELS[1]
        axis.text(x, y - _LEGEND_PIXELS / 2, legend, ha="center", va="center", fontsize=9)
        if _molecule(text) is None:
            axis.text(x, y - _CELL_PIXELS[1] / 2, "not a molecule", ha="center", va="center", color="0.5")
    if title:
        figure.suptitle(title, fontsize=12)
    return figure


def nearest_neighbours(
    generated: Sequence[str], neighbours: Sequence[str], similarities: Sequence[float], *, pairs_a_row: int = 2
) -> "Figure":
    """Draws generated molecules, each beside its nearest neighbour in a reference set.

    Args:
        generated: SMILES of generated molecules.
        neighbours: The nearest reference molecule of each.
        similarities: Tanimoto similarity of each pair.
        pairs_a_row: Pairs side by side.

    Raises:
        InputError: If there is no pair or the lengths differ.
    """
    if not len(generated) == len(neighbours) == len(similarities):
        raise InputError(
            f"nearest_neighbours: {len(generated)} molecules, {len(neighbours)} neighbours and {len(similarities)} "
            "similarities received; expected the same number of each."
        )
    smiles = [text for pair in zip(generated, neighbours, strict=True) for text in pair]
    legends = [text for value in similarities for text in ("generated", f"nearest, similarity {value:.2f}")]
    return structure_grid(smiles, legends, columns=2 * pairs_a_row)


def nearest_train(profile: pd.DataFrame, *, n: int = 8) -> "Figure":
    """Draws novel molecules beside their nearest molecule of train, from the most to the least similar.

    Args:
        profile: Columns smiles, novel, ``similarity_train`` and ``nearest_train`` (SMILES; null where no neighbour was
            looked for, absent where none was at all). Without any such molecule the picture says so.
        n: Pairs, at even steps of the rank of their similarity.
    """
    looked_up = profile["nearest_train"].notna() if "nearest_train" in profile else np.zeros(len(profile), dtype=bool)
    known = profile[profile["novel"].astype(bool) & looked_up]
    if known.empty:
        return _nothing("no novel molecule to compare with train")
    ranked = known.sort_values("similarity_train", ascending=False, kind="stable")
    chosen = ranked.iloc[np.unique(np.linspace(0, len(ranked) - 1, n).round().astype(int))]
    columns = (chosen[name].tolist() for name in ("smiles", "nearest_train", "similarity_train"))
    return nearest_neighbours(*columns)


def property_histograms(
    generated: pd.DataFrame, reference: pd.DataFrame, *, reference_name: str = "test set"
) -> "Figure":
    """Histograms of the properties of generated molecules against those of a reference set.

    Args:
        generated: Columns logP, SA, QED, weight (g/mol), one row a molecule; with a column ``count`` each row counts
            as often as it says. Without a row only the reference is drawn.
        reference: The same columns.
        reference_name: What the legend calls the reference.

    Raises:
        InputError: If a table lacks a column or the reference has no row.
    """
    for name, table in (("generated", generated), ("reference", reference)):
        if not set(_LABELS) <= set(table.columns) or (name == "reference" and len(table) == 0):
            raise InputError(
                f"property_histograms: the {name} table has {len(table)} rows and the columns {list(table.columns)}; "
                f"expected the columns {list(_LABELS)} and at least one row of the reference."
            )
    weights = generated["count"].to_numpy(np.float64) if "count" in generated else np.ones(len(generated))
    figure = _figure(10.0, 6.4)
    axes = figure.subplots(2, 2)
    for axis, (name, label) in zip(axes.flat, _LABELS.items(), strict=True):
        _histogram(axis, generated[name].to_numpy(), weights, reference[name].to_numpy(), reference_name)
        axis.set_xlabel(label)
    axes[0, 0].legend(frameon=False, loc="upper left")
    figure.suptitle(
        f"{int(weights.sum()):,} generated molecules against {len(reference):,} of the {reference_name}", fontsize=12
    )
    return figure


def _histogram(
    axis: "Axes",
    generated: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    reference: npt.NDArray[np.float64],
    reference_name: str,
) -> None:
    """Two distributions over the same bins; the few values beyond the shown range are in the outermost bins."""
    ranges = [np.quantile(values, _SHOWN_QUANTILES) for values in (reference, generated) if len(values)]
    low, high = min(shown[0] for shown in ranges), max(shown[1] for shown in ranges)
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = np.linspace(low, high, _N_BINS + 1)
    expected = _shares(reference, np.ones(len(reference)), bins)
    axis.stairs(expected, bins, fill=True, color=_REFERENCE_COLOUR, alpha=0.35, label=reference_name)
    if len(generated):
        shares = _shares(generated, weights, bins)
        axis.stairs(shares, bins, color=_GENERATED_COLOUR, linewidth=2.0, label="generated")
    axis.set_xlim(low, high)
    axis.set_ylabel("share of molecules (%)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", alpha=0.25)


def _shares(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], bins: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Percent of the weight in each bin."""
    counts, _ = np.histogram(values.clip(bins[0], bins[-1]), bins, weights=weights)
    return np.asarray(100 * counts / weights.sum())


def _structures(smiles: Sequence[str], columns: int) -> npt.NDArray[np.float32]:
    """Structures drawn by RDKit in cells with room for a legend below, (height, width, 3), white to 1."""
    from matplotlib.image import imread
    from rdkit.Chem.Draw import rdMolDraw2D

    rows, width = -(-len(smiles) // columns), _SHARPNESS * _CELL_PIXELS[0]
    legend = _SHARPNESS * _LEGEND_PIXELS
    height = _SHARPNESS * _CELL_PIXELS[1] - legend
    drawer = rdMolDraw2D.MolDraw2DCairo(columns * width, rows * height, width, height)
    options: Any = drawer.drawOptions()
    options.padding, options.fixedBondLength, options.bondLineWidth = 0.06, 50, 3
    options.drawMolsSameScale = False
    drawer.DrawMolecules([_molecule(text) for text in smiles])
    drawer.FinishDrawing()
    picture = imread(io.BytesIO(drawer.GetDrawingText()), format="png")[..., :3]
    cells = picture.reshape(rows, height, columns * width, 3)
    spaced = np.pad(cells, ((0, 0), (0, legend), (0, 0), (0, 0)), constant_values=1)
    return np.asarray(spaced.reshape(rows * (height + legend), columns * width, 3))


def _molecule(smiles: str) -> Any:
    """RDKit molecule, None for what is none."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(smiles) if smiles else None


def _nothing(text: str) -> "Figure":
    figure = _figure(6.0, 2.0)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=14, color="0.4")
    return figure


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")

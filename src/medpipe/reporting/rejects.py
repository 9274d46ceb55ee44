"""The sheet of rejected scans: a picture or a text for each, with its code and the reason in a sentence."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURED_CODES = frozenset(
    {
        "absurd_hu",
        "duplicate_positions",
        "duplicate_series",
        "four_dimensional",
        "gantry_tilt",
        "missing_slices",
        "mixed_orientation",
        "mixed_spacing",
        "no_body",
        "no_lungs",
        "short_extent",
        "single_position",
        "thick_slices",
        "too_few_slices",
        "uneven_spacing",
    }
)
"""Rejections of CT slices with a place in the patient. Any other object (screenshots, reports, dose pages, films, what
could not be read, series of mixed sizes, in which a page may lie) may have a patient's name burned into its pixels
(DICOM PS3.15 E.3.1) and is never drawn."""

OWN_GREY_CODES = frozenset({"absurd_hu"})
"""Their values are no Hounsfield units: shown from the slice's own darkest to its brightest."""

LUNG_WINDOW_HU = (-1350.0, 150.0)
"""Black and white: the usual lung window, level -600, width 1500 HU."""

MAX_TILES = 24
"""Tiles on a sheet that can still be read."""

_COLUMNS = 6
_TILE_INCHES = 2.5
_CODE_INCHES, _LINE_INCHES = 0.32, 0.125
_CHARACTERS = 43
_LINES = 5
_OWN_GREY_QUANTILES = (0.01, 0.99)
_BACKGROUND, _PANEL, _TEXT, _DIM = "#101214", "#1b1f24", "#e8eaed", "#9aa7b5"
# One colour a code, told apart on black; used again from the start where there are more codes.
_COLOURS = ("#4db2ff", "#ff9f1c", "#35c46a", "#ff6b6b", "#c792ea", "#f2d649", "#4dd0c4", "#f48fb1")


@dataclass(frozen=True)
class RejectTile:
    """A rejected scan to show.

    Attributes:
        code: Of the rejection.
        reason: One sentence; no patient's name or number, no file name.
        image: A slice in Hounsfield units (rows, columns) in patient orientation; None gives a text tile, and so does
            a code that is not in `PICTURED_CODES`.
        spacing_yx_mm: Of its pixels.
        n_scans: All scans with this code, shown or not.
    """

    code: str
    reason: str
    image: npt.NDArray[np.int16] | None = None
    spacing_yx_mm: tuple[float, float] = (1.0, 1.0)
    n_scans: int = 1


def spread(codes: Sequence[str], limit: int = MAX_TILES) -> list[int]:
    """Which scans to show: one of every code first, then a second of every code, and so on.

    Args:
        codes: Rejection code of each scan.
        limit: Most scans to show.

    Returns:
        Positions in ``codes``, ascending.
    """
    seen: Counter[str] = Counter()
    turn = []
    for code in codes:
        turn.append(seen[code])
        seen[code] += 1
    return sorted(sorted(range(len(codes)), key=lambda position: (turn[position], position))[:limit])


def rejects_sheet(tiles: Sequence[RejectTile], title: str = "Rejected scans") -> "Figure":
    """Draws rejected scans side by side, those of one code together, the most frequent code first.

    Args:
        tiles: What to show, see `spread`; beyond `MAX_TILES` some are left out, and without any the sheet says so.
        title: Above all.
    """
    from matplotlib.figure import Figure

    if not tiles:
        figure = Figure(figsize=(6.0, 1.6), facecolor=_BACKGROUND)
        figure.text(0.5, 0.5, "No scan was rejected.", color=_TEXT, fontsize=13, ha="center", va="center")
        return figure
    counts = _counts(tiles)
    shown = [tiles[position] for position in spread([tile.code for tile in tiles])]
    shown.sort(key=lambda tile: list(counts).index(tile.code))
    colours = {code: _COLOURS[number % len(_COLOURS)] for number, code in enumerate(counts)}
    n_columns = max(3, min(_COLUMNS, len(shown)))
    n_rows = -(-len(shown) // n_columns)
    legend = _legend_lines(counts, int(n_columns * _TILE_INCHES * 11))
    header = 0.55 + 0.22 * len(legend)
    reasons = [_wrapped(tile.reason) for tile in shown]
    row_inches = _TILE_INCHES + _CODE_INCHES + _LINE_INCHES * max(reason.count("\n") + 1 for reason in reasons)
    width, height = n_columns * _TILE_INCHES, header + n_rows * row_inches
    figure = Figure(figsize=(width, height), facecolor=_BACKGROUND)
    total = sum(counts.values())
    number = f"{total} scans" if len(shown) == total else f"{total} scans, {len(shown)} of them shown"
    figure.text(0.1 / width, 1 - 0.15 / height, f"{title}: {number}", color=_TEXT, fontsize=13, va="top")
    _draw_legend(figure, legend, colours, (0.1 / width, 1 - 0.52 / height), height)
    for position, (tile, reason) in enumerate(zip(shown, reasons, strict=True)):
        row, column = divmod(position, n_columns)
        left, top = column * _TILE_INCHES, header + row * row_inches
        edge = _TILE_INCHES - 0.12
        box = ((left + 0.06) / width, 1 - (top + edge) / height, edge / width, edge / height)
        axes = figure.add_axes(box, facecolor=_PANEL)
        _draw_tile(axes, tile, colours[tile.code])
        place = ((left + 0.06) / width, 1 - (top + edge + 0.07) / height)
        figure.text(*place, tile.code, color=colours[tile.code], fontsize=8.5, weight="bold", va="top")
        below = (place[0], place[1] - 0.17 / height)
        figure.text(*below, reason, color=_TEXT, fontsize=7.2, va="top", linespacing=1.1)
    return figure


def _counts(tiles: Sequence[RejectTile]) -> dict[str, int]:
    """Scans of each code, the most frequent first."""
    counts: dict[str, int] = {}
    shown = Counter(tile.code for tile in tiles)
    for tile in tiles:
        counts[tile.code] = max(counts.get(tile.code, 0), tile.n_scans, shown[tile.code])
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _legend_lines(counts: dict[str, int], characters: int) -> list[list[tuple[str, str]]]:
    """Codes and their texts, broken into lines of about so many characters."""
    lines: list[list[tuple[str, str]]] = [[]]
    used = 0
    for code, count in counts.items():
        text = f"{code} {count}"
        if lines[-1] and used + len(text) + 4 > characters:
            lines.append([])
            used = 0
        lines[-1].append((code, text))
        used += len(text) + 4
    return lines


def _draw_legend(
    figure: "Figure",
    lines: list[list[tuple[str, str]]],
    colours: dict[str, str],
    corner: tuple[float, float],
    height_inches: float,
) -> None:
    """Code and number of scans after each other; a line of text has one colour, so every entry is its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    for number, line in enumerate(lines):
        x, y = corner[0], corner[1] - number * 0.22 / height_inches
        for code, text in line:
            entry = figure.text(x, y, f"■ {text}", color=colours[code], fontsize=9, va="top")
            x += (entry.get_window_extent(renderer).width + 14) / figure.bbox.width


def _draw_tile(axes: "Axes", tile: RejectTile, colour: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(colour)
        spine.set_linewidth(1.0)
    if tile.image is None or tile.code not in PICTURED_CODES:
        note = "not shown: no CT slice that is\nknown to bear no patient's name"
        if tile.code in PICTURED_CODES:
            note = "no slice can be shown"
        axes.text(0.5, 0.5, note, color=_DIM, fontsize=8, ha="center", va="center", transform=axes.transAxes)
        return
    image = np.asarray(tile.image)
    low, high = LUNG_WINDOW_HU
    if tile.code in OWN_GREY_CODES:
        low, high = np.quantile(image, _OWN_GREY_QUANTILES)
    row_mm, column_mm = tile.spacing_yx_mm
    axes.imshow(
        image, cmap="gray", vmin=low, vmax=max(high, low + 1), aspect=row_mm / column_mm, interpolation="antialiased"
    )
    # The frame stays square whatever the slice's shape.
    rows, columns = image.shape
    half = max(rows * row_mm, columns * column_mm) / 2
    axes.set_xlim((columns - 1) / 2 - half / column_mm, (columns - 1) / 2 + half / column_mm)
    axes.set_ylim((rows - 1) / 2 + half / row_mm, (rows - 1) / 2 - half / row_mm)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _CHARACTERS, max_lines=_LINES, placeholder=" ..."))

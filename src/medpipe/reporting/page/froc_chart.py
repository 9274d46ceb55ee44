"""The FROC curve as an SVG drawing that takes the page's colours, light or dark."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.reporting.page.model import Figure

RATES = {0.125: "1/8", 0.25: "1/4", 0.5: "1/2", 1.0: "1", 2.0: "2", 4.0: "4", 8.0: "8"}
"""LUNA16: the false alarms a scan at which sensitivity is read."""

_WIDTH, _HEIGHT = 720.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 24.0, 16.0, 52.0
_N_POINTS = 300

FloatArray = npt.NDArray[np.float64]


def froc_chart(curve: pd.DataFrame, control: pd.DataFrame | None = None) -> Figure:
    """Sensitivity against false alarms a scan (logarithm to base 2), with the interval at the seven official points.

    Args:
        curve: Columns false_alarms_per_scan, sensitivity, rate, low, high; rows with a ``rate`` are the official points
            with their interval.
        control: The same of another network, drawn dashed.
    """
    official = curve[curve["rate"].notna()].sort_values("rate")
    parts = [*_grid()]
    if len(official):
        there, back = official[["rate", "high"]].to_numpy(), official[["rate", "low"]].to_numpy()[::-1]
        parts.append(f'<polygon class="band" points="{_points(np.concatenate([there, back]))}"/>')
    if control is not None:
        parts.append(_line(control, "control"))
    parts.append(_line(curve, "line"))
    for rate, value, low, high in official[["rate", "sensitivity", "low", "high"]].itertuples(index=False):
        text = f"{RATES.get(rate, f'{rate:g}')} false alarms a scan: {value:.3f} ({low:.3f} to {high:.3f})"
        parts.append(
            f'<circle class="dot" cx="{_x(rate):.1f}" cy="{_y(value):.1f}" r="4"><title>{text}</title></circle>'
        )
    if control is not None:
        parts += _legend()
    alt = "Sensitivity against mean false alarms per scan. " + "; ".join(
        f"{value:.3f} at {RATES.get(rate, f'{rate:g}')}"
        for rate, value in official[["rate", "sensitivity"]].itertuples(index=False)
    )
    opening = f'<svg class="chart" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="{alt}">'
    caption = "Free-response ROC. Points: LUNA16's seven rates; band: their bootstrap interval."
    return Figure("FROC", alt, svg=f"{opening}{''.join(parts)}</svg>", caption=caption)


def _x(rate: npt.ArrayLike) -> FloatArray:
    first, last = np.log2(min(RATES)), np.log2(max(RATES))
    share = (np.log2(np.asarray(rate, dtype=np.float64)) - first) / (last - first)
    return np.asarray(_LEFT + 12 + share * (_WIDTH - _LEFT - _RIGHT - 24))


def _y(sensitivity: npt.ArrayLike) -> FloatArray:
    share = np.asarray(sensitivity, dtype=np.float64)
    return np.asarray(_HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP))


def _points(rows: FloatArray) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(_x(rows[:, 0]), _y(rows[:, 1]), strict=True))


def _line(curve: pd.DataFrame, name: str) -> str:
    points = curve[curve["rate"].isna()]
    if points.empty or points["sensitivity"].isna().all():
        return ""
    rates = np.geomspace(min(RATES), max(RATES), _N_POINTS)
    sensitivity = np.interp(rates, points["false_alarms_per_scan"], points["sensitivity"])
    return f'<polyline class="{name}" points="{_points(np.stack([rates, sensitivity], axis=1))}"/>'


def _grid() -> list[str]:
    left, right, bottom = _LEFT, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for value in np.linspace(0, 1, 6):
        y = _y(value)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    for rate, label in RATES.items():
        x = _x(rate)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{label}</text>')
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text x="{(left + right) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">mean false alarms per scan</text>'
    )
    parts.append(f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">sensitivity</text>')
    return parts


def _legend() -> list[str]:
    x, y = _WIDTH - _RIGHT - 190, _HEIGHT - _BOTTOM - 48
    entries = [("line", "detector"), ("control", "untrained control")]
    return [
        f'<line class="{name}" x1="{x}" x2="{x + 28}" y1="{y + 20 * n}" y2="{y + 20 * n}"/>'
        f'<text x="{x + 36}" y="{y + 20 * n + 4}">{text}</text>'
        for n, (name, text) in enumerate(entries)
    ]

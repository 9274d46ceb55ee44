"""Great vessels, gullet, windpipe and main bronchi."""

from dataclasses import dataclass

import numpy as np

from medpipe.ct.phantom.fields import Points, smooth_path


@dataclass(frozen=True)
class Tube:
    """A tube with a name: centre line n x 3 (z, y, x) and n radii, mm."""

    kind: str
    path_zyx: Points
    radii_mm: Points


def great_tubes(rng: np.random.Generator) -> tuple[Tube, ...]:
    """Aorta, veins, pulmonary trunk, oesophagus, windpipe and main bronchi, each a little different."""

    def tube(kind: str, knots: list[list[float]], radii: list[float], wobble: float = 1.5) -> Tube:
        points = np.asarray(knots) + rng.normal(0, wobble, (len(knots), 3))
        path = smooth_path(np.column_stack([points, radii]), 8 * len(knots))
        return Tube(kind, path[:, :3], np.maximum(path[:, 3], 1.0))

    aorta = rng.uniform(0.9, 1.15)
    return (
        tube(
            "aorta",
            [
                [-32, -12, 4], [-8, -20, -10], [22, -18, -10], [41, -4, 2], [42, 18, 16], [22, 34, 24],
                [-20, 38, 24], [-75, 42, 20], [-130, 42, 12], [-185, 38, 8],
            ],
            [14 * aorta, 16 * aorta, 15.5 * aorta, 13.5 * aorta, 12.5 * aorta, 12 * aorta, 11.5 * aorta, 11, 10.5, 10],
        ),
        tube(
            "vein",
            [[110, -20, -32], [80, -20, -24], [48, -20, -26], [10, -14, -28], [-30, -10, -26]],
            [6, 7, 9, 9.5, 11],
        ),
        tube("vein", [[105, -18, 34], [82, -24, 24], [66, -28, 2], [56, -24, -18], [48, -20, -26]], [6, 6.5, 7, 7, 7]),
        tube("vein", [[-70, 2, -24], [-100, 8, -24], [-140, 14, -22], [-185, 16, -20]], [12, 11.5, 11, 11]),
        tube("artery", [[44, -2, 2], [72, -8, -8], [100, -12, -16], [140, -14, -26]], [6.5, 6, 5.5, 4]),
        tube("artery", [[46, 6, 9], [76, 2, 15], [110, -6, 19], [150, -10, 24]], [4.5, 4, 4, 3.5]),
        tube("artery", [[45, 16, 16], [80, 18, 23], [106, 8, 36], [116, -4, 62]], [5, 4.8, 4.6, 4.2]),
        tube(
            "pulmonary",
            [[-30, -36, 14], [-4, -30, 16], [12, -14, 18], [10, 8, 30], [2, 12, 40]],
            [13, 13.5, 13, 11, 9],
        ),
        tube("pulmonary", [[10, -14, 16], [0, -4, 0], [-4, -2, -18], [-6, 2, -34]], [11.5, 10.5, 10, 9]),
        tube(
            "oesophagus",
            [[150, 16, 4], [80, 22, 6], [20, 26, 4], [-30, 32, 4], [-90, 26, 10], [-125, 12, 24]],
            [6, 6.5, 6.5, 7, 7.5, 8],
        ),
        tube(
            "azygos",
            [[30, 2, -26], [38, 18, -20], [28, 34, -9], [-30, 46, -5], [-120, 44, -4]],
            [4.5, 4.5, 4.5, 4, 3.5],
        ),
        tube("trachea", [[170, -8, 0], [110, 2, -1], [60, 6, -3], [18, 12, -1]], [8.5, 8.5, 8.8, 9.2], 0.8),
        tube("bronchus", [[20, 12, -1], [8, 13, -13], [-4, 14, -26], [-8, 14, -37]], [7.5, 6.8, 6.2, 5.4], 0.5),
        tube("bronchus", [[20, 12, -1], [10, 14, 12], [0, 17, 28], [-4, 19, 40]], [7.5, 6.2, 5.8, 5.2], 0.5),
    )  # fmt: skip

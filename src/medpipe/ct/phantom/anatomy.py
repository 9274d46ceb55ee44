"""The inside of one patient: where body wall, lungs, mediastinum and upper abdomen lie.

Lengths are those of an adult 1.75 m tall until the whole is scaled at the end. The frame is LPS with its origin
near the carina. Proportions were read off chest CT scans; each patient varies them by chance.
"""

from dataclasses import dataclass, replace

import numpy as np

from medpipe.ct.phantom.fields import (
    CoarseGrid,
    Field,
    Points,
    capsules,
    ellipsoid,
    smooth_intersection,
    smooth_noise,
    smooth_path,
    smooth_union,
    smoothstep,
)

GRID = CoarseGrid((-185.0, -138.0, -208.0), (89, 72, 105), 4.0)

LAYERS = (
    "body", "muscle", "cage", "lung", "heart", "chambers", "diaphragm", "liver", "spleen", "stomach",
    "oblique", "horizontal", "texture", "coarse_texture", "density",
)  # fmt: skip
"""Fields of an anatomy; the first twelve are signed distances in mm."""

N_DISTANCES = 12


@dataclass(frozen=True)
class Tube:
    """A tube with a name: centre line n x 3 (z, y, x) and n radii, mm."""

    kind: str
    path_zyx: Points
    radii_mm: Points


@dataclass(frozen=True)
class Anatomy:
    """One patient.

    Attributes:
        grid: Coarse grid of the fields.
        fields: Fields of ``LAYERS`` by name, float32, (z, y, x).
        tubes: Great vessels, oesophagus, windpipe and main bronchi.
        spine_zyx: Centres of the vertebral bodies' column, from below to above, n x 3.
        hila_zyx: Right and left hilum.
        scale: Size relative to the reference adult.
    """

    grid: CoarseGrid
    fields: dict[str, Field]
    tubes: tuple[Tube, ...]
    spine_zyx: Points
    hila_zyx: tuple[Points, Points]
    scale: float

    def layer(self, name: str) -> Field:
        """One field."""
        return self.fields[name]

    def scaled(self, scale: float) -> "Anatomy":
        """The same patient, every length multiplied by ``scale``."""
        factor = np.float32(scale)
        fields = {n: self.fields[n] * factor if i < N_DISTANCES else self.fields[n] for i, n in enumerate(LAYERS)}
        grid = CoarseGrid(
            tuple(scale * value for value in self.grid.origin_zyx_mm),  # type: ignore[arg-type]
            self.grid.shape_zyx,
            scale * self.grid.step_mm,
        )
        tubes = tuple(replace(t, path_zyx=t.path_zyx * scale, radii_mm=t.radii_mm * scale) for t in self.tubes)
        hila = (self.hila_zyx[0] * scale, self.hila_zyx[1] * scale)
        return Anatomy(grid, fields, tubes, self.spine_zyx * scale, hila, self.scale * scale)


@dataclass(frozen=True)
class _Build:
    """What varies between patients, mm unless said."""

    width: float
    depth: float
    fat: float
    muscle: float
    scoliosis: float
    right_dome: float
    left_dome: float
    heart: float  # factor
    heart_turn: float  # radians
    breasts: float  # factor, 0 for none

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "_Build":
        right_dome = rng.uniform(-72, -48)
        return cls(
            width=rng.uniform(126, 142),
            depth=rng.uniform(0.92, 1.1),
            fat=rng.gamma(3.0, 4.0) + 4,
            muscle=rng.uniform(0.7, 1.3),
            scoliosis=rng.normal(0, 3.0),
            right_dome=right_dome,
            left_dome=right_dome - rng.uniform(4, 22),
            heart=rng.uniform(0.84, 1.06),
            heart_turn=rng.uniform(-0.15, 0.2),
            breasts=rng.uniform(0.6, 1.1) if rng.random() < 0.45 else 0.0,
        )


_LEVELS = np.array([-185.0, -120, -60, 0, 50, 90, 115, 150, 180])
_CAGE_FRONT = np.array([-86.0, -91, -92, -85, -64, -42, -27, -18, -15])
_CAGE_BACK = np.array([74.0, 82, 86, 84, 77, 64, 52, 40, 30])
_BODY_FRONT = np.array([-96.0, -101, -103, -99, -84, -70, -62, -58, -56])
_BODY_BACK = np.array([104.0, 108, 112, 114, 112, 106, 99, 90, 84])
_BODY_WIDTH = np.array([22.0, 22, 23, 26, 44, 58, 58, 46, 38])  # beyond the cage's greatest half width


def _level(z: Field, values: np.ndarray) -> Field:
    """A profile over the body's height, smoothly between its levels."""
    fine = np.linspace(_LEVELS[0], _LEVELS[-1], 200)
    line = np.interp(fine, _LEVELS, values)
    kernel = np.hanning(23)
    line = np.convolve(np.pad(line, 11, mode="edge"), kernel / kernel.sum(), mode="valid")
    return np.interp(z, fine, line).astype(np.float32)


def _outline(x: Field, y: Field, half_width: Field, front: Field, back: Field, power: float) -> Field:
    """Signed radial distance to a rounded cross section."""
    v = y - 0.5 * (front + back)
    half_depth = 0.5 * (back - front)
    reach = (np.abs(x / half_width) ** power + np.abs(v / half_depth) ** power) ** np.float32(1.0 / power)
    reach = np.maximum(reach, 1e-3)
    return np.asarray(np.hypot(x, v) * (1.0 - 1.0 / reach), dtype=np.float32)


def build_anatomy(rng: np.random.Generator, scale: float) -> Anatomy:
    """Draws one patient.

    Args:
        rng: Source of chance; the patient is a function of it alone.
        scale: Size relative to the reference adult.
    """
    build = _Build.draw(rng)
    z0, y0, x0 = GRID.axes()
    warp = [5.0 * smooth_noise(rng, GRID, 110.0) + 1.6 * smooth_noise(rng, GRID, 42.0) for _ in range(3)]
    z, y, x = z0 + 0.8 * warp[0], y0 + warp[1], x0 + warp[2]
    wave = build.scoliosis * np.sin(z0 / 55.0).astype(np.float32)

    cage_front = _level(z0, _CAGE_FRONT) * build.depth
    cage_back = _level(z0, _CAGE_BACK)
    top = np.clip((128.0 - z) / 152.0, 0.0, 1.0)
    narrowing = np.maximum(1.0 - (1.0 - top) ** 2.2, 0.012) ** 0.58
    cage = _outline(x, y, build.width * narrowing, cage_front * narrowing**0.4, cage_back, 2.35)
    cage = smooth_intersection(cage, z - 126.0, 10.0)

    fat = build.fat
    front = _level(z0, _BODY_FRONT) * build.depth - 0.8 * fat
    back = _level(z0, _BODY_BACK) + 0.8 * fat
    body = _outline(
        x0 + 0.7 * warp[2], y0 + 0.7 * warp[1], build.width + _level(z0, _BODY_WIDTH) + fat, front, back, 2.5
    )

    spine = _spine(build)
    lung, tubes, organs = _lungs_and_organs(rng, build, (z, y, x), (z0, y0, x0), cage, spine)
    muscle = _muscle(rng, build, (z0, y, x - wave), cage, body, fat)
    coarse = smooth_noise(rng, GRID, 46.0)
    fields = {
        "body": body,
        "muscle": muscle,
        "cage": cage,
        "lung": lung,
        **organs,
        "texture": smooth_noise(rng, GRID, 15.0),
        "coarse_texture": coarse,
        "density": _density(rng, y0, z0, coarse),
    }
    whole = {
        name: np.ascontiguousarray(np.broadcast_to(field, GRID.shape_zyx), dtype=np.float32)
        for name, field in fields.items()
    }
    hila = (np.array([-6.0, 8.0, -36.0]), np.array([-2.0, 12.0, 38.0]))
    return Anatomy(GRID, whole, tubes, spine, hila, 1.0).scaled(scale)


def _with_breasts(build: _Build, axes: tuple[Field, Field, Field], body: Field, front: Field) -> Field:
    """Flattened to the sides, as they lie on a patient's back."""
    if build.breasts <= 0:
        return body
    size = build.breasts
    at = float(np.interp(-45.0, GRID.axes()[0].ravel(), front.ravel()))
    for side in (-1.0, 1.0):
        lump = ellipsoid(axes, (-45.0, at + 16.0, side * 88.0), (52 * size, 34 * size, 58 * size))
        body = smooth_union(body, lump, 30.0)
    return body


def _spine(build: _Build) -> Points:
    z = np.linspace(-185.0, 165.0, 60)
    y = _level(z, _CAGE_BACK) - 22.0
    y[z > 90] += np.linspace(0, 14, int((z > 90).sum()))
    return np.column_stack([z, y, build.scoliosis * np.sin(z / 55.0)])


def _density(rng: np.random.Generator, y: Field, z: Field, coarse: Field) -> Field:
    """Attenuation of the parenchyma in HU: denser where it lies, airier in front, lobules of varying aeration."""
    level = rng.uniform(-885.0, -835.0)
    gradient = rng.uniform(0.15, 0.45)  # HU per mm from front to back
    emphysema = rng.random() < 0.2
    field = level + gradient * y + 9.0 * coarse + 10.0 * smooth_noise(rng, GRID, 22.0) - 0.05 * z
    if emphysema:
        holes = smoothstep(smooth_noise(rng, GRID, 26.0), 0.7, 1.3) * smoothstep(z, -20.0, 70.0)
        field = field - 70.0 * holes
    return np.asarray(np.clip(field, -970.0, -740.0), dtype=np.float32)


def _muscle(
    rng: np.random.Generator,
    build: _Build,
    axes: tuple[Field, Field, Field],
    cage: Field,
    body: Field,
    fat: float,
) -> Field:
    """Outer boundary of the muscles: paraspinal, pectoral, latissimus and shoulder over the rib cage."""
    z, y, x = axes
    side = np.abs(x)
    shoulder = smoothstep(z, 10.0, 80.0)
    paraspinal = 22.0 * smoothstep(-side, -62.0, -38.0) * smoothstep(y, 30.0, 62.0)
    pectoral = 13.0 * smoothstep(-y, 5.0, 40.0) * smoothstep(side, 8.0, 38.0) * smoothstep(z, -40.0, 40.0)
    latissimus = 9.0 * smoothstep(y, -10.0, 40.0) * smoothstep(side, 60.0, 100.0)
    blade = 26.0 * smoothstep(y, -8.0, 30.0) + 12.0 * smoothstep(-y, 12.0, 40.0) + 5.0
    thickness = 9.5 + build.muscle * (paraspinal + pectoral + latissimus + blade * shoulder)
    muscle = cage - thickness + 2.2 * smooth_noise(rng, GRID, 34.0)
    under_skin = body + np.float32(0.75 * fat + 2.5) + 2.0 * smooth_noise(rng, GRID, 50.0)
    return smooth_intersection(muscle, under_skin, 8.0)


def _lungs_and_organs(
    rng: np.random.Generator,
    build: _Build,
    axes: tuple[Field, Field, Field],
    straight: tuple[Field, Field, Field],
    cage: Field,
    spine: Points,
) -> tuple[Field, tuple[Tube, ...], dict[str, Field]]:
    """Lungs and what bounds them: heart, great vessels, spine, diaphragm with liver, spleen and stomach."""
    z, y, x = axes
    heart, chambers = _heart(build, axes)
    tubes = great_tubes(rng)
    diaphragm = _diaphragm(build, axes)
    septum = _outside_mediastinum(axes) + 2.5 * smooth_noise(rng, GRID, 40.0)
    lung = smooth_intersection(cage, septum, 18.0)
    lung = smooth_intersection(lung, 1.5 - heart, 14.0)
    bodies = capsules(GRID, spine[::4], np.full(len(spine[::4]), 25.0))
    lung = smooth_intersection(lung, -bodies, 12.0)
    for tube in tubes:
        if tube.kind in ("aorta", "vein", "pulmonary", "trachea"):
            lung = smooth_intersection(lung, 2.5 - capsules(GRID, tube.path_zyx, tube.radii_mm), 7.0)
    lung = smooth_intersection(lung, -diaphragm, 3.0)

    liver = smooth_intersection(cage + 4.0, diaphragm + 3.0, 5.0)
    liver = smooth_intersection(liver, x - (22.0 + 16.0 * smoothstep(-y, 0.0, 60.0)), 16.0)
    liver = smooth_intersection(liver, y - 62.0 + 0.25 * (x + 60), 14.0)
    spleen = smooth_intersection(ellipsoid(axes, (-118, 52, 92), (52, 36, 40)), cage + 4.0, 6.0)
    spleen = smooth_intersection(spleen, diaphragm + 3.5, 5.0)
    stomach = smooth_intersection(ellipsoid(axes, (-112, -10, 66), (66, 58, 54)), diaphragm + 2.0, 5.0)
    stomach = smooth_intersection(smooth_intersection(stomach, cage + 5.0, 6.0), 4.0 - spleen, 5.0)
    stomach = smooth_intersection(stomach, 5.0 - liver, 6.0)

    oblique_right = (z + 22.0) - 1.15 * (y - 5.0)
    oblique_left = (z + 12.0) - 1.25 * (y - 5.0)
    oblique = np.where(x < 0, oblique_right / 1.52, oblique_left / 1.6)
    horizontal = np.where((x < 0) & (oblique > 0), z + 12.0 - 0.12 * y, 40.0)
    organs = {
        "heart": heart,
        "chambers": chambers,
        "diaphragm": diaphragm,
        "liver": liver,
        "spleen": spleen,
        "stomach": stomach,
        "oblique": oblique,
        "horizontal": horizontal,
    }
    return lung, tubes, organs


def _heart(build: _Build, axes: tuple[Field, Field, Field]) -> tuple[Field, Field]:
    """Pericardium and blood pool."""
    turn = 0.75 + build.heart_turn
    long_axis = np.array([-0.45, -np.cos(turn) * 0.89, np.sin(turn) * 0.89])
    across = np.cross(long_axis, [0.0, 0.6, 0.8])
    across /= np.linalg.norm(across)
    frame = np.vstack([long_axis, across, np.cross(long_axis, across)])
    size = build.heart
    left_ventricle = ellipsoid(axes, (-64, -22, 40), np.array([56, 42, 38]) * size, frame)
    right_ventricle = ellipsoid(axes, (-64, -45, 12), np.array([40, 32, 42]) * size)
    right_atrium = ellipsoid(axes, (-50, -14, -20), np.array([36, 32, 26]) * size)
    left_atrium = ellipsoid(axes, (-36, 18, 8), np.array([26, 20, 34]) * size)
    heart = smooth_union(left_ventricle, right_ventricle, 22.0)
    heart = smooth_union(heart, smooth_union(right_atrium, left_atrium, 14.0), 20.0)
    cavity = ellipsoid(axes, (-62, -22, 40), np.array([44, 29, 25]) * size, frame)
    pool = np.minimum(np.minimum(cavity, right_ventricle + 7.0), np.minimum(right_atrium, left_atrium) + 5.0)
    return heart, pool


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
        tube("vein", [[110, -20, -32], [80, -20, -24], [48, -20, -26], [10, -14, -28], [-30, -10, -26]], [6, 7, 9, 9.5, 11]),
        tube("vein", [[105, -18, 34], [82, -24, 24], [66, -28, 2], [56, -24, -18], [48, -20, -26]], [6, 6.5, 7, 7, 7]),
        tube("vein", [[-70, 2, -24], [-100, 8, -24], [-140, 14, -22], [-185, 16, -20]], [12, 11.5, 11, 11]),
        tube("artery", [[44, -2, 2], [72, -8, -8], [100, -12, -16], [140, -14, -26]], [6.5, 6, 5.5, 4]),
        tube("artery", [[46, 6, 9], [76, 2, 15], [110, -6, 19], [150, -10, 24]], [4.5, 4, 4, 3.5]),
        tube("artery", [[45, 16, 16], [80, 18, 23], [106, 8, 36], [116, -4, 62]], [5, 4.8, 4.6, 4.2]),
        tube("pulmonary", [[-30, -36, 14], [-4, -30, 16], [12, -14, 18], [10, 8, 30], [2, 12, 40]], [13, 13.5, 13, 11, 9]),
        tube("pulmonary", [[10, -14, 16], [0, -4, 0], [-4, -2, -18], [-6, 2, -34]], [11.5, 10.5, 10, 9]),
        tube("oesophagus", [[150, 16, 4], [80, 22, 6], [20, 26, 4], [-30, 32, 4], [-90, 26, 10], [-125, 12, 24]], [6, 6.5, 6.5, 7, 7.5, 8]),
        tube("azygos", [[30, 2, -26], [38, 18, -20], [28, 34, -9], [-30, 46, -5], [-120, 44, -4]], [4.5, 4.5, 4.5, 4, 3.5]),
        tube("trachea", [[170, -8, 0], [110, 2, -1], [60, 6, -3], [18, 12, -1]], [8.5, 8.5, 8.8, 9.2], 0.8),
        tube("bronchus", [[20, 12, -1], [8, 13, -13], [-4, 14, -26], [-8, 14, -37]], [7.5, 6.8, 6.2, 5.4], 0.5),
        tube("bronchus", [[20, 12, -1], [10, 14, 12], [0, 17, 28], [-4, 19, 40]], [7.5, 6.2, 5.8, 5.2], 0.5),
    )  # fmt: skip


def _diaphragm(build: _Build, axes: tuple[Field, Field, Field]) -> Field:
    """Height above the diaphragm: two domes, the heart's saddle between them, a deep sulcus behind."""
    z, y, x = axes
    sulcus = 34.0 + 48.0 * smoothstep(y, -45.0, 65.0)  # how much lower than the dome the rim is, deepest behind

    def dome(centre_x: float, top: float) -> Field:
        rho = ((x - centre_x) / 84.0) ** 2 + ((y + 12.0) / np.where(y > -12.0, 92.0, 98.0)) ** 2
        return np.asarray(top - sulcus * rho**1.2, dtype=np.float32)

    height = -smooth_union(-dome(-64.0, build.right_dome), -dome(66.0, build.left_dome), 16.0)
    return np.asarray((z - np.maximum(height, -172.0)) * np.float32(0.8), dtype=np.float32)


def _outside_mediastinum(axes: tuple[Field, Field, Field]) -> Field:
    """Negative where a lung may be: beside a septum thin in front, wide at the hila and at the inlet."""
    z, y, x = axes
    middle = np.interp(z, [-150, -60, 0, 45, 85, 125], [22, 24, 25, 24, 28, 30]).astype(np.float32)
    anterior = np.interp(z, [-150, -60, 0, 45, 85, 125], [26, 14, 5, 6, 22, 30]).astype(np.float32)
    half_width = anterior + (middle - anterior) * smoothstep(y, -46.0, -16.0)
    half_width = half_width - 9.0 * smoothstep(y, 18.0, 44.0)
    return np.asarray(half_width - np.abs(x - 2.0), dtype=np.float32)

"""What a radiologist would report of a patient: nodules, and what only looks like one.

Findings are placed in the patient's frame, so that a follow-up scan shows the same ones.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from medpipe.ct.phantom.anatomy import Anatomy
from medpipe.ct.phantom.fields import Points
from medpipe.ct.phantom.lungtrees import LungTrees
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.trees import Segments

Texture = Literal["solid", "part-solid", "ground-glass"]
Attachment = Literal["isolated", "juxtapleural", "juxtavascular"]
Irrelevant = Literal["micronodule", "plaque", "scar"]

SPICULATED_FROM_MM = 7.0
"""Smaller nodules show no spicules at the resolution of a CT."""

_KEEP_APART_MM = 14.0

_LARGE_VESSEL_MM = 1.5
"""Radius; what touches a thinner vessel is still called isolated, since there is no place in a lung without one."""

_THIN_VESSEL_MM = 0.9
"""Radius; thinner vessels hide no nodule."""

_TRIES = 40


@dataclass(frozen=True)
class Finding:
    """One nodule, or one irrelevant finding.

    Attributes:
        kind: "nodule" or "irrelevant".
        centre_zyx: Centre in the patient's frame, mm.
        diameter_mm: Diameter of the sphere of the same mean radius.
        texture: Of a nodule.
        attachment: What it touches.
        spiculated: Whether strands radiate from it.
        form: Which irrelevant finding; empty for a nodule.
        normal_zyx: Unit normal of the pleura or axis of a scar.
        seed: Of its outline.
    """

    kind: Literal["nodule", "irrelevant"]
    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    texture: Texture = "solid"
    attachment: Attachment = "isolated"
    spiculated: bool = False
    form: Irrelevant | Literal[""] = ""
    normal_zyx: tuple[float, float, float] = (1.0, 0.0, 0.0)
    seed: int = 0

    def grown(self, factor: float) -> "Finding":
        """The same finding at another size."""
        return replace(self, diameter_mm=self.diameter_mm * factor)


@dataclass(frozen=True)
class Findings:
    """Everything that is not plain anatomy in one patient.

    Attributes:
        listed: Nodules and irrelevant findings, which the tables name.
        knots: Vessel crossings and thickened branchings that look like nodules, (centre, radius, seed); they are
            named nowhere: a mark on one is a false alarm.
    """

    listed: tuple[Finding, ...]
    knots: tuple[tuple[tuple[float, float, float], float, int], ...] = field(default=())


def _triple(point: Points) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])


class _Placer:
    """Chooses places in the lungs, apart from each other."""

    def __init__(self, anatomy: Anatomy, trees: LungTrees, rng: np.random.Generator) -> None:
        self._grid = anatomy.grid
        self._lung = np.ascontiguousarray(anatomy.layer("lung"))
        self._scale = anatomy.scale
        self._rng = rng
        self._taken: list[Points] = []
        nodes = np.argwhere(self._lung < 0)
        self._nodes = np.asarray(anatomy.grid.origin_zyx_mm) + anatomy.grid.step_mm * nodes
        self._depth = -self._lung[tuple(nodes.T)]
        thick = trees.arteries.radii_mm.mean(axis=1)
        self._vessels = trees.arteries.where((thick > _THIN_VESSEL_MM) & (thick < 2.4))
        seen = Segments.join([trees.arteries, trees.veins])
        self._seen_vessels = seen.where(seen.radii_mm.max(axis=1) > _THIN_VESSEL_MM)
        self._large_vessels = seen.where(seen.radii_mm.max(axis=1) > _LARGE_VESSEL_MM)

    def _free(self, point: Points, radius_mm: float) -> bool:
        room = min(_KEEP_APART_MM, 12.0 * self._scale + 2.0) + radius_mm
        return all(np.linalg.norm(point - other) > room for other in self._taken)

    def inside(self, radius_mm: float, deeper_than_mm: float) -> Points:
        """A point of the lung at least so deep below its surface, whose ball touches no large vessel."""
        deepest = float(self._depth.max())
        chosen = self._nodes[self._depth > min(deeper_than_mm, 0.7 * deepest)]
        point = chosen[0]
        for _ in range(_TRIES):
            point = chosen[self._rng.integers(len(chosen))] + self._rng.uniform(-0.5, 0.5, 3) * self._grid.step_mm
            if self._free(point, radius_mm) and self._large_vessels.gap(point).min(initial=np.inf) > radius_mm:
                break
        self._taken.append(point)
        return np.asarray(point)

    def at_pleura(self, depth_mm: float) -> tuple[Points, Points]:
        """A point so deep below the outer surface of the lung, and the outward normal there."""
        point = self._nodes[0]
        for _ in range(_TRIES):
            point = self._nodes[self._rng.integers(len(self._nodes))].copy()
            for _ in range(6):
                normal = self._grid.gradient(self._lung, point[None])[0]
                here = float(self._grid.sample(self._lung, point[None])[0])
                point = point - normal * (here + depth_mm)
            lateral = abs(point[2]) > 45.0 * self._scale
            if lateral and abs(here + depth_mm) < 1.0 and self._free(point, 4.0):
                break
        self._taken.append(point)
        return point, self._grid.gradient(self._lung, point[None])[0]

    def at_vessel(self, radius_mm: float) -> Points:
        """A point outside vessels whose ball of ``radius_mm`` touches or half covers one."""
        v = self._vessels
        point = v.start_zyx[0]
        for _ in range(_TRIES):
            i = int(self._rng.integers(len(v)))
            side = np.cross(v.end_zyx[i] - v.start_zyx[i], self._rng.standard_normal(3))
            side /= max(float(np.linalg.norm(side)), 1e-9)
            offset = radius_mm * self._rng.uniform(0.45, 0.95) + 0.5 * float(v.radii_mm[i, 0])
            point = v.start_zyx[i] + side * offset
            depth = -float(self._grid.sample(self._lung, point[None])[0])
            outside = self._seen_vessels.gap(point).min(initial=np.inf) > 0
            if depth > radius_mm and outside and self._free(point, radius_mm):
                break
        self._taken.append(point)
        return np.asarray(point)

    def on_vessel(self) -> Points:
        """A point in a vessel of the size whose crossings look like nodules."""
        i = int(self._rng.integers(len(self._vessels)))
        return self._vessels.start_zyx[i]


def _draw_nodule(params: PhantomParams, place: _Placer, rng: np.random.Generator) -> Finding:
    low, high = params.nodule_diameter_mm
    diameter = float(low * (high / low) ** (rng.random() ** params.size_exponent))
    chance = rng.random()
    texture: Texture = "solid"
    if chance < params.ground_glass_fraction:
        texture, diameter = "ground-glass", max(diameter, min(8.0, high))
    elif chance < params.ground_glass_fraction + params.part_solid_fraction:
        texture, diameter = "part-solid", max(diameter, min(8.0, high))
    radius = 0.5 * diameter
    spiculated = (
        diameter > SPICULATED_FROM_MM and texture != "ground-glass" and rng.random() < params.spiculated_fraction
    )
    chance = rng.random()
    attachment: Attachment = "isolated"
    normal = rng.standard_normal(3)
    if chance < params.juxtapleural_fraction and texture == "solid":
        attachment = "juxtapleural"
        centre, normal = place.at_pleura(radius * rng.uniform(0.35, 0.85))
    elif chance < params.juxtapleural_fraction + params.juxtavascular_fraction:
        attachment = "juxtavascular"
        centre = place.at_vessel(radius)
    else:
        centre = place.inside(radius, radius + 3.0)
    normal = normal / np.linalg.norm(normal)
    return Finding(
        "nodule",
        _triple(centre),
        diameter,
        texture,
        attachment,
        bool(spiculated),
        "",
        _triple(normal),
        _seed(rng),
    )


def _draw_irrelevant(place: _Placer, rng: np.random.Generator) -> Finding:
    form: Irrelevant = str(rng.choice(["micronodule", "plaque", "scar"], p=[0.5, 0.25, 0.25]))  # type: ignore[assignment]
    normal = rng.standard_normal(3)
    normal /= np.linalg.norm(normal)
    attachment: Attachment = "isolated"
    if form == "micronodule":
        diameter = rng.uniform(1.6, 2.9)
        centre = place.inside(2.0, 4.0)
    elif form == "plaque":
        diameter = rng.uniform(8.0, 18.0)
        centre, normal = place.at_pleura(0.3)
        attachment = "juxtapleural"
    else:
        diameter = rng.uniform(9.0, 22.0)
        centre = place.inside(3.0, 6.0)
    return Finding(
        "irrelevant",
        _triple(centre),
        float(diameter),
        "solid",
        attachment,
        False,
        form,
        _triple(normal),
        _seed(rng),
    )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def draw_findings(
    params: PhantomParams, anatomy: Anatomy, trees: LungTrees, healthy: bool, rng: np.random.Generator
) -> Findings:
    """Draws what one patient has.

    Args:
        params: Rates and shares.
        anatomy: Where the lungs lie.
        trees: Where the vessels run.
        healthy: Whether the patient has no nodule.
        rng: Source of chance.
    """
    place = _Placer(anatomy, trees, rng)
    n_nodules = 0 if healthy else 1 + int(rng.poisson(params.mean_nodules - 1.0))
    listed = [_draw_nodule(params, place, rng) for _ in range(n_nodules)]
    listed += [_draw_irrelevant(place, rng) for _ in range(int(rng.poisson(params.mean_irrelevant)))]
    knots = tuple(
        (_triple(place.on_vessel()), float(rng.uniform(1.0, 2.0)), _seed(rng))
        for _ in range(int(rng.poisson(params.mean_lookalikes)))
    )
    return Findings(tuple(listed), knots)

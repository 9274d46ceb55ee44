"""Makes one scan of the cohort: patient, acquisition, voxels, labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medpipe.ct.geometry import Geometry
from medpipe.ct.phantom.acquire import SHARP_KERNELS, SOFT_KERNELS, Kernel, blur, digitise
from medpipe.ct.phantom.anatomy import Anatomy, build_anatomy
from medpipe.ct.phantom.fields import Points
from medpipe.ct.phantom.findings import Finding, Findings, draw_findings
from medpipe.ct.phantom.lesions import LUNG_HU, Canvas, nodule_mask, paint_finding, paint_knot
from medpipe.ct.phantom.lungtrees import LungTrees, build_trees
from medpipe.ct.phantom.paint import DARKEN, paint_segments, tube
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.plan import ScanPlan, rng_for
from medpipe.ct.phantom.skeleton import build_skeleton, paint_skeleton
from medpipe.ct.phantom.tissue import Attenuation, backdrop, compose
from medpipe.ct.phantom.trees import Segments
from medpipe.ct.volume import Volume

MEDIASTINUM_HU = -98.0


@dataclass(frozen=True)
class Label:
    """A finding in the scan: centre in world LPS (x, y, z) mm, and what it is."""

    xyz_mm: tuple[float, float, float]
    finding: Finding


@dataclass(frozen=True)
class PhantomScan:
    """A finished scan.

    Attributes:
        plan: What was to be made.
        volume: Its voxels.
        kernel: Of the reconstruction.
        labels: Its findings.
        outlines: Voxels of the nodules, as the volume lies: the number of the label, counted from 1; 0 elsewhere.
    """

    plan: ScanPlan
    volume: Volume
    kernel: str
    labels: tuple[Label, ...]
    outlines: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Frame:
    """Voxel grid in the patient's frame (canonical axes) and the shift to world coordinates."""

    shape: tuple[int, int, int]
    spacing_zyx: Points
    origin_zyx: Points
    shift_zyx: Points


def _frame(params: PhantomParams, anatomy: Anatomy, rng: np.random.Generator) -> _Frame:
    """Field of view around the chest as an operator would choose it."""
    s = anatomy.scale
    lung = anatomy.layer("lung") < 0
    body = anatomy.layer("body") < 0
    z, y, x = (axis.ravel() for axis in anatomy.grid.axes())
    level = z[np.where(lung.any(axis=(1, 2)))[0]]
    rows = y[np.where((body & (np.abs(anatomy.grid.axes()[0]) < 40 * s)).any(axis=(0, 2)))[0]]
    across = x[np.where(lung.any(axis=(0, 1)))[0]]
    width = float(across[-1] - across[0])
    wanted = width + s * rng.uniform(56.0, 112.0)
    low, high = params.matrix
    pixel = rng.uniform(max(params.pixel_spacing_mm[0], 0.82 * params.pixel_spacing_mm[1]), params.pixel_spacing_mm[1])
    n = int(np.clip(round(wanted / pixel / 8) * 8, low, high))
    pixel = round(wanted / n, 4)
    thickness = float(rng.choice(_slice_choices(*params.slice_spacing_mm)))
    bottom = float(level[0]) - s * rng.uniform(2.0, 18.0)
    top = float(level[-1]) + s * rng.uniform(10.0, 24.0)
    nz = int(np.ceil((top - bottom) / thickness))
    spacing = np.array([thickness, pixel, pixel])
    centre_y = 0.5 * float(rows[0] + rows[-1]) + s * rng.uniform(-2.0, 12.0)
    centre_x = 0.5 * float(across[0] + across[-1]) + s * rng.normal(0.0, 4.0)
    half = 0.5 * (n - 1) * pixel
    shift = np.array([rng.uniform(-400.0, 100.0), rng.uniform(-190.0, -20.0), rng.uniform(-25.0, 25.0)])
    return _Frame((nz, n, n), spacing, np.array([bottom, centre_y - half, centre_x - half]), np.round(shift, 2))


def _slice_choices(low: float, high: float) -> list[float]:
    usual = [v for v in (0.625, 0.75, 1.0, 1.25, 1.5, 1.8, 2.0, 2.5, 3.0, 3.75, 5.0) if low <= v <= high]
    return usual or [0.5 * (low + high)]


def make_scan(params: PhantomParams, plan: ScanPlan) -> PhantomScan:
    """Makes one scan; a function of its arguments alone."""
    patient_rng = rng_for(params, plan.patient, 0)
    visit_rng = rng_for(params, plan.patient, 20 + plan.visit)
    anatomy = build_anatomy(patient_rng, float(patient_rng.uniform(*params.chest_scale)))
    trees = build_trees(anatomy, patient_rng)
    findings = draw_findings(params, anatomy, trees, plan.healthy, patient_rng)
    skeleton_rng = rng_for(params, plan.patient, 1)

    frame = _frame(params, anatomy, visit_rng)
    kernels = SHARP_KERNELS if plan.sharp else SOFT_KERNELS
    kernel: Kernel = kernels[int(visit_rng.integers(len(kernels)))]
    blood = Attenuation.draw(visit_rng, plan.contrast)
    if plan.visit:
        findings = _followed_up(params, findings, visit_rng)

    canvas = Canvas(
        np.empty(frame.shape, dtype=np.float32),
        frame.origin_zyx,
        frame.spacing_zyx,
        np.ascontiguousarray(anatomy.layer("lung")),
        anatomy.grid,
    )
    y = frame.origin_zyx[1] + frame.spacing_zyx[1] * np.arange(frame.shape[1])
    x = frame.origin_zyx[2] + frame.spacing_zyx[2] * np.arange(frame.shape[2])
    behind = anatomy.grid.axes()[1].ravel()[np.where((anatomy.layer("body") < 0).any(axis=(0, 2)))[0][-1]]
    around = backdrop(visit_rng, y, x, float(behind), anatomy.scale)
    seed = int(visit_rng.integers(2**31))
    compose(anatomy, canvas.volume, frame.origin_zyx, frame.spacing_zyx, around, blood, seed)
    _paint_tubes(canvas, anatomy, trees, blood)
    for centre, radius, knot_seed in findings.knots:
        paint_knot(canvas, np.asarray(centre), radius, knot_seed, blood.blood)
    for finding in findings.listed:
        paint_finding(canvas, finding, 30.0 if plan.contrast else 0.0)
    skeleton = build_skeleton(anatomy, skeleton_rng)
    paint_skeleton(canvas.volume, frame.origin_zyx, frame.spacing_zyx, skeleton, anatomy.scale)
    blur(canvas.volume, frame.spacing_zyx, kernel)
    pad = [None, -1024, -2048][int(visit_rng.integers(3))]
    array = digitise(canvas.volume, anatomy, frame.origin_zyx, frame.spacing_zyx, kernel, visit_rng, pad)

    geometry = Geometry(
        frame.shape,
        (float(frame.spacing_zyx[0]), float(frame.spacing_zyx[1]), float(frame.spacing_zyx[2])),
        _xyz(frame.origin_zyx + frame.shift_zyx),
    )
    labels = tuple(
        Label(_xyz(np.asarray(finding.centre_zyx) + frame.shift_zyx), finding)
        for finding in findings.listed
        if geometry.contains([_xyz(np.asarray(finding.centre_zyx) + frame.shift_zyx)])[0]
    )
    outlines = np.zeros(frame.shape, dtype=np.int16)
    for number, label in enumerate(labels, start=1):
        if label.finding.kind == "nodule":
            start, voxels = nodule_mask(canvas, label.finding)
            z, y, x = (slice(low, low + n) for low, n in zip(start, voxels.shape, strict=True))
            outlines[z, y, x][voxels] = number
    turned = reorient(Volume(outlines, geometry), plan.direction).array.astype(np.uint8)
    return PhantomScan(plan, reorient(Volume(array, geometry), plan.direction), kernel.name, labels, turned)


def _xyz(point_zyx: Points) -> tuple[float, float, float]:
    return float(point_zyx[2]), float(point_zyx[1]), float(point_zyx[0])


def _followed_up(params: PhantomParams, findings: Findings, rng: np.random.Generator) -> Findings:
    """Months later: most nodules are as they were, some have grown."""
    listed = []
    for finding in findings.listed:
        grows = finding.kind == "nodule" and rng.random() < 0.4
        factor = float(rng.uniform(1.05, 1.3)) if grows else 1.0
        largest = params.nodule_diameter_mm[1] / finding.diameter_mm
        listed.append(finding.grown(min(factor, max(largest, 1.0))))
    return Findings(tuple(listed), findings.knots)


def _paint_tubes(canvas: Canvas, anatomy: Anatomy, trees: LungTrees, blood: Attenuation) -> None:
    """Vessels from the great to the finest, then the airways."""
    place = (canvas.volume, canvas.origin_zyx, canvas.spacing_zyx)
    value = {
        "aorta": blood.blood,
        "artery": blood.blood,
        "vein": 0.5 * (blood.blood + blood.right_blood),
        "pulmonary": blood.right_blood,
        "oesophagus": 36.0,
        "azygos": 42.0,
    }
    airways = [trees.bronchi]
    for part in anatomy.tubes:
        segments = tube(part.path_zyx, part.radii_mm)
        if part.kind in value:
            paint_segments(*place, segments, value[part.kind], MEDIASTINUM_HU)
        else:
            airways.append(segments)
    paint_segments(*place, trees.arteries, blood.right_blood, LUNG_HU)
    paint_segments(*place, trees.veins, blood.blood, LUNG_HU)
    lumen = Segments.join(airways)
    wall = Segments(lumen.start_zyx, lumen.end_zyx, 1.1 * lumen.radii_mm + 0.35 * anatomy.scale, lumen.tips)
    paint_segments(*place, wall, 10.0, LUNG_HU)
    paint_segments(*place, lumen, -995.0, 10.0, mode=DARKEN)


def reorient(volume: Volume, direction: tuple[tuple[float, float, float], ...]) -> Volume:
    """The same scan stored along other axes.

    Args:
        volume: A scan with the identity as direction.
        direction: Signed permutation; rows are world (x, y, z), columns the index axes (x, y, z).
    """
    columns = np.asarray(direction).T
    world_axes = [int(np.argmax(np.abs(column))) for column in columns]  # world axis of index x, y, z
    order = tuple(2 - axis for axis in reversed(world_axes))
    flips = tuple(axis for axis, column in enumerate(reversed(columns)) if column.sum() < 0)
    array = np.ascontiguousarray(np.flip(volume.array.transpose(order), axis=flips))
    old = volume.geometry
    corner = np.zeros(3)
    for k, column in enumerate(columns):
        if column.sum() < 0:
            axis = 2 - world_axes[k]
            corner[axis] = old.shape_zyx[axis] - 1
    spacing = tuple(old.spacing_zyx_mm[axis] for axis in order)
    origin = old.to_world([corner])[0]
    geometry = Geometry(
        array.shape,
        (spacing[0], spacing[1], spacing[2]),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple((float(row[0]), float(row[1]), float(row[2])) for row in direction),
    )
    return Volume(array, geometry)

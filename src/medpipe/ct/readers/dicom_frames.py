"""Slices of a DICOM file: one of a plain file, one a frame of an enhanced one (DICOM PS3.3 C.7.6.16)."""

from dataclasses import replace

from medpipe.ct.readers.dicom_elements import Elements
from medpipe.ct.readers.dicom_records import TIME_TAGS, FileHeader, SliceHeader

SHARED_GROUPS = 0x52009229
FRAME_GROUPS = 0x52009230

IMAGE_TYPE = 0x00080008
INSTANCE_NUMBER = 0x00200013
POSITION = 0x00200032
ORIENTATION = 0x00200037
PIXEL_SPACING = 0x00280030
INTERCEPT = 0x00281052
SLOPE = 0x00281053

FRAME_CONTENT = 0x00209111
CARDIAC_SYNCHRONIZATION = 0x00189118
RECONSTRUCTION = 0x00189314
PLANE_POSITION = 0x00209113
PLANE_ORIENTATION = 0x00209116
PIXEL_MEASURES = 0x00289110
PIXEL_TRANSFORMATION = 0x00289145
FRAME_TYPE_GROUP = 0x00189329
FRAME_TYPE = 0x00089007
KERNEL = 0x00181210

_FRAME_TIMES = (
    (FRAME_CONTENT, 0x00209128),
    (CARDIAC_SYNCHRONIZATION, 0x00209241),
    (CARDIAC_SYNCHRONIZATION, 0x00209153),
    (FRAME_CONTENT, 0x00209156),
)
"""Temporal position index, percentage and delay of the cardiac phase, acquisition number of a frame."""

_FRAME_CLOCKS = ((FRAME_CONTENT, 0x00189074), (FRAME_CONTENT, 0x00189151))
"""Acquisition and reference time of a frame."""

_CLOCKS = frozenset({0x00080032, 0x00080033})


def plain_header(file: FileHeader, values: Elements) -> SliceHeader:
    """The slice of a file without functional groups. A multi-frame file of that kind comes as one slice too."""
    times = tuple(values.time(tag) if tag in _CLOCKS else values.real(tag) for tag in TIME_TAGS)
    return SliceHeader(
        file=file,
        frame=0,
        position_mm=values.numbers(POSITION, 3),
        orientation=values.numbers(ORIENTATION, 6),
        pixel_spacing_mm=values.numbers(PIXEL_SPACING, 2),
        image_type=values.values(IMAGE_TYPE),
        times=times,
        order=(values.real(INSTANCE_NUMBER) or 0.0, 0),
        slope=values.factor(SLOPE, 1.0),
        intercept=values.factor(INTERCEPT, 0.0),
    )


def frame_headers(file: FileHeader, values: Elements) -> list[SliceHeader]:
    """The frames of a file with functional groups, each with its own place, spacing and rescaling.

    Where the groups do not describe every frame, one header without a place stands for the file.
    """
    shared = next(iter(values.items(SHARED_GROUPS)), None)
    frames = values.items(FRAME_GROUPS)
    instance = values.real(INSTANCE_NUMBER) or 0.0
    if len(frames) != file.n_frames:
        bare = _frame_header(file, 0, _Groups(values, None, None), instance)
        return [bare]
    if frames and (recipe := _Groups(values, frames[0], shared)(RECONSTRUCTION)):
        file = replace(file, kernel=file.kernel or recipe.words(KERNEL))
    return [_frame_header(file, k, _Groups(values, own, shared), instance) for k, own in enumerate(frames)]


class _Groups:
    """Functional groups of one frame: its own where it has the group, else the one shared by all frames."""

    def __init__(self, file: Elements, own: Elements | None, shared: Elements | None) -> None:
        self.file, self.levels = file, [level for level in (own, shared) if level is not None]

    def __call__(self, group: int) -> Elements | None:
        for level in self.levels:
            if items := level.items(group):
                return items[0]
        return None

    def real(self, group: int, tag: int) -> float | None:
        found = self(group)
        return None if found is None else found.real(tag)

    def time(self, group: int, tag: int) -> float | None:
        found = self(group)
        return None if found is None else found.time(tag)

    def numbers(self, group: int, tag: int, count: int) -> tuple[float, ...] | None:
        found = self(group)
        return None if found is None else found.numbers(tag, count)

    def factor(self, tag: int, missing: float) -> float:
        """Of the frame's rescaling; some writers put one for all frames where plain files have it."""
        found = self(PIXEL_TRANSFORMATION) or self.file
        return found.factor(tag, missing)


def _frame_header(file: FileHeader, frame: int, groups: _Groups, instance: float) -> SliceHeader:
    frame_type = groups(FRAME_TYPE_GROUP)
    index, percentage, delay, acquisition = (groups.real(group, tag) for group, tag in _FRAME_TIMES)
    acquired, referred = (groups.time(group, tag) for group, tag in _FRAME_CLOCKS)
    return SliceHeader(
        file=file,
        frame=frame,
        position_mm=groups.numbers(PLANE_POSITION, POSITION, 3),
        orientation=groups.numbers(PLANE_ORIENTATION, ORIENTATION, 6),
        pixel_spacing_mm=groups.numbers(PIXEL_MEASURES, PIXEL_SPACING, 2),
        image_type=frame_type.values(FRAME_TYPE) if frame_type else groups.file.values(IMAGE_TYPE),
        times=(None, index, percentage, delay, None, acquisition, acquired, referred),
        order=(instance, frame),
        slope=groups.factor(SLOPE, 1.0),
        intercept=groups.factor(INTERCEPT, 0.0),
    )

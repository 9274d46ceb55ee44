"""Names of image files: which are label maps, which scan they belong to, and the series uid a scan gets.

Three layouts are known: ``case1_seg.nii.gz`` beside ``case1.nii.gz``; ``labelsTr/case1.nii.gz`` beside
``imagesTr/case1.nii.gz`` (Medical Segmentation Decathlon, http://medicaldecathlon.com); and ``labelsTr/case1.nii.gz``
beside ``imagesTr/case1_0000.nii.gz`` (nnU-Net v2, documentation/dataset_format.md).
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from medpipe.ct.readers.itk import IMAGE_SUFFIXES, split_name
from medpipe.ct.store import is_storable_uid

CHANNEL_ENDING = "_0000"
"""Ending of the first channel of an image; CT has no other."""

MAX_UID_LETTERS = 110
"""What is kept of a long name, so that with its digest it names files of at most 128 letters."""

_LABEL_FOLDER = re.compile(r"labels?(.*)", re.IGNORECASE)
_DICOM_UID = re.compile(r"\d+(\.\d+){3,}|2\.25\.\d+")  # the second form is made of a UUID (PS3.5 B.2)


def series_uid_of(name: str) -> str:
    """The series uid of a scan that has nothing but a name: the name itself where it can name files of the store.

    Of another name what cannot stay is replaced, and a digest keeps apart what would then be the same.
    """
    if is_storable_uid(name):
        return name
    kept = re.sub(r"[^A-Za-z0-9_.\-]", "_", name)[:MAX_UID_LETTERS].lstrip(".-")
    return f"{kept}-{blake2b(name.encode(errors='surrogateescape'), digest_size=4).hexdigest()}".lstrip("-")


def label_maps(files: Sequence[Path], map_suffix: str) -> dict[Path, Path | str]:
    """Every label map among the files, with the image file or the series uid of its scan.

    A name that ends like a label map's is taken for one only where its scan is there, or where the rest of the name
    is a DICOM series uid; it is a scan otherwise, and the gate has its say. In a folder of labels everything is a
    label map, even without its scan.

    Args:
        files: All files of the raw folder.
        map_suffix: Ending of the name of a label map.
    """
    images: dict[tuple[Path, str], Path] = {}
    folders: dict[str, set[Path]] = defaultdict(set)
    for file in files:
        stem, suffix = split_name(file)
        if suffix in IMAGE_SUFFIXES:
            images.setdefault((file.parent, stem), file)
            folders[file.parent.name.lower()].add(file.parent)
    found: dict[Path, Path | str] = {}
    for file in files:
        stem, suffix = split_name(file)
        if suffix not in IMAGE_SUFFIXES:
            continue
        target = _of_folder(file, stem, images, folders) or _of_name(file, stem, images, map_suffix)
        if target is not None:
            found[file] = target
    return found


def _of_folder(
    file: Path, stem: str, images: dict[tuple[Path, str], Path], folders: dict[str, set[Path]]
) -> Path | str | None:
    """The scan of a file in ``labels...``, when there is a folder ``images...`` beside it."""
    if (match := _LABEL_FOLDER.fullmatch(file.parent.name)) is None:
        return None
    beside = [path for path in folders[f"images{match[1]}".lower()] if path.parent == file.parent.parent]
    if not beside:
        return None
    names = [(folder, name) for folder in beside for name in (stem, stem + CHANNEL_ENDING)]
    return next((images[name] for name in names if name in images), stem)


def _of_name(file: Path, stem: str, images: dict[tuple[Path, str], Path], map_suffix: str) -> Path | str | None:
    rest = stem.removesuffix(map_suffix)
    if rest == stem or not rest:
        return None
    if _DICOM_UID.fullmatch(rest):
        return rest
    return images.get((file.parent, rest)) or images.get((file.parent, rest + CHANNEL_ENDING))

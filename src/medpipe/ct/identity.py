"""Who a scan is of stays in the raw layer: pseudonyms by a keyed hash, and the one table that leads back.

A pseudonym is the keyed BLAKE2b hash (RFC 7693) of the identifier, so the same series and patient get the same
pseudonym in every run of a project, and nobody without the key can find it by trying identifiers. A series'
pseudonym is a valid DICOM uid (root 2.25 with 128 bits, PS3.5 B.2).
"""

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medpipe.core.atomic import atomic_path
from medpipe.core.errors import InputError
from medpipe.ct.readers.base import ScanRef

LOCATION_COLUMNS = {
    "series_uid": "str",
    "source_series_uid": "str",
    "patient_id": "str",
    "source_patient_id": "str",
    "reader": "str",
    "path": "str",
    "sample": "str",
    "file_at_fault": "str",
}
"""Columns of the table that leads from a series of the manifest back to its files and its patient."""

KEY_FILE = "pseudonym.key"
KEY_BYTES = 32

PUBLISHED_UIDS = {"luna16": re.compile(r"\d+(\.\d+)+"), "lidc": re.compile(r"1\.3\.6\.1\.4\.1\.14519\.5\.2\.1\..+")}
"""Data sets that were published without identities, under uids by which everybody compares results: any uid as the name
of a MetaImage, and uids of The Cancer Imaging Archive. Other scans of these sources are somebody's own."""


def load_key(folder: Path | str) -> bytes:
    """The secret of this project's pseudonyms; made on first use, readable by its owner alone.

    Args:
        folder: Where the key is kept. Copy the key to get the same pseudonyms elsewhere.

    Raises:
        InputError: If the file holds no key.
    """
    file = Path(folder) / KEY_FILE
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.parent.chmod(0o700)  # the table that leads back to the patients lies beside the key
        with atomic_path(file) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_text(secrets.token_hex(KEY_BYTES) + os.linesep, encoding="ascii")
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise InputError(f"{file}: a key of {2 * KEY_BYTES} hexadecimal digits is expected") from error
    if len(key) != KEY_BYTES:
        raise InputError(f"{file}: a key of {2 * KEY_BYTES} hexadecimal digits is expected, got {2 * len(key)}")
    return key


def series_pseudonym(series_uid: str, key: bytes) -> str:
    """A DICOM uid in place of a series'."""
    return f"2.25.{int.from_bytes(_hash(series_uid, key, b'series'), 'big')}"


def patient_pseudonym(patient_id: str, key: bytes) -> str:
    """32 hexadecimal digits in place of a patient's id."""
    return _hash(patient_id, key, b"patient").hex()


def _hash(identifier: str, key: bytes, use: bytes) -> bytes:
    return hashlib.blake2b(identifier.encode("utf-8"), key=key, person=use, digest_size=16).digest()


def needs_pseudonym(scan: ScanRef, policy: str) -> bool:
    """Whether the uids of a scan must be replaced.

    Args:
        scan: Of any source.
        policy: ``ingest_ct.pseudonyms``: "always", "never", or "auto" for scans of unknown origin: neither from a
            published data set nor marked as de-identified (Patient Identity Removed, PS3.3 C.7.1.1). Names of image
            files may be names of patients, and count as such.
    """
    if policy != "auto":
        return policy == "always"
    published = PUBLISHED_UIDS.get(scan.source)
    return not (scan.deidentified or (published is not None and published.fullmatch(scan.series_uid)))


def locate(scans: Sequence[ScanRef], policy: str, folder: Path | str | None) -> pd.DataFrame:
    """The table of ``LOCATION_COLUMNS``, one row a scan in their order.

    Args:
        scans: All scans, accepted or not; no series twice.
        policy: See `needs_pseudonym`.
        folder: Of the key; may be None where no scan needs a pseudonym.

    Raises:
        InputError: If a pseudonym is needed and there is no folder for the key.
    """
    hidden = [needs_pseudonym(scan, policy) for scan in scans]
    if any(hidden) and folder is None:
        raise InputError("ingest_ct.pseudonyms: pseudonyms need a folder for their key; give one, or take 'never'")
    key = load_key(folder) if any(hidden) and folder is not None else b""
    rows = [
        {
            "series_uid": series_pseudonym(scan.series_uid, key) if hide else scan.series_uid,
            "source_series_uid": scan.series_uid,
            "patient_id": patient_pseudonym(scan.patient_id, key) if hide else scan.patient_id,
            "source_patient_id": scan.patient_id,
            "reader": scan.reader,
            "path": scan.path,
            "sample": scan.samples[len(scan.samples) // 2] if scan.samples else None,
            "file_at_fault": scan.rejection.file if scan.rejection else None,
        }
        for scan, hide in zip(scans, hidden, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(LOCATION_COLUMNS)).astype(LOCATION_COLUMNS)

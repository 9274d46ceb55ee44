"""Writers of tiny scans, in the files that real ones come in."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from medpipe.ct.volume import Volume


def write_mhd(file: Path, volume: Volume, compress: bool = False) -> Path:
    """Writes a volume as MetaImage."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = volume.geometry.apply_to_sitk(sitk.GetImageFromArray(volume.array))
    sitk.WriteImage(image, str(file), useCompression=compress)
    return file


def write_dicom(folder: Path, volume: Volume, series_uid: str = "1.2.3", **changes: Any) -> list[Path]:
    """Writes a volume as a CT series, one file a slice, in shuffled order and under names that tell nothing.

    Args:
        folder: Where to.
        volume: The voxels; its direction is used as it is.
        series_uid: The series.
        changes: Attributes of every slice, or functions of the slice number that give them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    geometry, files = volume.geometry, []
    names = np.random.default_rng(1).permutation(len(volume.array))
    direction = np.asarray(geometry.direction)
    for k, pixels in enumerate(volume.array):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"{series_uid}.{k + 1}"
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.SeriesInstanceUID, data.PatientID, data.Modality = series_uid, "patient", "CT"
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.PixelSpacing = list(geometry.spacing_zyx_mm[1:])
        data.ImagePositionPatient = [round(value, 6) for value in geometry.to_world([(k, 0, 0)])[0]]
        data.ImageOrientationPatient = [*direction[:, 0], *direction[:, 1]]
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.PixelData = (pixels.astype(np.int32) + 1024).astype("<i2").tobytes()
        for name, value in changes.items():
            setattr(data, name, value(k) if callable(value) else value)
        files.append(folder / f"{names[k]:04d}")
        pydicom.dcmwrite(files[-1], data)
    return files

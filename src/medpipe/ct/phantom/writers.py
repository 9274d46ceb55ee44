"""Writes a scan as scanners and challenges do: a MetaImage pair, or a DICOM series."""

from pathlib import Path

import numpy as np

from medpipe.core.atomic import atomic_path, write_text
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.plan import make_uid, rng_for
from medpipe.ct.phantom.scan import PhantomScan
from medpipe.ct.volume import Volume

INTERCEPT_HU = -1024
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def write_metaimage(path: Path, volume: Volume) -> None:
    """Writes ``path`` (.mhd) and the .raw beside it; the header comes last, so that a header means a whole scan.

    ``TransformMatrix`` lists the direction column by column (ITK's MetaImage convention).
    """
    raw = path.with_suffix(".raw")
    geometry = volume.geometry
    with atomic_path(raw) as temporary:
        volume.array.astype("<i2", copy=False).tofile(temporary)
    matrix = np.asarray(geometry.direction).T.ravel()

    def numbers(values: object) -> str:
        return " ".join(f"{float(value):.10g}" for value in values)  # type: ignore[attr-defined]

    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
        f"TransformMatrix = {numbers(matrix)}",
        f"Offset = {numbers(geometry.origin_xyz_mm)}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {numbers(geometry.spacing_zyx_mm[::-1])}",
        f"DimSize = {' '.join(str(n) for n in geometry.shape_zyx[::-1])}",
        "ElementType = MET_SHORT",
        f"ElementDataFile = {raw.name}",
    ]
    write_text(path, "\n".join(lines) + "\n")


def write_outlines(path: Path, scan: PhantomScan) -> None:
    """Writes the nodules' voxels as a label map (``.nrrd``, compressed): the number of the label, 0 elsewhere."""
    import SimpleITK as sitk

    image = scan.volume.geometry.apply_to_sitk(sitk.GetImageFromArray(scan.outlines))
    with atomic_path(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True, compressionLevel=1)


def write_dicom_series(folder: Path, scan: PhantomScan, params: PhantomParams) -> None:
    """Writes one file a slice into ``folder`` (replaced as a whole), named by chance as PACS exports are.

    Attributes follow the CT Image module (DICOM PS3.3 C.8.2) with the patient's position in C.7.6.2.
    """
    n = scan.volume.geometry.shape_zyx[0]
    order = rng_for(params, scan.plan.patient, 30 + scan.plan.visit).permutation(n)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for index in range(n):
            dataset = _slice(scan, index)
            dataset.save_as(temporary / f"IM{int(order[index]):05d}.dcm", enforce_file_format=True)


def _slice(scan: PhantomScan, index: int):  # type: ignore[no-untyped-def]
    from pydicom.dataset import Dataset, FileMetaDataset

    plan, geometry = scan.plan, scan.volume.geometry
    key = (plan.series_uid, "slice", index)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CT_IMAGE_STORAGE
    meta.MediaStorageSOPInstanceUID = make_uid(*key)
    meta.TransferSyntaxUID = EXPLICIT_VR_LITTLE_ENDIAN
    meta.ImplementationClassUID = make_uid("medpipe", "phantom")
    data = Dataset()
    data.file_meta = meta
    data.SpecificCharacterSet = "ISO_IR 100"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SOPClassUID = CT_IMAGE_STORAGE
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.StudyDate = data.SeriesDate = "20000101"
    data.StudyTime = data.SeriesTime = "120000"
    data.AccessionNumber = ""
    data.Modality = "CT"
    data.Manufacturer = "medpipe phantom"
    data.ReferringPhysicianName = ""
    data.SeriesDescription = "Generated chest phantom"
    data.PatientName = f"Phantom^{plan.patient:04d}"
    data.PatientID = plan.patient_id
    data.PatientBirthDate = ""
    data.PatientSex = "O"
    data.PatientIdentityRemoved = "YES"
    data.DeidentificationMethod = "Nobody's scan: generated"
    data.BodyPartExamined = "CHEST"
    data.KVP = 120
    data.SliceThickness = f"{geometry.spacing_zyx_mm[0]:.6g}"
    data.PatientPosition = "HFS"
    data.ConvolutionKernel = scan.kernel
    data.StudyInstanceUID = make_uid(plan.series_uid, "study")
    data.SeriesInstanceUID = plan.series_uid
    data.StudyID = str(plan.visit + 1)
    data.SeriesNumber = plan.visit + 1
    data.AcquisitionNumber = 1
    data.InstanceNumber = geometry.shape_zyx[0] - index  # counted from the head, as most scanners do
    position = geometry.to_world([(index, 0, 0)])[0]
    data.ImagePositionPatient = [f"{value:.6f}" for value in position]
    data.ImageOrientationPatient = [f"{geometry.direction[row][column]:.6g}" for column in (0, 1) for row in range(3)]
    data.FrameOfReferenceUID = make_uid(plan.series_uid, "frame")
    data.PositionReferenceIndicator = ""
    data.SliceLocation = f"{position[2]:.6f}"
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = geometry.shape_zyx[1:]
    data.PixelSpacing = [f"{geometry.spacing_zyx_mm[1]:.6g}", f"{geometry.spacing_zyx_mm[2]:.6g}"]
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    data.PixelRepresentation = 1
    data.WindowCenter, data.WindowWidth = -600, 1500
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = INTERCEPT_HU, 1, "HU"
    data.PixelData = (scan.volume.array[index] - np.int16(INTERCEPT_HU)).astype("<i2").tobytes()
    return data

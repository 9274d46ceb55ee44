"""Decodes compressed DICOM frames: a program of its own, which `medpipe.ct.readers.dicom_decoding` starts and feeds.

GDCM ends its process on some damaged JPEG 2000, and a codestream can ask for any amount of memory. Here that costs one
slice, not the worker with all its scans. The program imports nothing of this project, so that it starts fast.

A request and an answer are each a line of JSON and as many bytes as its ``length`` says, on standard input and output:
a frame's ``syntax``, ``rows``, ``columns``, ``bits_allocated``, ``bits_stored``, ``high_bit`` and ``signed``, and its
codestream; its ``dtype``, ``shape`` and values, or the name of an ``error``.
"""

import json
import os
import sys
import warnings
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

TWELVE_BIT_JPEG = frozenset({f"1.2.840.10008.1.2.4.{number}" for number in (51, 53, 55)})
"""JPEG extended, spectral selection and full progression: pydicom has no decoder for 12 bits, GDCM has."""

MAX_MEMORY_BYTES = 4 << 30
"""Address space of the program: the libraries take 1 GiB of it, the largest slice in all its copies less than that."""

PIXEL_DATA = (0x7FE0, 0x0010)


def decode(frame: dict[str, Any], code: bytes) -> NDArray[Any]:
    """Stored values (rows, columns) of one frame.

    Args:
        frame: The fields of a request.
        code: The codestream.

    Raises:
        Exception: Of many kinds, where the codestream is damaged or its syntax not supported.
    """
    if frame["syntax"] in TWELVE_BIT_JPEG and frame["bits_stored"] > 8:
        return _decode_12_bit_jpeg(frame, code)
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(frame["syntax"])
    data.Rows, data.Columns = frame["rows"], frame["columns"]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = frame["bits_allocated"], frame["bits_stored"], frame["high_bit"]
    data.PixelRepresentation = int(frame["signed"])
    data.PixelData = encapsulate([code])
    data["PixelData"].is_undefined_length = True
    return np.asarray(get_decoder(UID(frame["syntax"])).as_array(data, index=0, raw=True)[0])


def _decode_12_bit_jpeg(frame: dict[str, Any], code: bytes) -> NDArray[Any]:
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(code)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    source, target = (gdcm.DataElement(gdcm.Tag(*PIXEL_DATA)) for _ in range(2))
    source.SetValue(fragments.__ref__())
    codec = gdcm.JPEGCodec()
    codec.SetNumberOfDimensions(2)
    codec.SetDimensions((frame["columns"], frame["rows"], 1))
    codec.SetPixelFormat(gdcm.PixelFormat(1, 16, frame["bits_stored"], frame["bits_stored"] - 1, int(frame["signed"])))
    monochrome = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    codec.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(monochrome))
    if not codec.Decode(source, target):
        raise ValueError("not a 12-bit JPEG")
    values = target.GetByteValue().GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(values, "<i2" if frame["signed"] else "<u2").reshape(frame["rows"], frame["columns"])


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers requests until there are no more."""
    while line := requests.readline():
        frame = json.loads(line)
        code = requests.read(frame["length"])
        values = b""
        try:
            array = np.ascontiguousarray(decode(frame, code))
            values = array.tobytes()
            answer = {"dtype": array.dtype.str, "shape": array.shape, "length": len(values)}
        except Exception as error:  # decoders fail on damaged codestreams in many ways
            answer = {"error": type(error).__name__, "length": 0}
        answers.write(json.dumps(answer).encode() + b"\n" + values)
        answers.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


def main() -> None:
    """Serves the process that started this program; what the libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    warnings.simplefilter("ignore")
    _limit_memory()
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()

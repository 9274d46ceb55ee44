"""Decoding of compressed DICOM frames in a process of its own, one beside each process that reads scans."""

import atexit
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.readers import dicom_decoder
from medpipe.ct.readers.base import ScanReadError
from medpipe.ct.readers.dicom_records import FileHeader, PixelPlace

MAX_DECODING_S = 60.0
"""A slice takes some hundredths of a second; a decoder that takes longer than this is stuck."""


class Decoder:
    """A decoding process: started at the first frame, and anew after a frame that it did not survive."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def decode(self, file: FileHeader, place: PixelPlace, code: bytes) -> NDArray[Any]:
        """Stored values of one frame.

        Args:
            file: Its file.
            place: The file's pixels.
            code: The frame's codestream.

        Returns:
            Whatever shape the codestream has; the caller compares it with the header.

        Raises:
            ScanReadError: If it cannot be decoded.
        """
        request = {
            "syntax": place.syntax,
            "rows": file.rows,
            "columns": file.columns,
            "bits_allocated": place.bits_allocated,
            "bits_stored": place.bits_stored,
            "high_bit": place.high_bit,
            "signed": place.signed,
            "length": len(code),
        }
        with self._lock:
            answer, values = self._exchange(request, code)
        if "error" in answer:
            raise ScanReadError(f"The pixels of a slice cannot be decoded ({answer['error']}).")
        return np.frombuffer(values, dtype=answer["dtype"]).reshape(answer["shape"])

    def _exchange(self, request: dict[str, Any], code: bytes) -> tuple[dict[str, Any], bytes]:
        process = self._running()
        watchdog = threading.Timer(MAX_DECODING_S, process.kill)
        watchdog.start()
        try:
            requests, answers = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
            requests.write(json.dumps(request).encode() + b"\n" + code)
            requests.flush()
            answer = json.loads(answers.readline())
            values = answers.read(answer["length"])
            if len(values) < answer["length"]:
                raise EOFError
        except (OSError, EOFError, ValueError):  # its end of a pipe is closed: it crashed, or was killed
            self.close()
            return {"error": "the decoder failed"}, b""
        except BaseException:  # interrupted halfway: its next answer would be taken for another's
            self.close()
            raise
        finally:
            watchdog.cancel()
        return answer, values

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            # -P: the program's own folder must not stand in for packages of the same name
            command = [sys.executable, "-P", str(Path(dicom_decoder.__file__))]
            # memory is set aside for each thread of a BLAS that is not needed, which counts against the limit
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        return self._process

    def close(self) -> None:
        """Ends the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what was left to be written has no reader any more
                pass
        process.wait()


_decoders: dict[int, Decoder] = {}


def decoder() -> Decoder:
    """The decoder of this process; a forked child gets its own."""
    number = os.getpid()
    if number not in _decoders:
        _decoders.clear()
        _decoders[number] = Decoder()
        atexit.register(_decoders[number].close)
    return _decoders[number]

"""Latency and throughput of ``medpipe serve`` for scans, molecules and properties, in one run.

    kedro run --pipeline=imaging && kedro run --pipeline=molecules && kedro run --pipeline=properties
    python benchmarks/serving.py

Each of the three servers runs alone, with one worker and the models that were trained last in this project, and is
asked over HTTP on the same machine: by one caller, then by four at once, after some requests that are not counted.
Scans are a generated one and, where ``--data`` has it, the real LIDC-IDRI-0001, each as a zip archive of DICOM files.
"""

import argparse
import importlib
import io
import re
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import requests
from measure import print_table, save

from medpipe.ct.params import CTSourceParams
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.sources import provide

PROJECT = Path(__file__).parents[1]
TRAINED = {
    "nodules": "nodule_models",
    "generator": "smiles_generator.safetensors",
    "properties": "property_model.safetensors",
}
"""Kind of model to where its catalog entry lies."""
DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"
CALLERS = (1, 4)
WARM_UP = 2
"""Requests that are not counted."""
QUANTILES = {"p50": 50, "p95": 95, "p99": 99}
SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "CCO"] * 25
MOLECULES = 100

Ask = Callable[[int], requests.Response]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder with lidc/LIDC-IDRI-0001")
    parser.add_argument("--requests", type=int, default=200, help="counted requests for molecules and properties")
    parser.add_argument("--scans", type=int, default=20, help="counted requests for scans")
    parser.add_argument("--models", type=Path, default=PROJECT / "data" / "06_models", help="folder of trained models")
    options = parser.parse_args()
    if missing := [name for name in TRAINED.values() if not (options.models / name).exists()]:
        parser.error(f"{options.models} lacks {', '.join(missing)}; train them first, see above")
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        models = {kind: as_served(kind, options.models / name, Path(folder)) for kind, name in TRAINED.items()}
        provide(CTSourceParams(phantom=PhantomParams(n_patients=1, dicom_fraction=1.0)), Path(folder, "scan"))
        archives = {"generated scan": zipped(Path(folder, "scan"))}
        if (real := options.data / "lidc" / "LIDC-IDRI-0001").is_dir():
            archives["LIDC-IDRI-0001"] = zipped(real)
        with Served("nodules", models["nodules"]) as url:
            for name, archive in archives.items():
                measured[f"findings, {name} ({len(archive) / 1e6:.0f} MB)"] = measure(
                    lambda _, archive=archive: requests.post(
                        f"{url}/findings", data=archive, headers={"Content-Type": "application/zip"}, timeout=600
                    ),
                    options.scans,
                )
        with Served("generator", models["generator"]) as url:
            measured[f"molecules, {MOLECULES} a request"] = measure(
                lambda seed: requests.post(f"{url}/molecules", json={"n": MOLECULES, "seed": seed}, timeout=600),
                options.requests,
            )
        with Served("properties", models["properties"]) as url:
            measured[f"properties, {len(SMILES)} a request"] = measure(
                lambda _: requests.post(f"{url}/properties", json={"smiles": SMILES}, timeout=600), options.requests
            )
    columns = ["request", "callers", *(f"{name} ms" for name in QUANTILES), "requests/s", "counted"]
    rows = [
        [name, callers, *(found[f"{quantile}_ms"] for quantile in QUANTILES), found["per_s"], found["n"]]
        for name, by_callers in measured.items()
        for callers, found in by_callers.items()
    ]
    print_table("One worker, over HTTP on the same machine", columns, rows)
    versions = {name: version(name) for name in ("torch", "fastapi", "uvicorn", "mlflow")}
    print(f"\nwritten: {save('serving', {'versions': versions, 'requests': measured})}")


def as_served(kind: str, source: Path, folder: Path) -> Path:
    """The MLflow model of what was trained, as the tracking hook makes it."""
    import mlflow

    loader = importlib.import_module(f"medpipe.serving.{kind}")
    data = folder / f"{kind}-data"
    data.mkdir()
    example = loader.prepare(source, data)
    mlflow.pyfunc.save_model(
        folder / kind,
        loader_module=loader.__name__,
        data_path=str(data),
        signature=loader.SIGNATURE,
        input_example=example,
        pip_requirements=[],
    )
    return folder / kind


def zipped(folder: Path) -> bytes:
    """The DICOM files of a folder in an archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.dcm")):
            archive.write(file, file.relative_to(folder))
    return stream.getvalue()


class Served:
    """A server in a process of its own; gives its address."""

    def __init__(self, kind: str, model: Path) -> None:
        command = [sys.executable, "-m", "medpipe", "serve", kind, "--model", str(model), "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"Serving .* at (http://\S+)", line):
                threading.Thread(target=self._process.stdout.read, daemon=True).start()  # a full pipe would stop it
                return found[1]
        raise SystemExit("the server did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


def measure(ask: Ask, n: int) -> dict[str, dict[str, float]]:
    """Quantiles of the latency, and requests a second, by the number of callers."""
    for number in range(WARM_UP):
        checked(ask(number))
    return {str(callers): _of_callers(ask, n, callers) for callers in CALLERS}


def _of_callers(ask: Ask, n: int, callers: int) -> dict[str, float]:
    def timed(number: int) -> float:
        start = time.perf_counter()
        checked(ask(number))
        return time.perf_counter() - start

    start = time.perf_counter()
    with ThreadPoolExecutor(callers) as threads:
        latencies = list(threads.map(timed, range(n)))
    seconds = time.perf_counter() - start
    told = {f"{name}_ms": 1000 * float(np.percentile(latencies, q)) for name, q in QUANTILES.items()}
    return {**told, "per_s": n / seconds, "n": n}


def checked(response: requests.Response) -> None:
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code}: {response.text}")


if __name__ == "__main__":
    main()

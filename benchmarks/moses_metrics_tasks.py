"""What `moses_metrics.py` measures, a process each: ``python moses_metrics_tasks.py TASK ARGUMENTS-AS-JSON``."""

import json
import sys
import tempfile
import time
import types
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

UNIQUE_AT = (1000, 10000)


def strings(path: str, n: int) -> list[str]:
    """The first ``n`` generated strings; an empty one is a string, too."""
    return pd.read_csv(path, keep_default_na=False)["SMILES"].tolist()[:n]


def medpipe(
    generated: str, n: int, moses: str, wheel: str, cache: str, n_jobs: int, intervals: bool, device: str
) -> dict[str, Any]:
    from medpipe.molecules.metrics.params import ScoreParams
    from medpipe.molecules.metrics.reference import load_references
    from medpipe.molecules.metrics.score import score

    params = ScoreParams(n_jobs=n_jobs, unique_at=UNIQUE_AT, device=device)
    if not intervals:
        params = params.model_copy(update={"bootstrap_replicates": 0})
    given = strings(generated, n)
    start = time.perf_counter()
    train = pd.read_csv(Path(moses) / "train.csv.gz")["SMILES"]
    references = load_references({}, kept=Path(cache), params=params, shipped=Path(moses))
    metrics = score(given, train, references, params).metrics
    return {"wall_s": time.perf_counter() - start, "metrics": metrics}


def molsets(
    generated: str, n: int, moses: str, wheel: str, cache: str, n_jobs: int, intervals: bool, device: str
) -> dict[str, Any]:
    """The published code, with what is gone from its libraries put back in memory; its files stay as they are."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.startswith("moses/")])
        sys.path.insert(0, folder)
        _put_back()
        from moses.metrics import metrics as published

        # Counts are squared in int64 by SciPy's cosine today and overflow: the numbers would be silently wrong.
        cosine = published.cos_distance
        published.cos_distance = lambda first, second: cosine(first.astype(float), second.astype(float))
        given = strings(generated, n)
        start = time.perf_counter()
        found = published.get_all_metrics(given, k=list(UNIQUE_AT), n_jobs=n_jobs, device=device)
        wall_s = time.perf_counter() - start
    return {"wall_s": wall_s, "metrics": {_our_name(name): float(value) for name, value in found.items()}}


def _our_name(name: str) -> str:
    return name.replace("@", "_at_").replace("/", "_").replace("Novelty", "novelty")


def _put_back() -> None:
    """What molsets 0.3.1 expects of RDKit, pandas and NumPy."""
    import numpy as np

    six = types.ModuleType("rdkit.six")
    six.iteritems = lambda mapping: iter(mapping.items())  # type: ignore[attr-defined]
    sys.modules["rdkit.six"] = six
    pd.DataFrame.append = lambda self, other, sort=False: pd.concat([self, other], sort=sort)  # type: ignore[attr-defined]
    np.NaN = np.nan  # type: ignore[attr-defined]  # noqa: NPY201
    np.row_stack = np.vstack  # type: ignore[attr-defined]  # noqa: NPY201


TASKS = {"medpipe": medpipe, "molsets": molsets}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))

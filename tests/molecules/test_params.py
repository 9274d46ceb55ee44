import pytest
from pydantic import ValidationError

from medpipe.molecules.generation.params import BandParams, GanParams, SampleParams
from medpipe.molecules.intake.params import IngestSmilesParams, SmilesSourceParams
from medpipe.molecules.metrics.params import ScoreParams


@pytest.mark.parametrize(
    ("model", "values", "named"),
    [
        (SmilesSourceParams, {"kind": "file"}, "path"),
        (SmilesSourceParams, {"kind": "moses", "path": "a.csv"}, "path"),
        (IngestSmilesParams, {"allowed_elements": ["C", "Xx"]}, "Xx"),
        (IngestSmilesParams, {"allowed_elements": []}, "allowed_elements"),
        (IngestSmilesParams, {"val_fraction": 1.0}, "val_fraction"),
        (IngestSmilesParams, {"split": "column"}, "split_column None"),
        (IngestSmilesParams, {"split_column": "split"}, "split_column 'split'"),
        (IngestSmilesParams, {"heavy_atoms": [9, 3]}, "lower bound 9 is above the upper bound 3"),
        (IngestSmilesParams, {"weight_da": [-1, None]}, "weight_da"),
        (BandParams, {"low": 0.8, "high": 0.7}, "low 0.8"),
        (GanParams, {"family": "oracle"}, "family"),
        (GanParams, {"batchsize": 3}, "batchsize"),
        (GanParams, {"trainer": {"max_steps": 1, "seed": 2**32}}, "seed"),
        (ScoreParams, {"seed": -1}, "seed"),
        (SampleParams, {"top_p": 0.0}, "top_p"),
        (SampleParams, {"temperature": 0.0}, "temperature"),
        (SampleParams, {"temperature": float("inf")}, "temperature"),
        (SampleParams, {"n": 0}, "n\n"),
        (SampleParams, {"device": "gpu"}, "device"),
    ],
)
def test_a_bad_value_is_refused_by_name(model: type, values: dict, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        model(**values)

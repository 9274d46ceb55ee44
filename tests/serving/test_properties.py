from pathlib import Path

import mlflow
import pandas as pd

from medpipe.serving.properties import EXAMPLE


def test_the_logged_model_takes_smiles(saved_models: dict[str, Path]) -> None:
    found = mlflow.pyfunc.load_model(str(saved_models["properties"])).predict(pd.DataFrame({"smiles": list(EXAMPLE)}))
    assert found.columns.tolist() == ["smiles", "y", "y_uncertainty", "similarity", "in_domain"]
    assert found["smiles"].tolist() == list(EXAMPLE)
    assert found["y"].notna().all()

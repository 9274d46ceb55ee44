from pathlib import Path

import mlflow
import pandas as pd

from medpipe.serving import properties
from tests.molecules.properties.conftest import SMALL


def test_the_logged_model_takes_smiles(tmp_path: Path) -> None:
    from medpipe.molecules.properties.train import train_properties

    smiles = [f"{'C' * n}{end}" for n in range(1, 16) for end in ("O", "N")]
    table = pd.DataFrame({"smiles": smiles, "split": (["train"] * 8 + ["val", "test"]) * 3})
    table = table.assign(y=table["smiles"].str.len().astype("float64"))
    train_properties(table, SMALL.model_copy(update={"max_steps": 2}), tmp_path / "work")[0].save(tmp_path / "model")
    (tmp_path / "data").mkdir()
    example = properties.prepare(tmp_path / "model", tmp_path / "data")
    mlflow.pyfunc.save_model(
        tmp_path / "logged",
        loader_module="medpipe.serving.properties",
        data_path=str(tmp_path / "data"),
        signature=properties.SIGNATURE,
        pip_requirements=[],
    )
    found = mlflow.pyfunc.load_model(str(tmp_path / "logged")).predict(example)
    assert found.columns.tolist() == ["smiles", "y", "y_uncertainty", "similarity", "in_domain"]
    assert found["smiles"].tolist() == example["smiles"].tolist()
    assert found["y"].notna().all()

from pathlib import Path

import pytest

from medpipe.nodules.findings.models import write_models
from tests.nodules.findings.networks import ignorant_networks
from tests.serving.models import make_generator, make_property_model, save_model


@pytest.fixture(scope="session")
def generator_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_generator(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="session")
def property_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_property_model(tmp_path_factory.mktemp("properties"))


@pytest.fixture(scope="session")
def saved_models(
    generator_checkpoint: Path, property_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Folder of an MLflow model of each kind."""
    folder = tmp_path_factory.mktemp("saved")
    networks = write_models(ignorant_networks(), folder / "networks").folder
    sources = {"nodules": networks, "generator": generator_checkpoint, "properties": property_checkpoint}
    return {kind: save_model(kind, source, folder) for kind, source in sources.items()}

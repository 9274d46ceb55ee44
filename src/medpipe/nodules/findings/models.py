"""The networks that find, outline and classify, kept together: whichever of them were trained."""

from dataclasses import dataclass
from pathlib import Path

from medpipe.core.atomic import write_json
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest, digest_path
from medpipe.nodules.findings.params import FindParams, ModelFiles
from medpipe.training.checkpoint import Checkpoint

KINDS = {
    "detector": "nodule_detector",
    "reducer": "false_positive_reducer",
    "segmenter": "segmenter",
    "classifier": "cube_classifier",
}
"""Kind of the checkpoint of each role; it names the file, too."""


@dataclass(frozen=True)
class Models:
    """Trained networks by what they do.

    Attributes:
        detector: Finds candidates.
        reducer: Looks at each candidate a second time; None leaves the detector's word.
        segmenter: Outlines each finding; None leaves findings without masks.
        classifier: Tells the class of each finding; None leaves it open.
    """

    detector: Checkpoint
    reducer: Checkpoint | None = None
    segmenter: Checkpoint | None = None
    classifier: Checkpoint | None = None

    @property
    def present(self) -> dict[str, Checkpoint]:
        """Those that are there, by role."""
        return {role: checkpoint for role in KINDS if (checkpoint := getattr(self, role)) is not None}


USE_FILE = "use.json"
"""How the networks of a folder are used."""


class ModelFolder:
    """A folder that holds the networks, one ``<kind>.safetensors`` each, and how they are used.

    Args:
        folder: Filled by `write_models`; it is looked into when the networks are read.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def file(self, role: str) -> Path:
        """Where the network of a role lies, if there is one."""
        return self.folder / f"{KINDS[role]}.safetensors"

    def load(self) -> Models:
        """Reads the networks.

        Raises:
            InputError: If there is no detector, or a file is damaged.
        """
        return load_models({role: self.file(role) for role in KINDS if self.file(role).is_file()}, str(self.folder))

    def use(self) -> FindParams:
        """How the networks were used on the test scans; the defaults where that is not known."""
        file = self.folder / USE_FILE
        return FindParams.model_validate_json(file.read_text(encoding="utf-8")) if file.is_file() else FindParams()

    def fingerprint(self) -> str:
        """Digest of the networks and their use."""
        files = [*(self.file(role) for role in KINDS), self.folder / USE_FILE]
        return digest([[file.name, digest_path(file)] for file in files if file.is_file()])


def load_models(files: dict[str, Path], place: str) -> Models:
    """Reads networks from files by role.

    Args:
        files: Role to file; the detector's is needed.
        place: Where they were looked for, for the message.

    Raises:
        InputError: If there is no detector, a file is missing or holds another kind of network.
    """
    if "detector" not in files:
        raise InputError(
            f"{place}: no detector ({KINDS['detector']}.safetensors). Train one (kedro run --pipeline=imaging), or "
            "give the path of a trained one as inference_models.detector."
        )
    for role, file in files.items():
        if not file.is_file():
            raise InputError(f"inference_models.{role}: {file} does not exist; expected a .safetensors checkpoint.")
    found = {role: Checkpoint.load(file, KINDS[role]) for role, file in files.items()}
    return Models(**{role: network for role, network in found.items() if network.reason_absent is None})


def choose_models(trained: ModelFolder, given: ModelFiles) -> Models:
    """The networks given by name, or else those that were trained here; never some of each.

    Raises:
        InputError: If there is no detector, a file is missing or holds another kind of network.
    """
    files = {role: Path(file).expanduser() for role, file in given.model_dump().items() if file is not None}
    return load_models(files, "inference_models") if files else trained.load()


def write_models(models: Models, folder: Path, use: FindParams | None = None) -> ModelFolder:
    """Puts networks into a folder; those of an earlier call that are not among them are removed.

    Args:
        models: The networks.
        folder: Where to.
        use: How they are to be used; None keeps to the defaults.
    """
    bundle = ModelFolder(folder)
    for role in KINDS:
        if role in models.present:
            models.present[role].save(bundle.file(role))
        else:
            bundle.file(role).unlink(missing_ok=True)
    write_json(folder / USE_FILE, (use or FindParams()).model_dump(mode="json"))
    return bundle

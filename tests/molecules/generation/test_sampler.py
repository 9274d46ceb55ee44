import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.generation.sampler import load_sampler
from medpipe.training.checkpoint import Checkpoint


@pytest.mark.parametrize(
    ("kind", "family", "named"), [("nodule_detector", "sequence", "nodule_detector"), ("smiles_generator", "x", "'x'")]
)
def test_what_is_no_generator_is_refused(kind: str, family: str, named: str) -> None:
    with pytest.raises(InputError, match=named):
        load_sampler(Checkpoint(kind, {}, {"family": family}))

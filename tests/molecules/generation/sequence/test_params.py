import pytest
from pydantic import ValidationError

from medpipe.molecules.generation.sequence.params import SequenceParams


@pytest.mark.parametrize("transformer", ["generator", "discriminator"])
def test_units_that_heads_cannot_share_are_refused(transformer: str) -> None:
    values = {"generator": {"hidden_size": 100}, "discriminator": {}}
    SequenceParams.model_validate(values)
    values[transformer] |= {"kind": "transformer"}
    with pytest.raises(ValidationError, match="hidden_size 100"):
        SequenceParams.model_validate(values)

"""The base of every typed parameter set, and kinds of numbers that many of them need."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Params(BaseModel):
    """Immutable parameters; an unknown name is an error, so that a typing slip never goes unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

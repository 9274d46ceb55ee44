"""The base of every typed parameter set."""

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Immutable parameters; an unknown name is an error, so that a typing slip never goes unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

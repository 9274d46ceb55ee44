"""What is asked for in JSON."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medpipe.serving.server.refusal import Refusal, quoted

MAX_SEED = 2**63 - 1  # a column of long integers of the model's signature

M = TypeVar("M", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class MoleculesRequest(_Body):
    """How many molecules, and how they are drawn; ranges as in ``sample`` of ``parameters_molecules.yml``."""

    n: Annotated[int, Field(ge=1, description="Molecules to draw; all come back, valid or not.")]
    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="The same seed draws the same molecules.")] = 0
    temperature: Annotated[float, Field(ge=0.01, le=100, description="1 draws as trained.")] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1, description="Share of probability to draw from; 1 takes all.")] = 1.0


class PropertiesRequest(_Body):
    """Molecules whose properties are asked for."""

    smiles: Annotated[list[str], Field(min_length=1, description="SMILES strings; invalid ones have no values.")]


class PathRequest(_Body):
    """Scans that lie on the server."""

    path: Annotated[str, Field(min_length=1, description="Folder or file below the server's folder of scans.")]


def parse_json(body: bytes, model: type[M]) -> M:
    """A body as a typed request.

    Raises:
        Refusal: 400 for what is no JSON, 422 with the field at fault.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise Refusal(400, "bad_json", f"The body cannot be read: {quoted(first['msg'])}.") from error
        field = ".".join(str(part) for part in first["loc"])
        code = {"extra_forbidden": "unknown_field", "missing": "missing_field"}.get(first["type"], "bad_value")
        reason = first["msg"] if code != "unknown_field" else f"not known; expected {', '.join(model.model_fields)}"
        raise Refusal(422, code, f"{quoted(field) or 'body'}: {quoted(reason)}.", field=quoted(field)) from error

"""Bodies of requests, read within the limits."""

import shutil
from pathlib import Path
from typing import Annotated, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medpipe.serving.server.refusal import Refusal, quoted

JSON = "application/json"
MULTIPART = "multipart/form-data"
ZIP_TYPES = ("application/zip", "application/x-zip-compressed")
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


def content_type(request: Request, *expected: str) -> str:
    """The media type of a request, in lower case.

    Raises:
        Refusal: 415 if it is none of those expected.
    """
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in expected:
        raise Refusal(
            415, "unsupported_content_type", f"Content-Type is {quoted(found)!r}, expected {' or '.join(expected)}."
        )
    return found


async def read_json(request: Request, model: type[M]) -> M:
    """The body as a typed request.

    Raises:
        Refusal: 415, 400 for what is no JSON, 422 with the field at fault.
    """
    content_type(request, JSON)
    body = await request.body()
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


async def save_body(request: Request, file: Path) -> None:
    """Streams the body into a file."""
    with file.open("xb") as target:
        async for chunk in request.stream():
            target.write(chunk)


async def save_upload(request: Request, file: Path) -> None:
    """Writes the one file of a form.

    Raises:
        Refusal: If the form cannot be read, or does not hold one file.
    """
    from starlette.datastructures import UploadFile
    from starlette.exceptions import HTTPException

    try:
        form = await request.form(max_files=1, max_fields=0)
    except HTTPException as error:
        raise Refusal(400, "bad_form", f"The form cannot be read: {quoted(error.detail).rstrip('.')}.") from error
    try:
        uploads = [value for value in form.values() if isinstance(value, UploadFile)]
        if len(uploads) != 1:
            raise Refusal(422, "no_file", "The form holds no file; send one zip archive, as curl -F file=@scan.zip.")
        with file.open("xb") as target:
            shutil.copyfileobj(uploads[0].file, target)
    finally:
        await form.close()

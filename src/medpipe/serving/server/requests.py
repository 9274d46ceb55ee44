"""Bodies of requests, read within the limits."""

import asyncio
import shutil
from pathlib import Path
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel

from medpipe.serving.server.bodies import parse_json
from medpipe.serving.server.refusal import Refusal, quoted

JSON = "application/json"
MULTIPART = "multipart/form-data"
ZIP_TYPES = ("application/zip", "application/x-zip-compressed")
MAX_FORM_BYTES = 65_536
"""Longest JSON of a few fields."""

M = TypeVar("M", bound=BaseModel)


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
        Refusal: 415, 413, and those of `parse_json`.
    """
    content_type(request, JSON)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise Refusal(413, "body_too_large", f"The request is larger than {MAX_FORM_BYTES} bytes.")
    return parse_json(body, model)


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
            await asyncio.to_thread(shutil.copyfileobj, uploads[0].file, target)
    finally:
        await form.close()

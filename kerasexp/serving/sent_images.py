"""The image files in a request: a form, JSON with base64, or one file as the body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from kerasexp.evaluation.file_predictions import ImageFile
from kerasexp.serving.request_limits import RequestLimits

FORM, JSON, BINARY = "multipart/form-data", "application/json", "application/octet-stream"
CHUNK = 2**18
# Characters that JSON has between its values, and the most of them that a request needs for each image.
JSON_MARKS, MARKS_FOR_IMAGE = b'",:[{', 24


class EncodedImage(BaseModel):
    """An image file in JSON."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field("", max_length=1000, description="Its name, which the answer has too.")
    content: str = Field(description="The bytes of the file in base64; a data URL will do.")


class EncodedImages(BaseModel):
    """The JSON body of a request."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[str | EncodedImage], Field(min_length=1, description="Image files in base64.")]


def _json_schema() -> dict[str, Any]:
    """Return the schema of the JSON body in one piece; OpenAPI has its definitions elsewhere than JSON Schema."""
    schema = EncodedImages.model_json_schema()
    schema["properties"]["images"]["items"] = {"anyOf": [{"type": "string"}, schema.pop("$defs")["EncodedImage"]]}
    return schema


# What the OpenAPI page says of the body.
BODY_CONTENT = {
    FORM: {
        "schema": {
            "type": "object",
            "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            "required": ["files"],
        }
    },
    JSON: {"schema": _json_schema()},
    "image/*": {"schema": {"type": "string", "format": "binary"}},
}


class InMemoryParser(MultiPartParser):
    """Starlette's parser of forms, whose files stay in memory: the body is there already."""

    spool_max_size = 2**62


async def sent_images(body: bytes, content_type: str, limits: RequestLimits) -> list[ImageFile]:
    """Return the image files in the body of a request, undecoded.

    Raises:
        HTTPException: 415 for another kind of body; 413 for too many images; 422 for a body without an image, or one that is
            not what its kind says.
    """
    kind, options = parse_options_header(content_type)
    name = kind.decode("latin-1").lower()
    if name == FORM:
        files = await _form_files(body, content_type, options.get(b"boundary", b""), limits)
    elif name == JSON:
        files = _json_files(body, limits)
    elif name.startswith("image/") or name == BINARY:
        files = [_file("", body, 0)] if body else []
    else:
        got = repr(name[:100]) if name else "no content type"
        raise HTTPException(415, f"got {got}; send {FORM}, {JSON} with base64, or an image file as image/*")
    if not files:
        raise HTTPException(422, "the request has no image")
    return files


def _file(name: str, content: bytes, position: int) -> ImageFile:
    return ImageFile.in_memory(name or f"image {position}", content)


async def _form_files(body: bytes, content_type: str, boundary: bytes, limits: RequestLimits) -> list[ImageFile]:
    if not boundary:
        raise HTTPException(422, f"{FORM} needs a boundary in the content type")
    if body.count(b"--" + boundary) > limits.images + 1:
        raise _too_many(limits)
    headers, most = Headers({"content-type": content_type}), limits.images
    parser = InMemoryParser(headers, _chunks(body), max_files=most, max_fields=most)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(422, f"the form cannot be read: {error.message}") from None
    # The boundary that ends the form; without it, the body was cut off.
    if b"--" + boundary + b"--" not in body[-len(boundary) - 200 :]:
        raise HTTPException(422, "the form is cut off")
    files = []
    for position, (name, value) in enumerate(form.multi_items()):
        if not isinstance(value, UploadFile):
            raise HTTPException(
                422, f"the field {name[:100]!r} is no file; send files with a file name, as `curl -F` does"
            )
        files.append(_file(value.filename or "", await value.read(), position))
    await form.close()
    return files


async def _chunks(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]


def _json_files(body: bytes, limits: RequestLimits) -> list[ImageFile]:
    # Base64 has none of these marks. Millions of tiny values would need many times the memory of the body.
    if sum(body.count(mark) for mark in (JSON_MARKS[k : k + 1] for k in range(len(JSON_MARKS)))) > (
        MARKS_FOR_IMAGE * (limits.images + 1)
    ):
        raise HTTPException(413, f"the JSON has more values than {limits.images} images need")
    try:
        images = EncodedImages.model_validate_json(body).images
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise HTTPException(422, f"{place}: {first['msg']}" if place else first["msg"]) from None
    if len(images) > limits.images:
        raise _too_many(limits)
    files = []
    for position, image in enumerate(images):
        name, text = ("", image) if isinstance(image, str) else (image.file, image.content)
        try:
            content = base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
        except (binascii.Error, ValueError):
            raise HTTPException(422, f"images.{position}: is not base64") from None
        files.append(_file(name, content, position))
    return files


def _too_many(limits: RequestLimits) -> HTTPException:
    return HTTPException(413, f"too many images; at most {limits.images} a request")

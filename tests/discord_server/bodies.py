"""Request bodies: JSON, or multipart with `payload_json` and files."""

from typing import NamedTuple

import msgspec
from aiohttp import BodyPartReader, web

from tests.discord_server.errors import INVALID_JSON, TOO_LARGE, ApiError
from tests.discord_server.records import JsonObject

MAX_FILE_BYTES = 10 * 1024 * 1024
"""What an unboosted guild allows for one attachment."""


class Upload(NamedTuple):
    """One uploaded file; `field` is its form name, such as `files[0]`."""

    field: str
    filename: str
    content_type: str
    content: bytes


async def read_json(request: web.Request) -> JsonObject | list[JsonObject]:
    """The JSON of a body, an empty object when there is none; ApiError 50109 when it cannot be read."""
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(TOO_LARGE) from None
    return _decode(raw or b"{}")


async def read_object(request: web.Request) -> tuple[JsonObject, list[Upload]]:
    """A JSON object and the files that came with it."""
    if request.content_type != "multipart/form-data":
        return _object(await read_json(request)), []
    body: JsonObject = {}
    uploads: list[Upload] = []
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise ApiError(INVALID_JSON)
        content = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            body = _object(_decode(content))
        elif len(content) > MAX_FILE_BYTES:
            raise ApiError(TOO_LARGE)
        else:
            content_type = part.headers.get("Content-Type", "application/octet-stream")
            uploads.append(Upload(part.name or "", part.filename or "file", content_type, content))
    return body, uploads


def _decode(raw: bytes) -> JsonObject | list[JsonObject]:
    try:
        return msgspec.json.decode(raw, type=JsonObject | list[JsonObject])
    except msgspec.DecodeError:
        raise ApiError(INVALID_JSON) from None


def _object(decoded: JsonObject | list[JsonObject]) -> JsonObject:
    if isinstance(decoded, list):
        raise ApiError(INVALID_JSON)
    return decoded


def json_response(data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer with the content type discord.py insists on: `application/json` and nothing after it."""
    return web.Response(body=msgspec.json.encode(data), status=status, headers=headers, content_type="application/json")

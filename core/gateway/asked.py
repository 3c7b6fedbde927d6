"""Bytes into a Request: what a client asked, as a request that may go further, or every mistake in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, get_args

import msgspec

from core.service.shape import shaped
from schedule_zero.errors import FieldError, Invalid, Malformed
from schedule_zero.requests import Request

DEEPEST: Final = 32
BIGGEST: Final = 1 << 63
_decode: Final = msgspec.msgpack.Decoder(Request).decode
_look: Final = msgspec.msgpack.Decoder().decode
_kinds: Final[dict[Any, Any]] = {kind.__struct_config__.tag: kind for kind in get_args(Request)}


def request_of(raw: bytes | memoryview) -> Request:
    """The request these bytes make.

    Raises:
        Malformed: they are no MessagePack, or no request.
        Invalid: fields are unknown, missing or wrong.
    """
    try:
        said = _look(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Malformed(f"The request is not MessagePack: {error}.") from None
    if not isinstance(said, dict):
        raise Malformed("A request is a map with its kind under 'request'.")
    _require_plain(said)
    try:
        request: Request = _decode(raw)
    except msgspec.ValidationError as error:
        tag = said.pop("request", None)
        kind = _kinds.get(tag) if isinstance(tag, str) else None
        if kind is None:
            raise Malformed(f"There is no request {str(tag)[:80]!r}.") from None
        shaped(said, kind)
        raise Malformed(f"The request cannot be read: {error}.") from None
    return request


def _require_plain(said: Any) -> None:
    """Raises Invalid for what JSON could not say, and so nothing behind the door expects."""
    waiting: list[tuple[Any, str, int]] = [(said, "", 0)]
    while waiting:
        value, path, depth = waiting.pop()
        if value is None or isinstance(value, str | bool):
            continue
        if isinstance(value, dict | list):
            if depth >= DEEPEST:
                raise _wrong(path[:80], f"is nested deeper than {DEEPEST} levels")
            waiting.extend((each, place, depth + 1) for each, place in _within(value, path))
        elif isinstance(value, int):
            if not -BIGGEST <= value < BIGGEST:
                raise _wrong(path, "is a whole number beyond 64 bits; send a smaller one, or text where text may stand")
        elif not (isinstance(value, float) and math.isfinite(value)):
            raise _wrong(path, "is neither text, number, true, false, null, list nor map")


def _within(value: dict[Any, Any] | list[Any], path: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, list):
        yield from ((each, f"{path}[{place}]") for place, each in enumerate(value))
        return
    for name, each in value.items():
        if not isinstance(name, str):
            raise _wrong(path, "has a name that is no text")
        yield each, f"{path}.{name}" if path else name


def _wrong(path: str, message: str) -> Invalid:
    return Invalid(f"{path or 'The request'}: {message}", (FieldError(path, message),))

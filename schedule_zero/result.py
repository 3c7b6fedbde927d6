"""A result as everybody can read it who will ever be shown it: in JSON and in MessagePack, in any language."""

from __future__ import annotations

from typing import Any, Final

import msgspec

DEEPEST: Final = 64
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode


def readable(text: str) -> str:
    """The same text, if it is JSON of numbers that fit 64 bits and of at most ``DEEPEST`` levels; else a JSON string that
    holds it. The work is done, so what it led to is kept as it was said, and is never a failure."""
    try:
        value = _decode(text)
        _pack(value)
        if text.count("[") + text.count("{") <= DEEPEST or _levels(value) <= DEEPEST:
            return text
    except (msgspec.MsgspecError, OverflowError, RecursionError):
        pass
    return _encode(text).decode()


def _levels(value: Any) -> int:
    """How deep lists and objects are nested."""
    levels, layer = 0, [value]
    while layer := [each for each in layer if isinstance(each, (list, dict))]:
        levels += 1
        layer = [inner for each in layer for inner in (each.values() if isinstance(each, dict) else each)]
    return levels

"""Arguments: whether a method takes them, said field by field, for handlers in this process and elsewhere."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from core.engine.fleet import Fleet
from core.engine.schemas import BadSchema, admitted
from core.fields import check as what_is_wrong
from core.fields import joined
from schedule_zero.errors import FieldError, Invalid
from schedule_zero.handler import Method

if TYPE_CHECKING:
    from core.service.json_schema import SchemaCheck

_encode: Final = msgspec.json.Encoder().encode


def mistakes_in(
    args: dict[str, Any], fleet: Fleet, handler: str, method: str, guild_id: str | None
) -> list[FieldError]:
    """What a method that this guild knows would not take of these arguments; fields begin with ``args``."""
    here = fleet.check(handler, method)
    if here is not None:
        return _by_type(args, here)
    info = fleet.method(handler, method, guild_id)
    return [] if info is None else _by_schema(_encode(info.schema), f"{handler}.{method}").mistakes(args)


def names_of(schema: dict[str, Any]) -> set[str] | None:
    """The arguments that a method has, by its schema; None where that leaves open which there are."""
    place = schema.get("$ref")
    if isinstance(place, str) and place.startswith("#/$defs/"):  # as the kit writes it
        schema = schema.get("$defs", {}).get(place.removeprefix("#/$defs/"), {})
    if schema.get("additionalProperties") is not False or "patternProperties" in schema:
        return None
    return set(schema.get("properties", ()))


def _by_type(args: dict[str, Any], method: Method) -> list[FieldError]:
    try:
        method.check(args)
    except Invalid as error:
        found = what_is_wrong(args, method.arguments)[1]
        return [FieldError(joined("args", each.field), each.message) for each in found] or list(error.errors)
    return []


@lru_cache(maxsize=256)
def _by_schema(text: bytes, method: str) -> SchemaCheck:
    from core.service.json_schema import SchemaCheck  # noqa: PLC0415 - a core without handlers elsewhere needs none of it

    try:
        schema = admitted(msgspec.json.decode(text))
    except BadSchema:  # of a handler that did not come through the gateway
        schema = {}
    return SchemaCheck(schema, method)


def warm_up() -> None:
    """Load what checks schemas; that takes a moment, and the first who saves a schedule need not wait for it."""
    _by_schema(b"{}", "")

"""Fields: the arguments of a method as a form asks for them.

Pure: from a JSON Schema to fields, and from values to the text a form begins with; what was typed there, ``typed`` reads.
What a schema says beyond that (patterns, formats of its own, what depends on each other) the core checks when something
is saved.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from schedule_zero.masking import MASK, Schema, inner, is_secret, masked, resolved

Kind = Literal["text", "integer", "number", "boolean", "choice", "date", "instant", "time", "span", "json"]
MOST_FIELDS: Final = 5
"""The parts a form may have (Discord documentation, "Modals")."""
MOST_CHOICES: Final = 25
LONGEST_TYPED: Final = 4_000
"""Characters a text field of a form takes."""
REST: Final = "…"
"""Stands for the field that holds all further arguments as JSON; no argument of a schema can be in its way."""
_FORMATS: Final[dict[str, Kind]] = {"date": "date", "date-time": "instant", "time": "time", "duration": "span"}
FORMS: Final[dict[Kind, str]] = {
    "date": "2026-12-24", "instant": "2026-12-24T18:00:00Z", "time": "18:00:00", "span": "PT1H30M",
}  # fmt: skip
"""A value of each kind that is written in one way alone."""
_TYPES: Final[dict[str, Kind]] = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One argument.

    Attributes:
        default: what it is when it is left out; UNSET: nothing is known of that.
        choices: the values it may have, where they are listed.
        least, most: bounds of a number; ``shortest``, ``longest``: of a text, in characters.
        help: what the method says about it.
        secret: its value is never shown.
    """

    name: str
    kind: Kind
    required: bool = False
    default: Any = msgspec.UNSET
    choices: tuple[Any, ...] = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    shortest: int | None = None
    longest: int | None = None
    help: str = ""
    secret: bool = False
    example: Any = None

    @property
    def hint(self) -> str:
        """What it takes, in a few words."""
        words = {
            "text": "text", "integer": "a whole number", "number": "a number", "boolean": "yes or no", "json": "JSON",
            "choice": "one of " + ", ".join(map(spelled, self.choices)),
        }.get(self.kind) or f"such as {FORMS[self.kind]}"  # fmt: skip
        bounds = [
            f"{said} {bound:g}" for said, bound in
            (("at least", self.least), ("more than", self.above), ("at most", self.most), ("less than", self.below))
            if bound is not None
        ]  # fmt: skip
        return f"{words}, {', '.join(bounds)}" if bounds else words


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a form asks for arguments: single fields, and all others together as JSON.

    Attributes:
        asked: the fields with a part of their own.
        rest: those in the JSON field; ``has_rest``: whether there is such a field.
        kept: arguments whose values fit into no form; they stay as they are.
    """

    asked: tuple[Field, ...]
    rest: tuple[Field, ...] = ()
    has_rest: bool = False
    kept: frozenset[str] = frozenset()


# ── from a schema to fields ──────────────────────────────────────────────────────────────────────────────────────


def fields_of(schema: Schema) -> tuple[Field, ...]:
    """The arguments a schema names, the required ones first, else in its order."""
    found: dict[str, Any] = {}
    for each in resolved(schema, schema):
        named = each.get("properties")
        found.update(named if isinstance(named, Mapping) else {})
    required: list[Any] = []
    for each in resolved(schema, schema, certain=True):
        wanted = each.get("required")
        required += wanted if isinstance(wanted, list) else []
    fields = [_field(schema, name, each, required=name in required) for name, each in found.items()]
    return tuple(sorted(fields, key=lambda field: not field.required))


def takes_others(schema: Schema) -> bool:
    """Whether a schema that names no argument takes some all the same."""
    return not fields_of(schema) and all(
        each.get("additionalProperties") is not False for each in resolved(schema, schema)
    )


def _field(root: Schema, name: str, schema: Any, *, required: bool) -> Field:
    """What is known of an argument; what has no plain form is JSON."""
    parts = [each for each in resolved(root, schema) if each.get("type") != "null"]
    said: dict[str, Any] = {}
    for each in reversed(parts):
        said.update(each)
    kind, choices = _kind(parts)
    least, most, above, below = (
        _number(said.get(word)) for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    )
    return Field(
        name=name, kind=kind, required=required, default=said.get("default", msgspec.UNSET), choices=choices,
        least=least, most=most, above=above, below=below, shortest=_count(said.get("minLength")),
        longest=_count(said.get("maxLength")), help=str(said.get("description") or ""),
        secret=any(is_secret(name, each) for each in parts), example=_example(root, schema, 0),
    )  # fmt: skip


def _kind(parts: Sequence[Schema]) -> tuple[Kind, tuple[Any, ...]]:
    listed = [each["enum"] for each in parts if isinstance(each.get("enum"), list)]
    constants = [each["const"] for each in parts if "const" in each]
    if len(listed) == 1 and not constants:
        return "choice", tuple(value for value in listed[0] if value is not None)
    if constants and not listed:
        return "choice", tuple(constants)
    kinds = {_plain(each) for each in parts if {"type", "format", "items", "properties"} & each.keys()}
    if len(kinds) == 1:
        return kinds.pop(), ()
    return "json", ()


def _plain(schema: Schema) -> Kind:
    names = schema.get("type")
    types = [name for name in (names if isinstance(names, list) else [names]) if name not in ("null", None)]
    if len(types) != 1:
        return "json"
    kind = _TYPES.get(str(types[0]), "json")
    return _FORMATS.get(str(schema.get("format")), kind) if kind == "text" else kind


def _example(root: Schema, schema: Any, depth: int) -> Any:
    """A value of the right form: what the schema gives, else what it is made of."""
    parts = [each for each in resolved(root, schema) if each.get("type") != "null"]
    for each in parts:
        if "default" in each and each["default"] is not None:
            return each["default"]
        if isinstance(each.get("examples"), list) and each["examples"]:
            return each["examples"][0]
        if isinstance(each.get("enum"), list) and each["enum"]:
            return each["enum"][0]
        if "const" in each:
            return each["const"]
    first: Any = next((each.get("type") for each in parts if each.get("type")), None)
    kind = first[0] if isinstance(first, list) and first else first
    if kind == "array":
        items = list(inner(root, schema, lambda each: [each.get("items")]))
        return [_example(root, items[0], depth + 1)] if items and depth < 3 else []
    if kind == "object":
        named: Mapping[str, Any] = next(
            (each["properties"] for each in parts if isinstance(each.get("properties"), Mapping)), {}
        )
        return {name: _example(root, each, depth + 1) for name, each in named.items()} if depth < 3 else {}
    form = next((_FORMATS[str(each.get("format"))] for each in parts if str(each.get("format")) in _FORMATS), None)
    if kind == "string":
        return FORMS[form] if form is not None else "…"
    return {"integer": 1, "number": 1.5, "boolean": True}.get(str(kind))


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


# ── from fields to a form ────────────────────────────────────────────────────────────────────────────────────────


def layout_of(schema: Schema, args: Mapping[str, Any]) -> Layout:
    """How to ask for the arguments of a schema, where these are the ones so far."""
    fields = fields_of(schema)
    names = {field.name for field in fields}
    single = [field for field in fields if field.kind != "json"]
    nested = [field for field in fields if field.kind == "json"]
    more = bool(nested) or bool(args.keys() - names) or takes_others(schema)
    room = MOST_FIELDS if len(single) <= MOST_FIELDS and not more else MOST_FIELDS - 1
    asked = single[:room]
    rest = (*single[room:], *nested)
    kept = {field.name for field in asked if field.name in args and len(begun(field, args[field.name])) > LONGEST_TYPED}
    has_rest = more or bool(rest)
    if has_rest and len(rest_begun(schema, rest, {field.name for field in asked}, args)) > LONGEST_TYPED:
        kept |= args.keys() - {field.name for field in asked}
        rest, has_rest = (), False
    return Layout(
        asked=tuple(field for field in asked if field.name not in kept), rest=tuple(rest), has_rest=has_rest,
        kept=frozenset(kept),
    )  # fmt: skip


def begins_with(schema: Schema, layout: Layout, args: Mapping[str, Any]) -> dict[str, str]:
    """The texts that the fields of a form begin with: the arguments so far, else what holds where one is left out."""
    usual = {field.name: field.default for field in layout.asked if not field.secret}
    texts = {field.name: begun(field, args.get(field.name, usual.get(field.name))) for field in layout.asked}
    return {**texts, REST: rest_begun(schema, layout.rest, texts, args)} if layout.has_rest else texts


def begun(field: Field, value: Any) -> str:
    """The text a field begins with when it has a value."""
    if value is None or value is msgspec.UNSET:
        return ""
    if field.secret:
        return MASK
    return value if isinstance(value, str) else spelled(value)


def rest_begun(schema: Schema, rest: Iterable[Field], asked: Iterable[str], args: Mapping[str, Any]) -> str:
    """The JSON that the field for all further arguments begins with: what they are, else an example of what is needed."""
    taken = set(asked)
    shown = {name: value for name, value in masked(args, schema).items() if name not in taken}
    needed = {field.name: field.example for field in rest if field.required}
    usual = {field.name: field.default for field in rest if field.default is not msgspec.UNSET and not field.secret}
    found = {**needed, **({} if args else usual), **shown}
    return json.dumps(found, ensure_ascii=False, indent=1) if found else ""


def spelled(value: Any) -> str:
    """A value as people type it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

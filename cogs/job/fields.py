"""Fields: the arguments of a method as a form asks for them, and what was typed as arguments again.

Pure: from a JSON Schema to fields, from values to the text a form begins with, from typed text to values. What a schema
says beyond that (patterns, formats of its own, what depends on each other) the core checks when something is saved.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, Literal

import msgspec

from cogs.texts import shorten
from schedule_zero.masking import MASK, Schema, inner, is_secret, masked, resolved, restored

Kind = Literal["text", "integer", "number", "boolean", "choice", "date", "instant", "time", "span", "json"]
MOST_FIELDS: Final = 5
"""The parts a form may have (Discord documentation, "Modals")."""
MOST_CHOICES: Final = 25
LONGEST_TYPED: Final = 4_000
"""Characters a text field of a form takes."""
REST: Final = "…"
"""Stands for the field that holds all further arguments as JSON; no argument of a schema can be in its way."""
_YES: Final = {"true", "yes", "on", "1"}
_NO: Final = {"false", "no", "off", "0"}
_FORMATS: Final[dict[str, Kind]] = {"date": "date", "date-time": "instant", "time": "time", "duration": "span"}
_FORMS: Final[dict[Kind, str]] = {
    "date": "2026-12-24", "instant": "2026-12-24T18:00:00Z", "time": "18:00:00", "span": "PT1H30M",
}  # fmt: skip
_TAKEN: Final = "{parent"
"""How something begins that is taken from the run before, in a chain."""
_STAMP: Final = re.compile(r"<t:(-?\d{1,12})(?::\w)?>")
_TYPES: Final[dict[str, Kind]] = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}


class Wrong(Exception):
    """A text that is no value of its field; the sentence goes on from the field's name."""


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
        }.get(self.kind) or f"such as {_FORMS[self.kind]}"  # fmt: skip
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


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong in one field, as a sentence that goes on from its name."""

    name: str
    sentence: str


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
        return _FORMS[form] if form is not None else "…"
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


# ── from what was typed to arguments ─────────────────────────────────────────────────────────────────────────────


def read_form(
    schema: Schema, layout: Layout, typed: Mapping[str, str], before: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Mistake]]:
    """Arguments from the fields of a form, and what is wrong with them. A secret that was left masked stays as it is."""
    args = {name: before[name] for name in layout.kept}
    mistakes: list[Mistake] = []
    for field in layout.asked:
        text = typed.get(field.name, "")
        if field.secret and text == MASK and field.name in before:
            args[field.name] = before[field.name]
            continue
        if not text.strip():
            if field.required:
                mistakes.append(Mistake(field.name, f"is missing; write {field.hint}"))
            continue
        try:
            args[field.name] = read(field, text)
        except Wrong as error:
            mistakes.append(Mistake(field.name, str(error)))
    if layout.has_rest:
        _read_rest(schema, layout, typed.get(REST, ""), before, args, mistakes)
    return args, mistakes


def _read_rest(
    schema: Schema, layout: Layout, text: str, before: Mapping[str, Any], args: dict[str, Any], mistakes: list[Mistake]
) -> None:  # fmt: skip
    try:
        more = _object(text) if text.strip() else {}
        more = restored(more, before, schema)
    except Wrong as error:
        mistakes.append(Mistake(REST, str(error)))
        return
    except Exception as error:
        sentence = getattr(error, "sentence", None)
        if sentence is None:
            raise
        mistakes.append(Mistake(REST, f": {sentence}"))
        return
    twice = [field.name for field in layout.asked if field.name in more]
    mistakes += [Mistake(name, "has a field of its own; leave it out of the JSON") for name in twice]
    missing = [field for field in layout.rest if field.required and field.name not in more]
    mistakes += [Mistake(field.name, f"is missing; add it to the JSON: {field.hint}") for field in missing]
    args.update(more)


def read_args(schema: Schema, text: str) -> dict[str, Any]:
    """Arguments as an option has them: a JSON object, or ``key=value key="two words"``.

    Raises:
        Wrong: they cannot be read; the sentence names the argument.
    """
    if text.lstrip().startswith("{"):
        return _object(text)
    try:
        parts = shlex.split(text)
    except ValueError:
        raise Wrong(
            'has a quotation mark that is not closed; write for example day=2026-12-24 note="two words"'
        ) from None
    fields = {field.name: field for field in fields_of(schema)}
    args: dict[str, Any] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise Wrong(f"has {shorten(part, 60)!r}, which is no argument; write key=value, or a JSON object")
        if name in args:
            raise Wrong(f"names {name} twice")
        field = fields.get(name)
        try:
            args[name] = _guess(value) if field is None else read(field, value)
        except Wrong as error:
            raise Wrong(f"is wrong: {name} {error}") from None
    return args


def read(field: Field, text: str) -> Any:
    """The value that a text means in a field.

    Raises:
        Wrong: it is none; says what to write instead.
    """
    if _TAKEN in text and field.kind != "json":
        return text.strip()  # what it will be, a run before leaves; the core knows whether there is one
    if field.kind == "text":
        return _text(field, text)
    return _READERS[field.kind](field, text.strip())


def _text(field: Field, text: str) -> str:
    if field.shortest is not None and len(text) < field.shortest:
        raise Wrong(f"has {len(text):,} characters, and needs at least {field.shortest:,}")
    if field.longest is not None and len(text) > field.longest:
        raise Wrong(f"has {len(text):,} characters, and takes at most {field.longest:,}")
    return text


def _integer(field: Field, text: str) -> int:
    if re.fullmatch(r"[+-]?\d{1,30}", text) is None:
        raise Wrong(f"has to be a whole number such as 3, and is {_quoted(field, text)}")
    value = int(text)
    _within(field, value)
    return value


def _float(field: Field, text: str) -> float:
    if re.fullmatch(r"[+-]?(\d{1,30}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", text) is None:
        raise Wrong(f"has to be a number such as 1.5, and is {_quoted(field, text)}")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Wrong("is too large a number")
    _within(field, value)
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else value


def _within(field: Field, value: float) -> None:
    broken = [
        (words, bound) for words, bound, fits in (
            ("at least", field.least, field.least is None or value >= field.least),
            ("at most", field.most, field.most is None or value <= field.most),
            ("more than", field.above, field.above is None or value > field.above),
            ("less than", field.below, field.below is None or value < field.below),
        ) if not fits
    ]  # fmt: skip
    for words, bound in broken:
        is_it = "" if field.secret else f"is {value:g}, and "
        raise Wrong(f"{is_it}has to be {words} {bound:g}")


def _boolean(field: Field, text: str) -> bool:
    word = text.casefold()
    if word not in _YES | _NO:
        raise Wrong(f"has to be yes or no, and is {_quoted(field, text)}")
    return word in _YES


def _choice(field: Field, text: str) -> Any:
    by_text = {spelled(value): value for value in field.choices}
    if text in by_text:
        return by_text[text]
    folded = [value for spelling, value in by_text.items() if spelling.casefold() == text.casefold()]
    if len(folded) == 1:
        return folded[0]
    near = get_close_matches(text, by_text, 1)
    there = f"did you mean {shorten(near[0], 60)}?" if near else f"it takes {shorten(', '.join(by_text), 200)}"
    raise Wrong(f"has no choice {_quoted(field, text)}; {there}")


def _moment(kind: type[Any]) -> Callable[[Field, str], str]:
    def checked(field: Field, text: str) -> str:
        stamp = _STAMP.fullmatch(text)
        if stamp is not None and field.kind == "instant":
            try:
                at = dt.datetime.fromtimestamp(int(stamp[1]), dt.UTC)
            except (ValueError, OverflowError, OSError):
                raise Wrong("is a moment that no calendar has") from None
            return at.isoformat().replace("+00:00", "Z")
        spelling = text.replace(" ", "T", 1) if field.kind == "instant" else text
        if field.kind == "time" and re.fullmatch(r"\d\d:\d\d", text):
            spelling = f"{text}:00"
        if field.kind == "instant":
            spelling = re.sub(r"T(\d\d:\d\d)(?=$|[Z+-])", r"T\1:00", spelling)
        try:
            msgspec.convert(spelling, kind)
        except msgspec.ValidationError:
            raise Wrong(f"has to be written like {_FORMS[field.kind]}, and is {_quoted(field, text)}") from None
        return spelling

    return checked


def _json(field: Field, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Wrong(f"has to be JSON such as {shorten(spelled(field.example), 200)}") from None


_READERS: Final[dict[Kind, Callable[[Field, str], Any]]] = {
    "integer": _integer, "number": _float, "boolean": _boolean, "choice": _choice, "date": _moment(dt.date),
    "instant": _moment(dt.datetime), "time": _moment(dt.time), "span": _moment(dt.timedelta), "json": _json,
}  # fmt: skip


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise Wrong(f"is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise Wrong(f"is no JSON that can be read: {error}") from None
    if not isinstance(found, dict):
        raise Wrong('has to be a JSON object such as {"day": "2026-12-24"}')
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"it names {shorten(twice, 60)} twice")
    return dict(pairs)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _guess(value: str) -> Any:
    """The value of an argument nothing is known about: what JSON makes of it, else the text."""
    try:
        return json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return value


def _quoted(field: Field, text: str) -> str:
    return "something else" if field.secret else repr(shorten(text, 60))

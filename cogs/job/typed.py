"""Typed: what was typed into the fields of a form, or written in an option, as arguments again. Pure, as the fields are."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from cogs.job.fields import FORMS, REST, Field, Kind, Layout, fields_of, spelled
from cogs.texts import shorten
from schedule_zero.errors import Invalid
from schedule_zero.masking import MASK, Schema, restored

_YES: Final = {"true", "yes", "on", "1"}
_NO: Final = {"false", "no", "off", "0"}
_TAKEN: Final = "{parent"
"""How something begins that is taken from the run before, in a chain."""
_STAMP: Final = re.compile(r"<t:(-?\d{1,12})(?::\w)?>")


class Wrong(Exception):
    """A text that is no value of its field; the sentence goes on from the field's name."""


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong in one field, as a sentence that goes on from its name."""

    name: str
    sentence: str


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
        more = restored(_object(text) if text.strip() else {}, before, schema)
    except Wrong as error:
        mistakes.append(Mistake(REST, str(error)))
        return
    except Invalid as error:
        mistakes.append(Mistake(REST, f": {error.sentence}"))
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
            raise Wrong(f"has to be written like {FORMS[field.kind]}, and is {_quoted(field, text)}") from None
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

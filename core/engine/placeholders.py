"""Placeholders: what a run that follows another takes from it into its arguments. Pure.

``{parent.result.rows}``, ``{parent.state}``, ``{parent:NAME.error|nothing}``. A text that is nothing but a placeholder
becomes the value itself, whatever its type; inside a text the value is written out. ``{{parent`` is the text
``{parent``; every other brace stands for itself. There is nothing to compute here, on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from schedule_zero.instant import spell
from schedule_zero.result import readable

LARGEST: Final = 64 * 1024  # bytes of arguments, filled in
DEEPEST: Final = 20
MOST: Final = 100
EXAMPLE: Final = "{parent.result.rows}, {parent.state} or {parent:NAME.error|none}"

_MARK: Final = "{parent"
_BEGIN: Final = re.compile(
    r"(?<!\{)\{+parent(?![A-Za-z0-9_])"
)  # a row of braces is looked at once, not from each of them
_PLACEHOLDER: Final = re.compile(
    r"\{parent(?::(?P<name>[^{}|\n]{1,100}?))?"
    r"\.(?P<field>run_id|state|error|due|result)(?P<path>(?:\.[A-Za-z0-9_-]{1,100})*)"
    r"(?:\|(?P<fallback>[^{}]*))?\}"
)
_encode: Final = msgspec.json.Encoder().encode
_MISSING: Final = object()
_UNREAD: Final = object()


class Parent(msgspec.Struct):
    """What a run that ended leaves to those that follow it.

    Attributes:
        due: microseconds; ``result``: JSON.
        schedule_id, schedule_name: of what it was a run of, by which placeholders name it.
    """

    run_id: str
    state: str
    due: int
    result: str | None
    error: str | None
    schedule_id: str = ""
    schedule_name: str | None = None
    _value: Any = _UNREAD

    @property
    def value(self) -> Any:
        """The result, read once however many placeholders want something of it; ``_MISSING`` where there is none."""
        if self._value is _UNREAD:
            self._value = _MISSING if self.result is None else msgspec.json.decode(self.result)
        return self._value


class Parents(msgspec.Struct, frozen=True):
    """The run that is followed, and those by the names and ids of their schedules. Nobody: the run follows none."""

    cause: Parent | None = None
    named: Mapping[str, Parent] = {}


NOBODY: Final = Parents()


def following(cause: Parent | None, joined: Iterable[Parent] = ()) -> Parents:
    """The run that is followed, and those that are joined with it, by the ids and names of their schedules."""
    named: dict[str, Parent] = {}
    for each in joined if cause is None else (cause, *joined):
        named[each.schedule_id] = each
        if each.schedule_name is not None:
            named.setdefault(each.schedule_name, each)
    return Parents(cause, named)


class BadPlaceholder(ValueError):
    """What begins as a placeholder is none: its place in the arguments, and a sentence."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


class Unfilled(BadPlaceholder):
    """A placeholder stands for nothing."""


class Placeholder(msgspec.Struct, frozen=True):
    """One placeholder. ``fallback`` None: it has to stand for something."""

    text: str
    name: str | None
    field: str
    path: tuple[str, ...]
    fallback: str | None


class Placed(msgspec.Struct, frozen=True):
    """Where a placeholder stands: ``args.text``, ``args.list[0]``."""

    place: str
    placeholder: Placeholder


def has_placeholders(args: str) -> bool:
    """Whether arguments, as JSON, may hold any: quickly, for nearly all hold none."""
    return _MARK in args


def names_parents(args: str) -> bool:
    """Whether they may hold any that name a parent."""
    return f"{_MARK}:" in args


def placeholders_in(args: Mapping[str, Any]) -> list[Placed]:
    """All placeholders of some arguments.

    Raises:
        BadPlaceholder: one of them cannot be read, or there are too many.
    """
    found = [
        Placed(place, piece)
        for place, text in _texts(args, "args")
        for piece in _read(place, text)
        if isinstance(piece, Placeholder)
    ]
    if len(found) > MOST:
        raise BadPlaceholder("args", f"hold {len(found)} placeholders; at most {MOST} are filled in")
    return found


def filled(args: Mapping[str, Any], parents: Parents) -> dict[str, Any]:
    """The arguments with what the parents left.

    Raises:
        Unfilled: one stands for nothing and has no fallback, or all together grow too large.
        BadPlaceholder: one cannot be read; such arguments are not saved.
    """
    room = [LARGEST]

    def fill(place: str, text: str) -> Any:
        value = _filled(place, text, parents)
        room[0] -= len(_encode(value))
        if room[0] < 0:
            raise _too_large("args")
        return value

    made: dict[str, Any] = _mapped(args, "args", fill)
    return made


def filled_in(args: str, parents: Parents) -> str:
    """The same in JSON. Raises what ``filled`` raises."""
    return _encode(filled(msgspec.json.decode(args), parents)).decode()


def blanked(args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with null wherever a run will have something else."""
    made: dict[str, Any] = _mapped(
        args, "args", lambda place, text: None if any(isinstance(p, Placeholder) for p in _read(place, text)) else text
    )
    return made


def without_parent(args: str) -> str | None:
    """The arguments of a run that follows none; None where they hold no placeholders. Those of a schedule with times of its
    own all have fallbacks."""
    if not has_placeholders(args):
        return None
    try:
        return filled_in(args, NOBODY)
    except BadPlaceholder:
        return None


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{place}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{place}[{index}]")


def _mapped(value: Any, place: str, change: Callable[[str, str], Any]) -> Any:
    if isinstance(value, str):
        return change(place, value)
    if isinstance(value, Mapping):
        return {key: _mapped(inner, f"{place}.{key}", change) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(inner, f"{place}[{index}]", change) for index, inner in enumerate(value)]
    return value


def _read(place: str, text: str) -> tuple[str | Placeholder, ...]:
    try:
        return _pieces(text)
    except ValueError as error:
        raise BadPlaceholder(place, str(error)) from None


@lru_cache(maxsize=1024)
def _pieces(text: str) -> tuple[str | Placeholder, ...]:
    """A text as what stands there and what is to be filled in. Raises ValueError."""
    pieces: list[str | Placeholder] = []
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        braces = begin.end() - begin.start() - len("parent")
        if braces > 1:
            pieces.append(f"{text[at : begin.start()]}{text[begin.start() + 1 : begin.end()]}")
            at = begin.end()
            continue
        found = _PLACEHOLDER.match(text, begin.start())
        if found is None:
            shown = text[begin.start() : begin.start() + 40]
            raise ValueError(f"{shown!r} cannot be filled in; write {EXAMPLE}, or {{{{parent for the text itself")
        pieces += [text[at : begin.start()], _placeholder(found)]
        at = found.end()
    return tuple(piece for piece in (*pieces, text[at:]) if piece != "")


def _placeholder(found: re.Match[str]) -> Placeholder:
    path = tuple(part for part in found["path"].split(".") if part)
    if path and found["field"] != "result":
        raise ValueError(f"{found[0]!r} cannot be filled in: only a result has parts")
    if len(path) > DEEPEST:
        raise ValueError(f"{found[0][:40]!r} goes more than {DEEPEST} steps into a result")
    return Placeholder(found[0], found["name"], found["field"], path, found["fallback"])


def _filled(place: str, text: str, parents: Parents) -> Any:
    pieces = _read(place, text)
    if len(pieces) == 1 and isinstance(pieces[0], Placeholder):
        return _value(place, pieces[0], parents, whole=True)
    written, size = [], 0
    for piece in pieces:
        written.append(piece if isinstance(piece, str) else _written(_value(place, piece, parents, whole=False)))
        size += len(written[-1])
        if size > LARGEST:
            raise _too_large(place)
    return "".join(written)


def _too_large(place: str) -> Unfilled:
    return Unfilled(place, f"come to more than {LARGEST} bytes with what the run before left")


def _written(value: Any) -> str:
    """A value inside a text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _encode(value).decode()


def _value(place: str, wanted: Placeholder, parents: Parents, *, whole: bool) -> Any:
    parent = parents.cause if wanted.name is None else parents.named.get(wanted.name)
    value = _MISSING if parent is None else _left(parent, wanted)
    if value is _MISSING or (value is None and wanted.fallback is not None):
        if wanted.fallback is None:
            raise Unfilled(place, f"{wanted.text} stands for nothing: {_why(parent, wanted)}")
        return _said(wanted.fallback) if whole else wanted.fallback
    return value


def _left(parent: Parent, wanted: Placeholder) -> Any:
    if wanted.field == "due":
        return spell(parent.due)
    if wanted.field != "result":
        return getattr(parent, wanted.field)
    value = parent.value
    for part in wanted.path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _why(parent: Parent | None, wanted: Placeholder) -> str:
    if parent is None:
        return "this run follows none" if wanted.name is None else f"it follows no run of {wanted.name!r}"
    if parent.result is None:
        return f"{parent.run_id} {parent.state} without a result"
    return f"the result of {parent.run_id} has no {'.'.join(wanted.path)!r}"


def _said(fallback: str) -> Any:
    """A fallback that is all of a text: JSON where it is some, within the bounds of results, so that it may have a type as
    well."""
    return msgspec.json.decode(readable(fallback))

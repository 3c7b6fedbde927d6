"""Secrets among arguments: which they are, and what is shown instead of them.

A secret is what a method's JSON Schema says to be one (``writeOnly``, or ``"format": "password"``), and text under a name
that looks like one. Everything that shows arguments, or words that may repeat them, hides them through this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from schedule_zero.errors import Invalid
from schedule_zero.run import Run

MASK: Final = "••••••"
"""What stands where a secret is. Sent back in its place, the secret stays as it is."""
SHORTEST: Final = 4
"""Characters; a shorter secret would black out half of every text it is looked for in."""
_DEEPEST: Final = 32
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET: Final = frozenset(
    {"password", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "credential", "credentials",
     "authorization", "bearer", "cookie", "apikey", "jwt"}
)  # fmt: skip
_KEYS: Final = frozenset({"api", "access", "auth", "private", "secret", "signing", "encryption", "ssh", "deploy"})

Schema = Mapping[str, Any]


def looks_secret(name: str) -> bool:
    """Whether a name is one that people give to secrets: ``db_password``, ``apiKey``, ``SECRET``."""
    words = [word.casefold() for word in _WORD.findall(name)]
    return not _SECRET.isdisjoint(words) or any(first in _KEYS and second == "key" for first, second in pairwise(words))


def is_secret(name: str, schema: Schema) -> bool:
    """Whether an argument (or an entry of one) of that name and schema, references resolved, is a secret."""
    if schema.get("writeOnly") is True or schema.get("format") == "password":
        return True
    return looks_secret(name) and schema.get("type") not in ("boolean", "integer", "number")


def masked(args: Mapping[str, Any], schema: Schema | None) -> dict[str, Any]:
    """Arguments to show. ``schema`` None: nobody says what is secret among them, so every text is hidden."""
    return {name: _hide(value, _entry(schema, schema, name), name, schema, 0) for name, value in args.items()}


def restored(args: Mapping[str, Any], before: Mapping[str, Any], schema: Schema | None) -> dict[str, Any]:
    """Arguments that were shown masked and came back: where the mask still stands, the secret from ``before``.

    Raises:
        Invalid: the mask stands where there was nothing to hide.
    """
    hidden = masked(before, schema)
    return {name: _show(value, before.get(name), hidden.get(name), f"args.{name}") for name, value in args.items()}


def secrets_in(args: Mapping[str, Any], schema: Schema | None) -> frozenset[str]:
    """The texts among arguments that ``masked`` hides, as far as they are long enough to be looked for elsewhere."""
    found = {
        text for hidden, value in _pairs(masked(args, schema), dict(args)) if hidden == MASK for text in _texts(value)
    }
    return frozenset(text for text in found if len(text) >= SHORTEST)


def without(text: str, secrets: Iterable[str]) -> str:
    """Words in which none of these secrets stands any more: a handler's error may repeat what it was given."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def discreet(run: Run, secrets: frozenset[str]) -> Run:
    """A run that repeats none of these secrets, whatever it says."""
    if not secrets:
        return run
    attempts = tuple(msgspec.structs.replace(each, error=_hushed(each.error, secrets)) for each in run.attempts)
    progress = run.progress
    if progress is not None:
        progress = msgspec.structs.replace(progress, note=without(progress.note, secrets))
    return msgspec.structs.replace(
        run, error=_hushed(run.error, secrets), reason=_hushed(run.reason, secrets), attempts=attempts,
        result=_hushed(run.result, secrets), progress=progress,
    )  # fmt: skip


def _hushed(value: Any, secrets: frozenset[str]) -> Any:
    """A value without secrets in any of its texts."""
    if isinstance(value, str):
        return without(value, secrets)
    if isinstance(value, Mapping):
        return {key: _hushed(each, secrets) for key, each in value.items()}
    return [_hushed(each, secrets) for each in value] if isinstance(value, list) else value


def inner(root: Schema, schema: Any, follow: Callable[[Schema], Iterable[Any]]) -> Iterator[Schema]:
    """What ``follow`` finds in a schema and in those that hold for the same value, references within ``root`` resolved."""
    for each in resolved(root, schema):
        yield from (one for found in follow(each) for one in resolved(root, found))


def resolved(root: Schema, schema: Any, depth: int = 0, *, certain: bool = False) -> Iterator[Schema]:
    """A schema and those it refers to or is made of, for the same value; circles and nonsense end it.

    ``certain``: without alternatives, of which only some hold.
    """
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield from resolved(root, _target(root, reference), depth + 1, certain=certain)
    for word in ("allOf",) if certain else ("allOf", "anyOf", "oneOf"):
        parts = schema.get(word)
        for part in parts if isinstance(parts, list) else ():
            yield from resolved(root, part, depth + 1, certain=certain)


def _target(root: Schema, reference: str) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if reference.startswith("#") else None


def _entry(root: Schema | None, schema: Any, name: str) -> list[Schema] | None:
    """The schemas of an entry of an object; None where there is no schema at all."""
    if root is None:
        return None

    def follow(each: Schema) -> Iterable[Any]:
        named = each.get("properties")
        return [named.get(name) if isinstance(named, Mapping) and name in named else each.get("additionalProperties")]

    return list(inner(root, schema, follow))


def _hide(value: Any, schemas: list[Schema] | None, name: str, root: Schema | None, depth: int) -> Any:
    if schemas is None:
        hidden = isinstance(value, str) or looks_secret(name)
    else:
        hidden = any(is_secret("", each) for each in schemas)
        hidden = hidden or (looks_secret(name) and not isinstance(value, bool | int | float))
    if value is None:
        return None
    if hidden or depth > _DEEPEST:
        return MASK
    if isinstance(value, Mapping):
        return {key: _hide(each, _entries(root, schemas, key), key, root, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        items = None if root is None or schemas is None else _items(root, schemas)
        return [_hide(each, items, "", root, depth + 1) for each in value]
    return value


def _entries(root: Schema | None, schemas: list[Schema] | None, name: str) -> list[Schema] | None:
    if root is None or schemas is None:
        return None
    return [one for each in schemas for one in _entry(root, each, name) or ()]


def _items(root: Schema, schemas: list[Schema]) -> list[Schema]:
    def follow(each: Schema) -> Iterable[Any]:
        first = each.get("prefixItems")
        return [each.get("items"), *(first if isinstance(first, list) else ())]

    return [one for each in schemas for one in inner(root, each, follow)]


def _show(value: Any, before: Any, hidden: Any, place: str) -> Any:
    if value == MASK:
        if hidden != MASK:
            raise Invalid.at(
                place, "is only the sign for something hidden, and nothing is hidden there; write the value"
            )
        return before
    if isinstance(value, Mapping):
        there, shown = (each if isinstance(each, Mapping) else {} for each in (before, hidden))
        return {key: _show(each, there.get(key), shown.get(key), f"{place}.{key}") for key, each in value.items()}
    if isinstance(value, list):
        there_, shown_ = (each if isinstance(each, list) else [] for each in (before, hidden))
        rows = range(len(value))
        return [_show(value[at], _at(there_, at), _at(shown_, at), f"{place}[{at}]") for at in rows]
    return value


def _at(items: list[Any], place: int) -> Any:
    return items[place] if place < len(items) else None


def _pairs(hidden: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(hidden, Mapping) and isinstance(value, Mapping):
        for key, each in hidden.items():
            yield from _pairs(each, value[key])
    elif isinstance(hidden, list) and isinstance(value, list):
        for one, other in zip(hidden, value, strict=True):
            yield from _pairs(one, other)
    else:
        yield hidden, value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)

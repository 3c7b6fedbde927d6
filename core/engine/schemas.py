"""Schemas: whether the JSON Schema a handler announces is one, and one that can be checked without harm.

It comes from a stranger. So it is looked through before anything is done with it: every keyword has the form it must
have, nothing is nested without end, and a reference leads somewhere within the same schema and not back to itself. What
is left over (``Admitted``) holds the keywords that the core checks, and no others: those are the handler's own to check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

MOST_SCHEMAS: Final = 1000
MOST_TOGETHER: Final = 4000
DEEPEST: Final = 32
LONGEST_PATTERN: Final = 500

_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_ONE: Final = frozenset({"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"})
_SEVERAL: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_IN_PLACE: Final = frozenset({"allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then"})
_NOTHING: Final[dict[str, Any]] = {"not": {}}  # takes no value, as ``false`` does, and its mistakes know their place
_decode: Final = msgspec.json.Decoder().decode

Admitted = dict[str, Any]


class BadSchema(ValueError):
    """It is no JSON Schema, or one that is not taken; the sentence names the place."""


def read_schemas(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The schemas of a handler's methods, by name, as they were announced.

    Raises:
        BadSchema: one of them would not be admitted, or they are too large together.
    """
    found: dict[str, dict[str, Any]] = {}
    room = MOST_TOGETHER
    for name, text in texts.items():
        try:
            found[name] = _decode(text)
            room -= _look_through(found[name], min(room, MOST_SCHEMAS))[1]
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            raise BadSchema(f"the schema of method {name} is no JSON: {error}") from None
        except BadSchema as error:
            raise BadSchema(f"the schema of method {name} {error}") from None
    return found


def admitted(schema: Any) -> Admitted:
    """What of a schema is checked. Raises BadSchema with a sentence that goes on from "the schema of a method"."""
    return _look_through(schema, MOST_SCHEMAS)[0]


def _look_through(schema: Any, most: int) -> tuple[Admitted, int]:
    """What of a schema is checked, and of how many schemas it is made."""
    if not isinstance(schema, dict):
        raise BadSchema("is no JSON object")
    walk = _Walk(most)
    kept = walk.schema(schema, "", 0)
    _follow(kept, walk.references)
    assert isinstance(kept, dict)
    return kept, walk.seen


class _Walk:
    """One walk over a schema; ``references`` are those it met."""

    def __init__(self, most: int) -> None:
        self.references: list[str] = []
        self.seen = 0
        self._most = most

    def schema(self, schema: Any, place: str, depth: int) -> Admitted | bool:
        self.seen += 1
        if self.seen > self._most:
            raise BadSchema(
                f"is too large: a method's may be made of {MOST_SCHEMAS} schemas, all of a handler's of {MOST_TOGETHER}"
            )
        if depth > DEEPEST:
            raise BadSchema(f"is nested deeper than {DEEPEST} levels")
        if isinstance(schema, bool):
            return schema or dict(_NOTHING)
        if not isinstance(schema, dict):
            raise _wrong(place, "an object, or true or false")
        return self._keywords(schema, place, depth)

    def _keywords(self, schema: dict[str, Any], place: str, depth: int) -> Admitted:
        kept: Admitted = {}
        for word, value in schema.items():
            where = f"{place}/{word}"
            if word in _ONE:
                closed = word == "additionalProperties" and value is False  # says which names are too many
                kept[word] = False if closed else self.schema(value, where, depth + 1)
            elif word in _SEVERAL:
                kept[word] = self._several(value, where, depth + 1)
            elif word in _NAMED:
                kept[word] = self._named(value, where, depth + 1)
            elif word == "$ref":
                kept[word] = self._reference(value, where)
            elif word in _FORMS:
                fits, words = _FORMS[word]
                if not fits(value):
                    raise _wrong(where, words)
                kept[word] = value
        return kept

    def _several(self, value: Any, where: str, depth: int) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise _wrong(where, "a list of schemas")
        return [self.schema(each, f"{where}/{place}", depth) for place, each in enumerate(value)]

    def _named(self, value: Any, where: str, depth: int) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(where, "an object of schemas")
        return {name: self.schema(each, f"{where}/{name}", depth) for name, each in value.items()}

    def _reference(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise _wrong(where, "a text")
        if value != "#" and not value.startswith("#/"):
            raise _wrong(
                where, "a place within the same schema such as #/$defs/NAME; nothing is fetched from elsewhere"
            )
        self.references.append(value)
        return value


def target(root: Any, reference: str) -> Any:
    """The schema a reference leads to. Raises BadSchema if there is none."""
    found = root
    for part in reference[1:].split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and len(name) < 6 and int(name) < len(found):
            found = found[int(name)]
        else:
            raise BadSchema(f"refers to {reference[:100]!r}, and nothing is there")
    if not isinstance(found, (dict, bool)):
        raise BadSchema(f"refers to {reference[:100]!r}, which is no schema")
    return found


def _follow(root: Any, references: list[str]) -> None:
    """Every reference leads to a schema, and none leads back to itself before something of the arguments was looked at."""
    over: set[str] = set()
    for reference in dict.fromkeys(references):
        path: list[tuple[str, Iterator[str]]] = [(reference, _next(root, reference))]
        on_the_way = {reference}
        while path:
            here, following = path[-1]
            step = next(following, None)
            if step is None:
                path.pop()
                on_the_way.discard(here)
                over.add(here)
            elif step in on_the_way:
                raise BadSchema(f"refers to {step[:100]!r} in a circle")
            elif step not in over:
                path.append((step, _next(root, step)))
                on_the_way.add(step)


def _next(root: Any, reference: str) -> Iterator[str]:
    """References that hold for the same value as this one."""
    left = [target(root, reference)]
    while left:
        schema = left.pop()
        if not isinstance(schema, dict):
            continue
        if "$ref" in schema:
            yield schema["$ref"]
        for word in _IN_PLACE & schema.keys():
            value = schema[word]
            inner = value.values() if word == "dependentSchemas" else value if isinstance(value, list) else (value,)
            left.extend(inner)


def _wrong(place: str, words: str) -> BadSchema:
    return BadSchema(f"is wrong at {place[:200] or '/'}: that has to be {words}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in _TYPES for name in names)


_A_NUMBER: Final = _is_number, "a number"
_A_COUNT: Final = _is_count, "a whole number from 0"
# What else is checked: the form of each keyword's value, and that form in words.
_FORMS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "type": (_is_type, f"one or several of {', '.join(sorted(_TYPES))}"),
    "enum": (lambda value: isinstance(value, list), "a list"),
    "const": (lambda _: True, "anything"),
    "required": (_are_texts, "a list of texts"),
    "dependentRequired": (
        lambda value: isinstance(value, dict) and all(map(_are_texts, value.values())), "an object of lists of texts",
    ),
    "format": (lambda value: isinstance(value, str), "a text"),
    "pattern": (
        lambda value: isinstance(value, str) and len(value) <= LONGEST_PATTERN,
        f"a text of at most {LONGEST_PATTERN} characters",
    ),
    "uniqueItems": (lambda value: isinstance(value, bool), "true or false"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _A_NUMBER),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"),
        _A_COUNT,
    ),
}  # fmt: skip

"""Arguments against a JSON Schema that a stranger announced, with our own words for what does not fit.

``jsonschema`` walks it in Python, where a walk can be stopped: it gets so many steps and so much time, patterns have a
time-out, and nothing is fetched. What is not decided by then is left to the handler, which checks its arguments itself.
(jsonschema-rs was tried too: it is faster, but cannot be stopped, and a stack that overflows there ends the process.)
"""

from __future__ import annotations

import datetime as dt
import re
import time
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import msgspec
import regex  # type: ignore[import-untyped]
import structlog
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import create  # type: ignore[import-untyped]
from referencing import Registry

from core.fields import joined, none_of, quoted, said, unknown
from schedule_zero.errors import FieldError

log = structlog.get_logger(__name__)

MOST_STEPS: Final = 20_000
LONGEST_S: Final = 0.1
LONGEST_MATCH_S: Final = 0.02
LONGEST_MATCHED: Final = 4096
MOST_REPEATS: Final = 1000
MOST_COMPARED: Final = 256
MOST_NAMED: Final = 50
MOST_MISTAKES: Final = 20
OFTEN: Final = 3

_REPEAT: Final = re.compile(r"\{\s*(\d{0,9})\s*(?:,\s*(\d{0,9}))?\s*\}")
_TYPES: Final = {
    "array": "a list", "boolean": "true or false", "integer": "a whole number", "null": "null", "number": "a number",
    "object": "a mapping", "string": "text",
}  # fmt: skip
_FORMATS: Final[dict[str, tuple[type, str]]] = {
    "date": (dt.date, "a date such as 2026-12-24"),
    "date-time": (dt.datetime, "an instant such as 2026-12-24T18:00:00Z"),
    "time": (dt.time, "a time of day such as 18:00:00"),
    "duration": (dt.timedelta, "a duration such as PT1H30M"),
    "uuid": (uuid.UUID, "a UUID"),
}
_BOUNDS: Final = {
    "minimum": "has to be at least {}",
    "maximum": "has to be at most {}",
    "exclusiveMinimum": "has to be more than {}",
    "exclusiveMaximum": "has to be less than {}",
    "multipleOf": "has to be a multiple of {}",
    "minLength": "has to have at least {} characters",
    "maxLength": "has to have at most {} characters",
    "minItems": "has to have at least {} items",
    "maxItems": "has to have at most {} items",
    "minProperties": "has to have at least {} entries",
    "maxProperties": "has to have at most {} entries",
}


class _Enough(Exception):
    """The steps or the time of a check are used up."""


class SchemaCheck:
    """Checks arguments against one schema."""

    def __init__(self, schema: dict[str, Any], method: str) -> None:
        self._method = method
        self._steps = 0
        self._until = 0.0
        self._given_up = 0
        self._validator = _validator(schema, self._step)

    def mistakes(self, args: dict[str, Any]) -> list[FieldError]:
        """What is wrong, as far as that can be told in time."""
        if self._given_up >= OFTEN:
            return []
        self._steps, self._until = MOST_STEPS, time.monotonic() + LONGEST_S
        found: dict[FieldError, None] = {}
        try:
            for error in islice(self._validator.iter_errors(args), MOST_MISTAKES):
                found.update(dict.fromkeys(_explain(error)))
        except (_Enough, RecursionError):
            self._give_up("takes too long")
        except Exception as error:  # noqa: BLE001  # a stranger's schema may hold what nobody thought of
            self._give_up(f"failed with {type(error).__name__}")
        return list(found)

    def _step(self, weight: int) -> None:
        self._steps -= weight
        if self._steps < 0 or time.monotonic() > self._until:
            raise _Enough

    def _give_up(self, why: str) -> None:
        self._given_up += 1
        log.warning("arguments are left to their handler to check", method=self._method, why=why)


def _validator(schema: dict[str, Any], step: Callable[[int], None]) -> Any:
    """A validator of the keywords that a schema may hold, each of which counts as a step."""
    ours = {"pattern": _pattern, "format": _format, "uniqueItems": _unique, "additionalProperties": _additional}
    taken = {
        word: _counted(ours.get(word, function), step)
        for word, function in Draft202012Validator.VALIDATORS.items()
        if not word.startswith("unevaluated") and word not in ("$dynamicRef", "patternProperties")
    }
    made = create(
        meta_schema=Draft202012Validator.META_SCHEMA, validators=taken, type_checker=Draft202012Validator.TYPE_CHECKER
    )
    return made(schema, registry=Registry())


def _counted(function: Any, step: Callable[[int], None]) -> Any:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        step(1 + len(value) // 8 if isinstance(value, (list, dict)) else 1)
        yield from function(validator, value, instance, schema) or ()

    return counted


# ── keywords of which the library's own form could be made to hang, or fits us less ────────────────────────────


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    if not isinstance(instance, str) or len(instance) > LONGEST_MATCHED or not _is_small(pattern):
        return
    try:
        found = regex.search(pattern, instance, timeout=LONGEST_MATCH_S)
    except (regex.error, TimeoutError, RecursionError, OverflowError):
        return  # one that only its handler can read, or only in more time than there is
    if found is None:
        yield _mistake("pattern")


@lru_cache(maxsize=1024)
def _is_small(pattern: str) -> bool:
    """Whether its counted repeats, which are written out when it is compiled, come to little."""
    size = 1
    for found in _REPEAT.finditer(pattern):
        size *= max(1, *(int(number) for number in found.groups() if number))
        if size > MOST_REPEATS:
            return False
    return True


def _format(_validator: Any, name: str, instance: Any, _schema: Any) -> Iterator[Any]:
    known = _FORMATS.get(name)
    if known is not None and isinstance(instance, str):
        try:
            msgspec.convert(instance, known[0])
        except msgspec.ValidationError:
            yield _mistake("format")


def _unique(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[Any]:  # as it is called
    if wanted and isinstance(instance, list) and len(instance) <= MOST_COMPARED:
        seen = {_canonical(each) for each in instance}
        if len(seen) < len(instance):
            yield _mistake("has no doubles")


def _additional(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict) or "patternProperties" in schema:
        return
    more = [name for name in instance if name not in schema.get("properties", {})]
    if allowed is False and more:
        yield _mistake("more")
    elif isinstance(allowed, dict):
        for name in more:
            yield from validator.descend(instance[name], allowed, path=name)


_canonical: Final = msgspec.msgpack.Encoder(order="deterministic").encode


def _mistake(message: str) -> ValidationError:
    return ValidationError(message)


# ── in words ───────────────────────────────────────────────────────────────────────────────────────────────────


def _explain(error: Any) -> Iterator[FieldError]:
    """A mistake as the library has it, in our words and at its field."""
    word, wanted, value = error.validator, error.validator_value, error.instance
    place = _place(error)
    if word in ("anyOf", "oneOf") and error.context:
        yield from _explain_choice(error)
    elif word == "required":
        yield from (FieldError(joined(place, name), "is missing") for name in wanted if name not in value)
    elif word == "additionalProperties" and wanted is False:
        known = error.schema.get("properties", {})
        named = list(known)[:MOST_NAMED]
        yield from (FieldError(joined(place, name), unknown(name, named)) for name in value if name not in known)
    else:
        yield FieldError(place, _message(word, wanted, value))


def _message(word: str, wanted: Any, value: Any) -> str:
    if word == "type":
        names = wanted if isinstance(wanted, list) else [wanted]
        return f"has to be {' or '.join(_TYPES[name] for name in names)}, not {said(value)}"
    if word == "enum" and len(wanted) > MOST_NAMED:
        return f"has to be one of {len(wanted)} values that the method takes, not {said(value)}"
    if word == "enum":
        return none_of(value, [each if isinstance(each, str) else quoted(each) for each in wanted])
    if word == "const":
        return f"has to be {quoted(wanted)}, not {said(value)}"
    if word == "format":
        return f"has to be {_FORMATS[wanted][1]}, not {quoted(value)}"
    if word == "pattern":
        return f"has to match the pattern {wanted}, not {quoted(value)}"
    if word == "uniqueItems":
        return "may hold nothing twice"
    if word in _BOUNDS:
        return _BOUNDS[word].format(quoted(wanted))
    return "is not taken here" if wanted == {} else f"is not what the method takes ({word})"


def _explain_choice(error: Any) -> Iterator[FieldError]:
    """None of several forms fits: what they want here, or what the one of them wants that the value is meant to be."""
    forms: dict[Any, list[Any]] = {}
    for each in error.context:
        forms.setdefault(each.relative_schema_path[0], []).append(each)
    meant = [
        form for form in forms.values() if not any(each.validator == "type" and not each.relative_path for each in form)
    ]
    if meant:
        for each in min(meant, key=len):
            yield from _explain(each)
        return
    names = [name for form in forms.values() for each in form if each.validator == "type" for name in _listed(each)]
    yield FieldError(_place(error), _message("type", list(dict.fromkeys(names)), error.instance))


def _listed(error: Any) -> list[str]:
    """The types a value was wanted to be one of, where it stands itself."""
    wanted = error.validator_value if not error.relative_path else []
    return wanted if isinstance(wanted, list) else [wanted]


def _place(error: Any) -> str:
    place = "args"
    for part in error.absolute_path:
        place = f"{place}[{part}]" if isinstance(part, int) else joined(place, part)
    return place

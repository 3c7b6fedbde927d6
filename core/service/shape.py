"""Shape: whether what a client sent has the form and the bounds its type says, and if not, everything that is wrong.

The doors that carry bytes decode by the same types; the one inside the process carries records nobody has looked at.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from core.fields import check
from schedule_zero.errors import FieldError, Invalid
from schedule_zero.requests import CreateSchedules

T = TypeVar("T")
R = TypeVar("R", bound=msgspec.Struct)


def bounded(request: R) -> R:
    """The request, its fields as their types want them. Raises Invalid."""
    if isinstance(request, CreateSchedules):  # its items are looked at one by one, later
        return request
    return shaped(msgspec.to_builtins(request, str_keys=False), type(request))


def shaped(value: Any, kind: type[T]) -> T:
    """A value of plain mappings, lists and scalars as a record. Raises Invalid, with every field that is wrong."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = check(msgspec.json.decode(msgspec.json.encode(value)), kind)[1] or [_said(error)]
    # A schedule to create stands in its request by name; clients send it bare.
    errors = tuple(FieldError(each.field.removeprefix("spec."), each.message) for each in found)
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    raise Invalid(f"{errors[0].field or 'The item'}: {errors[0].message}{more}", errors)


def _said(error: msgspec.ValidationError) -> FieldError:
    """msgspec's own words, where we find none."""
    message, _, place = str(error).partition(" - at `$")
    return FieldError(place.rstrip("`").lstrip("."), message)

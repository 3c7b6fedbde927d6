"""An error as data, and the way there and back."""

from __future__ import annotations

from typing import Any

import msgspec

from schedule_zero.errors import (
    ERRORS,
    FieldError,
    Invalid,
    QuotaExceeded,
    ReadingOffer,
    ScheduleZeroError,
    Unavailable,
)


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error as data (RFC 9457): what went wrong, where, and what could have been meant."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    readings: tuple[ReadingOffer, ...] = ()
    scope: str | None = None
    limit: str | None = None
    used: float | None = None
    allowed: float | None = None
    retry_after: float | None = None


def problem_details(error: Any) -> Problem:
    """The problem document of a ScheduleZeroError."""
    details = error.details
    return Problem(
        type=f"urn:schedule-zero:problem:{error.code}",
        title=error.code.replace("-", " "),
        status=error.status,
        detail=error.sentence,
        errors=getattr(error, "errors", ()),
        readings=getattr(error, "readings", ()),
        scope=details.get("scope"),
        limit=details.get("limit"),
        used=details.get("used"),
        allowed=details.get("allowed"),
        retry_after=getattr(error, "retry_after", None),
    )


def error_of(problem: Problem) -> ScheduleZeroError:
    """The error a problem document stands for."""
    kind = ERRORS.get(problem.type.rpartition(":")[2], ScheduleZeroError)
    if issubclass(kind, Invalid):
        return Invalid(problem.detail, errors=problem.errors, readings=problem.readings)
    limits = {name: getattr(problem, name) for name in ("scope", "limit", "used", "allowed")}
    details = {name: value for name, value in limits.items() if value is not None}
    if issubclass(kind, QuotaExceeded | Unavailable):
        return kind(problem.detail, retry_after=problem.retry_after, **details)
    return kind(problem.detail, **details)

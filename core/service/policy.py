"""Policies as sent: merged over the defaults, every value checked. And the collecting of mistakes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.engine.plan import terms_of
from schedule_zero.errors import FieldError, Invalid
from schedule_zero.instant import MINUTE
from schedule_zero.schedule import Policy

LONGEST_TIMEOUT: Final = 24 * 60 * MINUTE
_LIMITS: Final = {"catchup_limit": (1, 1000), "overlap_limit": (1, 1000), "failure_threshold": (1, 1_000_000)}


class Mistakes:
    """Collects field errors, so that a client hears of all at once."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def add(self, field: str, message: str) -> None:
        self.errors.append(FieldError(field, message))

    def raise_any(self) -> None:
        """Raises Invalid if there were any; its sentence is the first, and says how many more there are."""
        if not self.errors:
            return
        first = self.errors[0]
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        raise Invalid(f"{first.field}: {first.message}{more}", errors=tuple(self.errors))


def merged_policy(changes: dict[str, Any], base: Policy | None = None, *, months: bool = False) -> Policy:
    """A policy sent in part, merged over the defaults (or over ``base``).

    Raises:
        Invalid: an unknown word or a value out of range, with its place.
    """
    start = msgspec.to_builtins(base if base is not None else Policy(month_end="clamp" if months else "skip"))
    retry = changes.get("retry", {})
    if not isinstance(retry, dict):
        raise Invalid("policy.retry: must be an object", errors=(FieldError("policy.retry", "must be an object"),))
    whole = {**start, **changes, "retry": {**start["retry"], **retry}}
    try:
        policy = msgspec.convert(whole, Policy)
        terms = terms_of(policy)
    except (msgspec.ValidationError, ValueError) as error:
        message = str(error)
        place = message.rpartition("`$")[2].rstrip("`") if "`$" in message else ""
        field = f"policy{place}"
        raise Invalid(f"{field}: {message}", errors=(FieldError(field, message),)) from None
    mistakes = Mistakes()
    for name, (low, high) in _LIMITS.items():
        if not low <= getattr(policy, name) <= high:
            mistakes.add(f"policy.{name}", f"must lie between {low} and {high}")
    if not 1 <= policy.retry.max_attempts <= 20:
        mistakes.add("policy.retry.max_attempts", "must lie between 1 and 20")
    if not 0 <= policy.retry.jitter <= 1:
        mistakes.add("policy.retry.jitter", "must lie between 0 and 1")
    if not 0 < terms.timeout_s * 1e6 <= LONGEST_TIMEOUT:
        mistakes.add("policy.timeout", "must be more than nothing and at most PT24H")
    mistakes.raise_any()
    return policy

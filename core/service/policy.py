"""Policies as sent: merged over the defaults of their trigger, every value checked. And the collecting of mistakes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.engine.plan import terms_of
from schedule_zero.errors import FieldError, Invalid
from schedule_zero.instant import DAY, MINUTE, parse_duration
from schedule_zero.schedule import Policy
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, TextTrigger, Trigger

LONGEST_TIMEOUT: Final = 24 * 60 * MINUTE
LONGEST_JITTER: Final = DAY
_LIMITS: Final = {"catchup_limit": (1, 1000), "overlap_limit": (1, 1000), "failure_threshold": (1, 1_000_000)}
_DURATIONS: Final = ("catchup_window", "jitter", "timeout", "retry.initial", "retry.maximum")


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


def month_end_of(sent: Trigger, read: Trigger) -> str:
    """What a day means that a month does not have, where nobody says: words and intervals take the month's last day,
    cron and RRULE leave the month out, as their own specifications say; also when they are sent as text."""
    if isinstance(sent, TextTrigger):
        text = sent.text.strip().upper()
        formal = isinstance(read, CronTrigger) and " ".join(text.split()) == read.expression.upper()
        return "skip" if formal or text.startswith(("RRULE:", "FREQ=")) else "clamp"
    return "clamp" if isinstance(sent, IntervalTrigger) else "skip"


def defaults_for(sent: Trigger, read: Trigger) -> Policy:
    """The policy of a trigger about which nothing was said. A one-shot is run however late."""
    window = None if isinstance(read, DateTrigger) else Policy().catchup_window
    whole = {**msgspec.to_builtins(Policy()), "month_end": month_end_of(sent, read), "catchup_window": window}
    return msgspec.convert(whole, Policy)


def policy_for(changes: dict[str, Any], sent: Trigger, read: Trigger) -> Policy:
    """A policy sent in part, merged over the defaults of the trigger it came with.

    Args:
        sent: the trigger as written, perhaps as text.
        read: the same in stored form.

    Raises:
        Invalid: an unknown word or a value out of range, with its place.
    """
    base = msgspec.to_builtins(defaults_for(sent, read))
    retry = changes.get("retry", {})
    if not isinstance(retry, dict):
        raise Invalid("policy.retry: must be an object", errors=(FieldError("policy.retry", "must be an object"),))
    whole = {**base, **changes, "retry": {**base["retry"], **retry}}
    try:
        policy = msgspec.convert(whole, Policy)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        field = f"policy{place.rstrip('`')}"
        raise Invalid(f"{field}: {message}", errors=(FieldError(field, message),)) from None
    _check(policy, whole)
    return policy


def said_in(policy: Policy, trigger: Trigger) -> dict[str, Any]:
    """The part of a stored policy that differs from what its trigger would have by itself."""
    base, whole = msgspec.to_builtins(defaults_for(trigger, trigger)), msgspec.to_builtins(policy)
    return {name: value for name, value in whole.items() if value != base[name]}


def _check(policy: Policy, whole: dict[str, Any]) -> None:
    mistakes = Mistakes()
    for name in (*_DURATIONS, *(f"retry.delays.{place}" for place in range(len(policy.retry.delays)))):
        _check_duration(name, whole, mistakes)
    for name, (low, high) in _LIMITS.items():
        if not low <= getattr(policy, name) <= high:
            mistakes.add(f"policy.{name}", f"must lie between {low} and {high}")
    if not 1 <= policy.retry.max_attempts <= 20:
        mistakes.add("policy.retry.max_attempts", "must lie between 1 and 20")
    if not 0 <= policy.retry.jitter <= 1:
        mistakes.add("policy.retry.jitter", "must lie between 0 and 1")
    mistakes.raise_any()
    terms = terms_of(policy)
    if not 0 < terms.timeout_s * 1e6 <= LONGEST_TIMEOUT:
        mistakes.add("policy.timeout", "must be more than nothing and at most PT24H")
    if terms.jitter > LONGEST_JITTER:
        mistakes.add("policy.jitter", "must be at most P1D")
    mistakes.raise_any()


def _check_duration(name: str, whole: dict[str, Any], mistakes: Mistakes) -> None:
    value: Any = whole
    for part in name.split("."):
        value = value[int(part)] if part.isdecimal() else value[part]
    if value is None:
        return
    try:
        parse_duration(value)
    except ValueError as error:
        mistakes.add(f"policy.{name}", str(error))

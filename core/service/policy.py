"""Policies as sent: merged over the defaults of their trigger, every value checked. And the collecting of mistakes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from core.engine.plan import Terms, terms_of
from core.engine.routing import check_affinity
from core.engine.versions import check_wanted
from core.fields import check
from core.timing.compile import month_end_of
from core.timing.series import series_of
from schedule_zero.errors import FieldError, Invalid
from schedule_zero.handler import LONGEST_TIMEOUT_S
from schedule_zero.instant import DAY, parse_duration
from schedule_zero.schedule import MonthEnd, Policy
from schedule_zero.trigger import DateTrigger, Trigger
from schedule_zero.views import GuildPolicy

NO_WISHES: Final = GuildPolicy()
"""Of a guild that leaves the defaults of schedules as they are."""
LONGEST_JITTER: Final = DAY
_LIMITS: Final = {"catchup_limit": (1, 1000), "overlap_limit": (1, 1000), "failure_threshold": (1, 1_000_000)}
_DURATIONS: Final = ("catchup_window", "jitter", "timeout", "retry.initial", "retry.maximum")
read_policy: Final = lru_cache(maxsize=1024)(msgspec.json.Decoder(Policy).decode)
"""A policy from its stored JSON; schedules by the thousand share a few."""


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


def defaults_for(trigger: Trigger | None, month_end: MonthEnd, guilds: GuildPolicy = NO_WISHES) -> Policy:
    """The policy of a trigger about which nothing was said. A one-shot is run however late, and so is what follows others:
    neither comes again by itself.

    Args:
        trigger: in stored form; None: the schedule only follows others.
        month_end: what it, or the words it was read from, does about days that a month lacks.
        guilds: what its guild wants of new schedules.
    """
    window = None if trigger is None or isinstance(trigger, DateTrigger) else Policy().catchup_window
    plain = Policy(month_end=guilds.month_end or month_end, catchup_window=window)
    return msgspec.structs.replace(plain, catchup=guilds.catchup or plain.catchup, dst=guilds.dst or plain.dst)


def policy_for(
    changes: dict[str, Any], trigger: Trigger | None, month_end: MonthEnd, guilds: GuildPolicy = NO_WISHES
) -> Policy:
    """A policy sent in part, merged over the defaults (``defaults_for``).

    Raises:
        Invalid: an unknown word or a value out of range, with its place.
    """
    defaults = defaults_for(trigger, month_end, guilds)
    base = msgspec.to_builtins(defaults)
    if "at_most_once" in changes:  # as a method says it of itself
        raise Invalid.at("policy.at_most_once", 'is not known here; write "delivery": "at_most_once"')
    retry = changes.get("retry", {})
    if not isinstance(retry, dict):
        raise Invalid.at("policy.retry", "must be an object")
    whole = {**base, **changes, "retry": _with_room({**base["retry"], **retry}, retry)}
    try:
        policy = msgspec.convert(whole, Policy)
    except msgspec.ValidationError:
        mistakes = Mistakes()
        for error in check(whole, Policy)[1]:
            mistakes.add(f"policy.{error.field}", error.message)
        mistakes.raise_any()
        raise
    _check(policy, whole)
    return policy if policy.month_end is not None else msgspec.structs.replace(policy, month_end=defaults.month_end)


def _with_room(whole: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """A retry whose first pause is said to be longer than the longest is by default makes that as long."""
    if "initial" not in said or "maximum" in said:
        return whole
    try:
        longer = parse_duration(whole["initial"]) > parse_duration(whole["maximum"])
    except (ValueError, TypeError):  # what is no duration is said where all are judged
        return whole
    return {**whole, "maximum": whole["initial"]} if longer else whole


def said_in(policy: Policy, trigger: Trigger | None, *, renewed: bool) -> dict[str, Any]:
    """The part of a stored policy that differs from what its trigger would have by itself.

    Args:
        trigger: the one it was stored with.
        renewed: another one takes its place, with defaults of its own.
    """
    base, whole = msgspec.to_builtins(defaults_for(trigger, month_end_of(trigger))), msgspec.to_builtins(policy)
    said = {name: value for name, value in whole.items() if value != base[name]}
    if renewed and trigger is not None and said.get("month_end") == "clamp" and series_of(trigger) is not None:
        del said["month_end"]  # the rule was said in words, and brought it along; the new one may not be
    return said


def _check(policy: Policy, whole: dict[str, Any]) -> None:
    mistakes = Mistakes()
    for name in (*_DURATIONS, *(f"retry.delays.{place}" for place in range(len(policy.retry.delays)))):
        _check_duration(name, whole, mistakes)
    for name, (low, high) in _LIMITS.items():
        if not low <= getattr(policy, name) <= high:
            mistakes.add(f"policy.{name}", f"must lie between {low} and {high}")
    if not 1 <= policy.retry.max_attempts <= 20:
        mistakes.add("policy.retry.max_attempts", "must lie between 1 and 20")
    _check_routing(policy, mistakes)
    if not 0 <= policy.retry.jitter <= 1:
        mistakes.add("policy.retry.jitter", "must lie between 0 and 1")
    mistakes.raise_any()
    terms = terms_of(policy)
    if terms.timeout_s is not None and not 0 < terms.timeout_s <= LONGEST_TIMEOUT_S:
        mistakes.add("policy.timeout", "must be more than nothing and at most PT24H")
    if terms.jitter > LONGEST_JITTER:
        mistakes.add("policy.jitter", "must be at most P1D")
    _check_pauses(terms, mistakes)
    mistakes.raise_any()


def _check_pauses(terms: Terms, mistakes: Mistakes) -> None:
    """Pauses between attempts that would be others than those that were asked for."""
    retry = terms.policy.retry
    if retry.backoff == "list" and not retry.delays:
        mistakes.add("policy.retry.delays", 'is empty; a backoff of list needs its pauses, such as ["PT10S", "PT1M"]')
    if retry.backoff == "exponential" and terms.retry_initial_s > terms.retry_maximum_s:
        mistakes.add("policy.retry.initial", f"is above retry.maximum ({retry.maximum}); set a longer maximum as well")


def _check_routing(policy: Policy, mistakes: Mistakes) -> None:
    """Whom the runs shall be given to."""
    if policy.affinity is not None:
        try:
            check_affinity(policy.affinity)
        except ValueError as error:
            mistakes.add("policy.affinity", str(error))
    if policy.version is not None:
        try:
            check_wanted(policy.version)
        except ValueError as error:
            mistakes.add("policy.version", str(error))


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

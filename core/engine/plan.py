"""Plans: stored schedules made ready to compute with.

A plan is a schedule row with its rule compiled and its policy read. Compiling a cron rule costs a hundred
microseconds and a tick has thousands of schedules, so the book keeps the most recent plans, by revision.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from core.engine.kept_days import calendar_in
from core.engine.ports import LEASE_S
from core.engine.routing import routing_of
from core.ledger.rows import HeededRow, ScheduleRow
from core.timing.compile import compile_rule
from core.timing.exceptions import NONE, Exceptions, excepted
from core.timing.rule import Rule
from schedule_zero.handler import LONGEST_LEASE_S, LONGEST_TIMEOUT_S, MethodInfo
from schedule_zero.instant import parse_duration
from schedule_zero.schedule import ActiveHours, Calendar, Policy
from schedule_zero.trigger import Trigger

DEFAULT_TIMEOUT_S: Final = 30.0
PRIORITIES: Final = {"high": 0, "normal": 1, "low": 2}

_triggers: Final[msgspec.json.Decoder[Trigger | None]] = msgspec.json.Decoder(Trigger | None)
_policies: Final = msgspec.json.Decoder(Policy)
_hours: Final = msgspec.json.Decoder(ActiveHours)
_exceptions: Final = msgspec.json.Decoder(Exceptions)


def stored_trigger(row: ScheduleRow) -> Trigger | None:
    """A schedule's trigger; None where it has no times of its own."""
    return _triggers.decode(row.trigger)


class Terms(msgspec.Struct, frozen=True):
    """A policy with its durations as numbers: microseconds for wall time, seconds for monotonic time."""

    policy: Policy
    catchup_window: int | None
    jitter: int
    timeout_s: float | None
    priority: int
    retry_initial_s: float
    retry_maximum_s: float
    retry_delays_s: tuple[float, ...]


class Plan(msgspec.Struct, gc=False):
    """A schedule ready to compute with. ``routing``: what its runs want of who gets them."""

    row: ScheduleRow
    rule: Rule
    terms: Terms
    routing: str | None = None


class TermsBook:
    """Reads policies, once per distinct text: thousands of schedules share a handful."""

    def __init__(self) -> None:
        self._known: dict[str, Terms] = {}

    def of(self, text: str) -> Terms:
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= 4096:
                self._known.clear()
            known = self._known[text] = terms_of(_policies.decode(text))
        return known


def terms_of(policy: Policy) -> Terms:
    """A policy in numbers.

    Raises:
        ValueError: a duration cannot be read; the sentence quotes it.
    """
    window = None if policy.catchup_window is None else parse_duration(policy.catchup_window)
    return Terms(
        policy=policy,
        catchup_window=window,
        jitter=parse_duration(policy.jitter),
        timeout_s=None if policy.timeout is None else parse_duration(policy.timeout) / 1e6,
        priority=PRIORITIES[policy.priority],
        retry_initial_s=parse_duration(policy.retry.initial) / 1e6,
        retry_maximum_s=parse_duration(policy.retry.maximum) / 1e6,
        retry_delays_s=tuple(parse_duration(delay) / 1e6 for delay in policy.retry.delays),
    )


def timeout_of(policy_s: float | None, method: MethodInfo | None) -> float:
    """How many seconds an attempt may take: what its schedule's policy says, else its method, else 30. Never more than a
    day, whatever a handler says of itself."""
    if policy_s is not None:
        return policy_s
    declared = None if method is None else method.timeout
    return min(declared, LONGEST_TIMEOUT_S) if declared else DEFAULT_TIMEOUT_S


def lease_of(method: MethodInfo | None) -> float:
    """For how many seconds a beat is good while an attempt of this method is under way: three beats, or longer where the
    method says that its process cannot beat meanwhile."""
    declared = None if method is None else method.lease
    return LEASE_S if declared is None else min(max(declared, LEASE_S), LONGEST_LEASE_S)


def rule_of(row: ScheduleRow, policy: Policy, trigger: Trigger | None = None) -> Rule:
    """Compile the rule a stored schedule follows. ``trigger``: the row's own, from who has it at hand.

    Raises:
        core.timing.BadTrigger: the stored trigger no longer makes sense (a zone that vanished, say).
    """
    rule = compile_rule(
        trigger or stored_trigger(row),
        timezone=row.timezone,
        anchor=row.anchor,
        dst=policy.dst,
        month_end=policy.month_end,
        start=row.start,
        until=row.until,
    )
    if row.calendar is None and row.active_hours is None and row.exceptions is None:
        return rule  # as nearly all are
    return excepted(rule, calendar=calendar_of(row), active_hours=active_hours_of(row), exceptions=exceptions_of(row))


def calendar_of(row: ScheduleRow | HeededRow) -> Calendar | None:
    """A schedule's days off."""
    return None if row.calendar is None else calendar_in(row.calendar)


def active_hours_of(row: ScheduleRow | HeededRow) -> ActiveHours | None:
    """A schedule's active hours."""
    return None if row.active_hours is None else _hours.decode(row.active_hours)


def exceptions_of(row: ScheduleRow) -> Exceptions:
    """A schedule's single exceptions, and the blackouts it heeds."""
    return NONE if row.exceptions is None else _exceptions.decode(row.exceptions)


class PlanBook:
    """The most recently used plans, by schedule and revision."""

    def __init__(self, capacity: int = 20_000) -> None:
        self.capacity = capacity
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self.terms = TermsBook()

    def known(self, id: str) -> Plan | None:
        """The plan at hand, of whatever revision it is; the tick's transaction checks the revision."""
        plan = self._plans.get(id)
        if plan is not None:
            self._plans.move_to_end(id)
        return plan

    def add(self, row: ScheduleRow) -> Plan:
        """Compile and keep. Raises what ``rule_of`` and ``terms_of`` raise."""
        terms = self.terms.of(row.policy)
        routing = routing_of(row, terms.policy)
        plan = self._plans[row.id] = Plan(row, rule_of(row, terms.policy), terms, routing)
        self._plans.move_to_end(row.id)
        if len(self._plans) > self.capacity:
            self._plans.popitem(last=False)
        return plan

    def foresee(self, row: ScheduleRow) -> None:
        """Keep a plan of a schedule that no tick has met, for the attempts of its runs. One that is there stays."""
        if row.id not in self._plans:
            try:
                self.add(row)
            except ValueError:  # whoever needs the rule says so
                return

    def drop(self, id: str) -> None:
        self._plans.pop(id, None)

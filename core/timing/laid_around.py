"""What is laid around a rule: the same zone, other due times; what becomes of each of the rule's own, and why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from core.timing.clock import spell_minute
from core.timing.rule import Rule, one_by_one

FIELDS: Final = {"on_clash": "calendar", "outside": "active_hours"}
"""The field of a schedule that holds each policy word."""


class LaidAround(ABC):
    """Another rule, changed in some of its due times."""

    __slots__ = ("_rule",)

    plain = False

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    @property
    def inside(self) -> Rule:
        """The rule that this one is laid around."""
        return self._rule

    @property
    def zone(self) -> ZoneInfo:
        return self._rule.zone

    @property
    def recurring(self) -> bool:
        return self._rule.recurring

    @abstractmethod
    def next_after(self, instant: int) -> int | None: ...

    @abstractmethod
    def last_until(self, instant: int) -> int | None: ...

    @abstractmethod
    def count_between(self, after: int, until: int, limit: int = 10_000) -> int: ...

    @abstractmethod
    def nominal(self, due: int) -> int: ...

    @abstractmethod
    def notes(self, due: int, previous: int | None) -> tuple[str, ...]: ...

    @abstractmethod
    def stands_at(self, inner: int) -> int | None:
        """When this rule is due for a due time of the rule inside; None where it is left out. It may fall together with
        another one, by which it is known then."""

    @abstractmethod
    def why_not(self, inner: int) -> tuple[str, str | None]:
        """Why a due time of the rule inside is not one of this rule, to stand behind "is"; and the policy word that would
        move it instead, where there is one: ``on_clash``, ``outside``."""

    def upcoming(self, instant: int, n: int) -> list[int]:
        return one_by_one(self.next_after, instant, n)


class Never(NamedTuple):
    """Why a rule is never due although its trigger is: a clause for people, without a full stop; and the field of a schedule
    that keeps it from being due, where it is one."""

    clause: str
    field: str | None


def why_never(rule: Rule, after: int, *, as_option: bool = False) -> Never | None:
    """Why a rule is not due after an instant although its trigger is.

    None where nothing is laid around the rule that keeps it from being due; then the trigger itself has ended.

    Args:
        rule: one of which ``next_after(after)`` is None.
        after: the instant that was asked about.
        as_option: spells the remedy as an option of the command line, ``--on-clash later``.
    """
    while isinstance(rule, LaidAround):
        first = rule.inside.next_after(after)
        if first is not None:
            return _never(rule, first, as_option=as_option)
        rule = rule.inside
    return None


def due_of(rule: Rule, nominal: int) -> int | None:
    """When a rule is due for a nominal instant; None where nothing is known by that instant."""
    if not isinstance(rule, LaidAround):
        return nominal if rule.last_until(nominal) == nominal else None
    inner = due_of(rule.inside, nominal)
    due = None if inner is None else rule.stands_at(inner)
    return due if due is not None and rule.nominal(due) == nominal else None


def _never(rule: LaidAround, first: int, *, as_option: bool) -> Never:
    why, word = rule.why_not(first)
    alone = rule.inside.next_after(first) is None
    said = f"{spell_minute(first, rule.zone)} is {why}" + ("" if alone else ", and no later time is due either")
    if word is None:
        return Never(said, None)
    option = f"--{word.replace('_', '-')}" if as_option else word
    clause = f"{said}; {option} later (or earlier) moves {'it' if alone else 'them'}"
    return Never(clause, FIELDS[word])


def moved_from(inner: int, why: str, zone: ZoneInfo) -> str:
    """The note on a due time that stands for one in closed time."""
    return f"moved from {spell_minute(inner, zone)}, which is {why}"


def together(inner: int, why: str, others: int, zone: ZoneInfo) -> str:
    """The note on a due time with which one in closed time falls together, and others."""
    more = f", with {others} more" if others else ""
    return f"{spell_minute(inner, zone)} is {why}, and falls together with this one{more}"

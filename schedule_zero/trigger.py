"""Triggers: when a schedule is due, as data.

A trigger is what people and programs write and what the ledger stores, as JSON. The same rule, computing, is a Rule
of ``core.timing``. Field meanings: contract, section 5.
"""

from __future__ import annotations

import msgspec


class _Trigger(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """The part all triggers share: a ``type`` that tells them apart."""


class DateTrigger(_Trigger, tag="date", frozen=True):
    """Due once. ``at`` is RFC 3339, or a local time read in ``timezone``."""

    at: str
    timezone: str | None = None


class CronTrigger(_Trigger, tag="cron", frozen=True):
    """Due when the wall clock of ``timezone`` matches a five- or six-field cron ``expression`` or an ``@`` name."""

    expression: str
    timezone: str | None = None


class IntervalTrigger(_Trigger, tag="interval", frozen=True):
    """Due at ``start`` and every ``every`` (ISO 8601) after it; months and years step on the calendar of ``timezone``."""

    every: str
    start: str | None = None
    timezone: str | None = None


class RRuleTrigger(_Trigger, tag="rrule", frozen=True):
    """Due at the occurrences of an RFC 5545 recurrence ``rule`` whose DTSTART is ``start``."""

    rule: str
    start: str | None = None
    timezone: str | None = None


class TextTrigger(_Trigger, tag="text", frozen=True):
    """Due when the words say so; turned into one of the others when saved."""

    text: str
    timezone: str | None = None


Trigger = DateTrigger | CronTrigger | IntervalTrigger | RRuleTrigger | TextTrigger

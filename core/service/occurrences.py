"""The use cases about single due times: one is left out, or comes at another instant; the series stays as it is."""

from __future__ import annotations

from typing import Final

import msgspec

from core.engine.plan import exceptions_of
from core.ledger.port import Transaction
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.changing import Changing, in_words, rule_to_follow
from core.service.closings import stored_exceptions
from core.service.desk import Desk
from core.service.due import next_due
from core.service.effects import Effects
from core.service.forecast import require_pace
from core.service.triggers import instant_in, moment_in
from core.timing.exceptions import Exceptions
from core.timing.rule import Rule
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Invalid, QuotaExceeded
from schedule_zero.event import EventKind
from schedule_zero.instant import DAY, spell
from schedule_zero.schedule import Schedule

MOST_EXCEPTIONS: Final = 100
KEPT_FOR: Final = 400 * DAY
"""A time that moves off a day off moves by less than a year, so what lies farther back can come no more."""
OFFERED: Final = 3


class Occurrences:
    """Single due times."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._changing = Changing(desk)

    async def skip(self, actor: Actor, request: ask.SkipOccurrence) -> Schedule:
        before = await self._active(actor, request.id)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._changing.current(tx, before)
            rule = rule_to_follow(current)
            due = self._wanted(current, rule, request.occurrence)
            nominal, known = rule.nominal(due), exceptions_of(current)
            skipped = msgspec.structs.replace(
                known, skipped=(*known.skipped, nominal),
                moved={key: to for key, to in known.moved.items() if int(key) != nominal},
            )  # fmt: skip
            after = self._with(current, skipped)
            if after.next_due is None:
                raise Conflict(
                    "That is the last time of this schedule; delete it, or give it another time, instead of skipping."
                )
            data = {"skipped": spell(due, rule.zone)}
            return await self._changing.replace(
                tx, effects, actor, current, after, EventKind.SCHEDULE_UPDATED, Action.SCHEDULE_SKIP, data
            )

        return await self._desk.change(actor, request, Schedule, work)

    async def move(self, actor: Actor, request: ask.MoveOccurrence) -> Schedule:
        before = await self._active(actor, request.id)
        settings = await self._desk.facts.guild_settings(before.guild_id)
        to = moment_in(request.to, "to", now=self._desk.clock.now(), timezone=before.timezone, settings=settings)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._changing.current(tx, before)
            rule = rule_to_follow(current)
            due = self._wanted(current, rule, request.occurrence)
            if rule.last_until(to) == to:
                same = (
                    "it is due then already" if to == due else "the schedule is due then anyway; skip this time instead"
                )
                raise Invalid.at("to", same)
            following = rule.next_after(due)
            if current.count is not None and following is not None and following <= to:
                raise Invalid.at(
                    "to", "a schedule that ends after so many times takes none behind its next one; move it less far"
                )
            known = exceptions_of(current)
            moved = msgspec.structs.replace(known, moved={**known.moved, str(rule.nominal(due)): to})
            after = self._with(current, moved)
            near = (rule.last_until(to), to, rule.next_after(to))
            require_pace(
                [each for each in near if each is not None and each != due],
                current.guild_id,
                self._desk.quota(actor, current.guild_id),
            )
            data = {"moved": spell(due, rule.zone), "to": spell(to, rule.zone)}
            return await self._changing.replace(
                tx, effects, actor, current, after, EventKind.SCHEDULE_UPDATED, Action.SCHEDULE_MOVE, data
            )

        return await self._desk.change(actor, request, Schedule, work)

    async def _active(self, actor: Actor, id: str) -> ScheduleRow:
        row = await self._changing.existing(actor, id, None)
        access.require_action(actor, row)
        if row.state != "active":
            raise Conflict(f"This schedule is {in_words(row.state)}, so nothing of it is due; resume it first.")
        return row

    def _wanted(self, row: ScheduleRow, rule: Rule, occurrence: str | None) -> int:
        """The due time that is meant: by when it is due, or by the instant its run is known by. Raises Invalid."""
        since = max(self._desk.clock.now(), row.last_due or 0)
        following = rule.next_after(since)
        if following is None:
            raise Conflict("Nothing of this schedule is due any more.")
        if occurrence is None:
            return following
        instant = instant_in(occurrence.removeprefix("t:"), "occurrence", 0)
        moved = exceptions_of(row).moves().get(instant)
        for due in (moved, instant):
            if due is not None and due > since and rule.last_until(due) == due:
                return due
        if instant > since:  # one that was moved off a day off, by the instant its run will be known by
            near = (*rule.upcoming(instant, OFFERED), *filter(None, [rule.last_until(instant)]))
            for due in near:
                if due > since and rule.nominal(due) == instant:
                    return due
        coming = ", ".join(spell(due, rule.zone) for due in rule.upcoming(since, OFFERED))
        raise Invalid.at("occurrence", f"it is not due at {occurrence.removeprefix('t:')}; its next times are {coming}")

    def _with(self, row: ScheduleRow, exceptions: Exceptions) -> ScheduleRow:
        """The row with these exceptions, and its next due time by them."""
        now = self._desk.clock.now()
        past = now - KEPT_FOR
        exceptions = msgspec.structs.replace(
            exceptions, skipped=tuple(each for each in exceptions.skipped if each > past),
            moved={key: to for key, to in exceptions.moved.items() if to > past},
        )  # fmt: skip
        if len(exceptions.skipped) + len(exceptions.moved) > MOST_EXCEPTIONS:
            raise QuotaExceeded(
                f"A schedule has at most {MOST_EXCEPTIONS} skipped and moved times; change its rule, or give it a calendar.",
                scope=f"schedule:{row.id}", limit="exceptions", used=MOST_EXCEPTIONS, allowed=MOST_EXCEPTIONS,
            )  # fmt: skip
        after = self._changing.changed(row, exceptions=stored_exceptions(exceptions))
        after.next_due = next_due(row, rule_to_follow(after), now)
        return after

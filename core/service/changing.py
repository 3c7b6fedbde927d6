"""Changing: how one schedule is read, judged and written anew, whatever changes about it."""

from __future__ import annotations

from typing import Any

import msgspec

from core.engine.plan import rule_of
from core.ledger.port import NameTaken, Transaction
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.batch import name_taken
from core.service.desk import Desk, with_undo
from core.service.effects import Effects
from core.service.policy import read_policy
from core.timing.rule import Rule
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, RevisionMismatch
from schedule_zero.schedule import Schedule


class Changing:
    """The steps of every change to a schedule that is there."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def existing(self, actor: Actor, id: str, revision: int | None) -> ScheduleRow:
        """The schedule, if the actor may calm it, and it is at the revision they know.

        Raises:
            NotFound, Forbidden, Conflict, RevisionMismatch: it is not.
        """
        row = access.require_schedule(actor, await self._desk.reader.schedules.get(id), id)
        access.require_change(actor, row)
        if row.state == "deleted":
            raise Conflict("This schedule is deleted; undoing that brings it back, for 15 minutes.")
        if revision is not None and revision != row.revision:
            if revision < 0:  # what was sent is none: no schedule ever is at that
                raise RevisionMismatch(
                    f"What was sent is no revision; the schedule is at revision {row.revision}, a number: read it again."
                )
            raise RevisionMismatch(
                f"The schedule has changed: it is at revision {row.revision}, not {revision}; read it again."
            )
        return row

    async def current(self, tx: Transaction, read: ScheduleRow) -> ScheduleRow:
        """The schedule as it is in this transaction: a tick may have moved its due time since it was read.

        Raises:
            RevisionMismatch: somebody changed its definition since it was read.
        """
        current = await tx.schedules.get(read.id)
        if current is None or current.revision != read.revision:
            raise RevisionMismatch("The schedule changed at the same moment; look at it again.")
        return current

    async def replace(
        self, tx: Transaction, effects: Effects, actor: Actor, before: ScheduleRow, after: ScheduleRow, kind: str,
        action: Action, data: dict[str, Any] | None = None,
    ) -> Schedule:  # fmt: skip
        """Write the new row over the one this transaction read, with all that belongs to a change."""
        try:
            await tx.schedules.replace(after, expected=before.revision)
        except NameTaken:
            raise name_taken(after) from None
        undo = await self._desk.record(tx, actor, kind, action, before, after, data)
        effects.schedules.append(after)
        return with_undo(self._desk.view(after), undo)

    def changed(self, row: ScheduleRow, **fields: Any) -> ScheduleRow:
        """A row with some fields different, at the next revision."""
        return msgspec.structs.replace(row, revision=row.revision + 1, updated=self._desk.clock.now(), **fields)

    def is_same(self, row: ScheduleRow, after: ScheduleRow) -> bool:
        """Whether a change comes to nothing: then nothing is written, told, or taken back."""
        return row == msgspec.structs.replace(after, revision=row.revision, updated=row.updated)


def in_words(state: str) -> str:
    """A schedule's state, to go on from "it is"."""
    return "without an owner" if state == "needs_owner" else state


def rule_to_follow(row: ScheduleRow) -> Rule:
    """The rule of a schedule. Raises Conflict where it cannot be followed any more."""
    try:
        return rule_of(row, read_policy(row.policy))
    except ValueError as error:
        raise Conflict(f"Its rule cannot be followed any more ({error}); give it another time first.") from None

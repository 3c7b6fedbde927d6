"""Undo: taking the last change to a schedule back, while its token lives, or later by its line in the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from core.engine.plan import exceptions_of, rule_of
from core.ledger.port import NameTaken, Reader, Transaction
from core.ledger.rows import AuditedRow, ScheduleRow, UndoRow
from core.service import access
from core.service.audited import definitions_in
from core.service.chaining import Chaining
from core.service.closings import names_lost, remembering, stored_exceptions
from core.service.desk import UNDO_FOR, Desk, with_undo
from core.service.draft import Draft
from core.service.edit import spec_of
from core.service.effects import Effects
from core.service.policy import read_policy
from core.service.room import Room
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Gone, Invalid
from schedule_zero.event import EventKind
from schedule_zero.requests import RevertAudit, Undo
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.views import AuditRevert

_OVER = frozenset({"done", "deleted"})
Drafting = Callable[[Actor, ScheduleSpec, ScheduleRow], Awaitable[Draft]]
"""What is asked for, checked, as a change of the schedule there is."""
_row = msgspec.json.Decoder(ScheduleRow).decode


class Undoing:
    """Takes changes back."""

    def __init__(self, desk: Desk, room: Room, chaining: Chaining, draft: Drafting) -> None:
        self._desk = desk
        self._draft = draft
        self._room = room
        self._chaining = chaining

    async def undo(self, actor: Actor, request: Undo) -> Schedule:
        """The schedule as it was before the change; a created one becomes deleted.

        Raises:
            Gone: the token ran out, was used, or never was.
            Conflict: the schedule has changed again since.
            QuotaExceeded: there is no room any more to bring it back.
        """

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            undo = await self._valid(tx, request.token)
            taken = await self._take_back(tx, effects, actor, undo, Action.SCHEDULE_UNDO)
            await tx.notes.forget_undo(undo.token)
            return taken

        return await self._desk.change(actor, request, Schedule, work)

    async def revert(self, actor: Actor, request: RevertAudit, line: AuditedRow) -> AuditRevert:
        """The same for the change that a line of the audit keeps, however old it is. What was allowed back then has to be
        allowed now, too.

        Raises:
            Gone, Conflict, QuotaExceeded: as of ``undo``.
            Invalid, Forbidden: the schedule could not be made as it was any more.
        """
        found = definitions_in(line)
        if found.after is None:
            raise _unreadable()
        undo = UndoRow(
            token="", schedule_id=line.target, guild_id=line.guild_id, actor=line.actor, revision=found.after.revision,
            before=line.before, until=line.at + UNDO_FOR,
        )  # fmt: skip
        in_time = undo.until >= self._desk.clock.now()
        if found.before is not None and found.before.state != "deleted" and not in_time:
            await self._require_allowed(actor, undo, found.before)

        async def work(tx: Transaction, effects: Effects) -> AuditRevert:
            action = Action.SCHEDULE_UNDO if in_time else Action.SCHEDULE_REVERT
            return AuditRevert(schedule=await self._take_back(tx, effects, actor, undo, action))

        return await self._desk.change(actor, request, AuditRevert, work)

    async def _take_back(
        self, tx: Transaction, effects: Effects, actor: Actor, undo: UndoRow, action: Action
    ) -> Schedule:  # fmt: skip
        current = await self._standing(tx, actor, undo)
        access.require_change(actor, current)
        as_it_was = self._restored(undo, current)
        restored = await self._desk.closed.as_closed(tx, as_it_was, of_old=True)
        if restored.state != "deleted":
            access.require_action(actor, current)
            access.require_action(actor, restored)
        if current.state in _OVER and restored.state not in _OVER:
            await self._room.require(tx, actor, restored)
        await self._require_links(tx, restored, current)
        await self._chaining.leave_out(tx, effects, current, restored)
        cancelled: tuple[str, ...] = ()
        if restored.state in ("deleted", "paused"):
            cancelled = await self._desk.cancel_waiting(tx, effects, current, restored.state)
        try:
            await tx.schedules.replace(restored, expected=current.revision)
        except NameTaken:
            raise Conflict(f"Its name {restored.name!r} is taken by another schedule now.") from None
        kind = EventKind.SCHEDULE_DELETED if restored.state == "deleted" else EventKind.SCHEDULE_UPDATED
        again = await self._desk.record(tx, actor, kind, action, current, restored, {"undone": True})
        effects.schedules.append(restored)
        view = self._desk.view(restored)
        view.notes += names_lost(as_it_was, restored) + cancelled
        return with_undo(view, again)

    async def _standing(self, source: Reader | Transaction, actor: Actor, undo: UndoRow) -> ScheduleRow:
        """The schedule, if the change that is taken back is its last."""
        current = await source.schedules.get(undo.schedule_id)
        if current is None or not access.may_see(actor, current):
            raise _too_late() if undo.token else _nothing_left()
        if current.revision != undo.revision:
            raise Conflict("The schedule has been changed again since then; undo the newer change first.")
        return current

    async def _require_allowed(self, actor: Actor, undo: UndoRow, before: ScheduleRow) -> None:
        """Raises Invalid, Forbidden or QuotaExceeded unless the schedule could be changed to what it was."""
        current = await self._standing(self._desk.reader, actor, undo)
        access.require_action(actor, current)
        spec = spec_of(before, {})
        access.require_edit(actor, current, spec)
        await self._draft(actor, spec, current)

    async def _require_links(self, tx: Transaction, restored: ScheduleRow, current: ScheduleRow) -> None:
        try:
            await self._chaining.require(tx, restored, current)
        except Invalid as error:
            raise Conflict(f"What it ran after cannot be brought back: {error.errors[0].message}.") from None

    async def _valid(self, tx: Transaction, token: str) -> UndoRow:
        undo = await tx.notes.undo(token)
        if undo is None or undo.until < self._desk.clock.now():
            raise _too_late()
        return undo

    def _restored(self, undo: UndoRow, current: ScheduleRow) -> ScheduleRow:
        """The old definition under a new revision; what fired meanwhile stays fired."""
        now = self._desk.clock.now()
        old = current if undo.before is None else _row(undo.before)
        state = "deleted" if undo.before is None else old.state
        row = msgspec.structs.replace(
            old, state=state, revision=current.revision + 1, updated=now, last_due=current.last_due,
            fired=current.fired if old.trigger == current.trigger else old.fired, next_due=None,
        )  # fmt: skip
        row.exceptions = stored_exceptions(remembering(exceptions_of(row), current))
        if row.state == "active":
            row.next_due = _next_due(row, old.next_due if undo.until >= now else None, now)
            if row.next_due is None and not row.follows:
                row.state = "done"
        return row


def _too_late() -> Gone:
    return Gone("It is too late to undo this, or there is no such change; each can be taken back for 15 minutes, once.")


def _nothing_left() -> Gone:
    return Gone("There is nothing left of this schedule, so nothing of it can be taken back.")


def _unreadable() -> Gone:
    return Gone("What this change was is not kept any more, so it cannot be taken back.")


def _next_due(row: ScheduleRow, pending: int | None, now: int) -> int | None:
    """When it is due from now on. A last time that came meanwhile without its run is due still, as if nothing had been
    changed; it was minutes ago at most, and without it the schedule would be over without a word."""
    if row.count is not None and row.fired >= row.count:
        return None
    since = row.last_due or 0
    try:
        rule = rule_of(row, read_policy(row.policy))
    except ValueError as error:
        raise Conflict(f"Its rule as it was cannot be followed any more: {error}.") from None
    due = rule.next_after(max(now, since))
    return pending if due is None and pending is not None and pending > since else due

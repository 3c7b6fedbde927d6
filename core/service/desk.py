"""The desk: what every use case works with, and the one way a change is made.

A change is one transaction: the change, its event, its audit line, its undo token and the remembered answer for its
idempotency key. What follows outside (waking the scheduler) happens after the commit, from ``Effects``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from core.engine.engine import Engine
from core.ledger.port import Ledger, Reader, StoreClosed, StoreFull, Transaction
from core.ledger.rows import AnswerRow, AuditRow, EventRow, RunRow, ScheduleRow, UndoRow
from core.timing.zones import zone
from schedule_zero import views
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, StorageFull, Unavailable
from schedule_zero.ids import IdMaker
from schedule_zero.instant import DAY, MINUTE, spell
from schedule_zero.requests import Request
from schedule_zero.schedule import Schedule, UndoToken

UNDO_FOR: Final = 15 * MINUTE
REMEMBER_FOR: Final = DAY
GUILD: Final = "guild"
USER: Final = "user"

V = TypeVar("V")
_encode: Final = msgspec.json.Encoder().encode


class Effects:
    """What a committed change means for the engine; filled inside the unit, applied after it."""

    def __init__(self) -> None:
        self.schedules: list[ScheduleRow] = []
        self.runs: list[RunRow] = []
        self.withdrawn: list[str] = []
        self.cancel: list[str] = []

    def clear(self) -> None:
        """A unit may run twice; what it noted the first time does not count."""
        for notes in (self.schedules, self.runs, self.withdrawn, self.cancel):
            notes.clear()


class Desk:
    """Shared by all use cases."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clock = engine.clock
        self.ids: IdMaker = engine.ids
        self.ledger: Ledger = engine.ledger

    @property
    def reader(self) -> Reader:
        return self.ledger.reader

    async def change(
        self, actor: Actor, request: Request, answer: type[V],
        work: Callable[[Transaction, Effects], Awaitable[V]],
    ) -> V:  # fmt: skip
        """Make a change once, whatever happens between here and the client.

        Raises:
            Conflict: the idempotency key was used for another request.
            StorageFull, Unavailable: the store cannot take it now.
        """
        effects = Effects()
        key = None if request.idempotency_key is None else f"{actor.kind}:{actor.id}:{request.idempotency_key}"
        digest = "" if key is None else hashlib.sha256(msgspec.msgpack.encode(request)).hexdigest()

        async def unit(tx: Transaction) -> V:
            effects.clear()
            if key is not None:
                known = await self._known(tx, key, digest)
                if known is not None:
                    return msgspec.json.decode(known, type=answer)
            view = await work(tx, effects)
            if key is not None:
                text = msgspec.json.encode(view).decode()
                until = self.clock.now() + REMEMBER_FOR
                await tx.notes.remember_answer(AnswerRow(key=key, digest=digest, answer=text, until=until))
            return view

        view = await self.write(unit)
        await self._apply(effects)
        return view

    async def write(self, unit: Callable[[Transaction], Awaitable[V]]) -> V:
        """Run a unit, with the store's refusals in the client's words."""
        try:
            return await self.ledger.write(unit)
        except StoreFull:
            raise StorageFull(
                "The disk is nearly full, so nothing new can be saved; what is scheduled goes on. Free some space and "
                "try again."
            ) from None
        except StoreClosed as error:
            raise Unavailable(f"The service is stopping ({error}); try again in a moment.") from None

    async def record(
        self, tx: Transaction, actor: Actor, kind: str, action: str, before: ScheduleRow | None, after: ScheduleRow,
        data: dict[str, Any] | None = None,
    ) -> UndoToken:  # fmt: skip
        """The event, the audit line and the undo token of one change to a schedule."""
        undos = await self.record_many(tx, actor, kind, action, [(before, after)], data)
        return undos[0]

    async def record_many(
        self, tx: Transaction, actor: Actor, kind: str, action: str,
        changes: Sequence[tuple[ScheduleRow | None, ScheduleRow]], data: dict[str, Any] | None = None,
    ) -> list[UndoToken]:  # fmt: skip
        """The same for many schedules, one statement a table."""
        now = self.clock.now()
        events, lines, undos = [], [], []
        who = f"{actor.kind}:{actor.id}"
        for before, after in changes:
            facts = {"actor": actor.id, "revision": after.revision, **(data or {})}
            old = None if before is None else _encode(before).decode()
            events.append(
                EventRow(at=now, kind=kind, guild_id=after.guild_id, schedule_id=after.id,
                         data=_encode(facts).decode())
            )  # fmt: skip
            lines.append(
                AuditRow(at=now, guild_id=after.guild_id, actor=who, action=action, target=after.id, before=old,
                         after=_encode(after).decode())
            )  # fmt: skip
            undos.append(
                UndoRow(token=self.ids.make("und", now), schedule_id=after.id, guild_id=after.guild_id,
                        actor=actor.id, revision=after.revision, before=old, until=now + UNDO_FOR)
            )  # fmt: skip
        await tx.journal.append(events)
        await tx.notes.audit(lines)
        await tx.notes.remember_undo(undos)
        return [
            UndoToken(token=undo.token, until=spell(undo.until, zone(after.timezone)))
            for undo, (_, after) in zip(undos, changes, strict=True)
        ]

    def run_event(self, kind: str, schedule: ScheduleRow, run_id: str, data: dict[str, Any]) -> EventRow:
        """An event about a run of a schedule, as of now."""
        return EventRow(
            at=self.clock.now(), kind=kind, guild_id=schedule.guild_id, schedule_id=schedule.id, run_id=run_id,
            data=_encode(data).decode(),
        )  # fmt: skip

    async def guild_settings(self, guild_id: str | None) -> views.GuildSettings:
        """What a guild has set, with defaults filled in."""
        text = None if guild_id is None else await self.reader.notes.get(GUILD, guild_id)
        return settings_of(guild_id or "", text)

    async def user_zone(self, user_id: str | None) -> str | None:
        """A person's own zone."""
        text = None if user_id is None else await self.reader.notes.get(USER, user_id)
        return None if text is None else msgspec.json.decode(text, type=str)

    async def zone_for(self, given: str | None, guild_id: str | None, user_id: str | None) -> str:
        """The zone that applies: the item's own, else the person's, else the guild's."""
        if given:
            return zone(given).key
        return await self.user_zone(user_id) or (await self.guild_settings(guild_id)).timezone

    async def _known(self, tx: Transaction, key: str, digest: str) -> str | None:
        row = await tx.notes.answer(key)
        if row is None or row.until < self.clock.now():
            return None
        if row.digest != digest:
            raise Conflict("This Idempotency-Key was used for another request; use a new key for a new request.")
        return row.answer

    async def _apply(self, effects: Effects) -> None:
        if effects.schedules:
            await self.engine.schedules_changed(effects.schedules)
        self.engine.runs_withdrawn(effects.withdrawn)
        self.engine.runs_created(effects.runs)
        self.engine.cancel_open(effects.cancel)


def settings_of(guild_id: str, text: str | None) -> views.GuildSettings:
    """A guild's settings from their stored JSON: only what was set is stored, so defaults can improve."""
    stored: dict[str, Any] = {} if text is None else msgspec.json.decode(text)
    stored.pop("name", None)
    stored.pop("present", None)
    settings = msgspec.convert({**stored, "guild_id": guild_id}, views.GuildSettings)
    names = [name for name in views.GuildSettings.__struct_fields__ if name not in ("guild_id", "defaults")]
    settings.defaults = tuple(name for name in names if name not in stored)
    return settings


def with_undo(schedule: Schedule, undo: UndoToken) -> Schedule:
    """The schedule as answered after a change."""
    schedule.undo = undo
    return schedule


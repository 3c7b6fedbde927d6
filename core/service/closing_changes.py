"""How a change to what a guild keeps closed is made: the document, and every schedule that heeds what has changed.

One transaction, so that from its commit on they are all due by it. What they come to is worked out before it, with pauses:
to compile a thousand rules takes a while, and everybody else waits for a transaction. Inside it only what has changed
meanwhile is worked out again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from core.engine.plan import active_hours_of, calendar_of
from core.ledger.port import Reader, Transaction
from core.ledger.rows import HeededRow, ScheduleRow
from core.service import access
from core.service.closings import Closings, StoredBlackout, closings_of, refreshed
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.facts import CLOSINGS
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Invalid, NotFound, QuotaExceeded, RevisionMismatch
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.schedule import ActiveHours, Calendar

MOST_NAMED: Final = 50
LONGEST_NAME: Final = 50
NO_NAME: Final = "none"
"""What people write where a schedule shall heed no calendar, or no hours."""
MOST_TOLD: Final = 3
"""Schedules that a refusal names."""
TOGETHER: Final = 25
"""Schedules that are worked out before others have their turn on the loop."""
_encode: Final = msgspec.json.Encoder().encode

V = TypeVar("V")
Changed = Callable[[Closings], Closings]
Prepared = Mapping[str, tuple[ScheduleRow, ScheduleRow]]
"""A schedule as it was read, and as it is to be, by its id."""


class Named(NamedTuple):
    """A calendar, or active hours, of a guild."""

    kind: Literal["calendar", "hours"]
    name: str


class ClosingChanges:
    """Shared by the use cases about calendars, hours and blackouts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def kept(self, actor: Actor, guild_id: str) -> Closings:
        """What a guild keeps, for who may see it. Raises NotFound."""
        access.require_guild(actor, guild_id, change=False)
        return await self._desk.facts.closings(guild_id)

    async def zone(self, guild_id: str) -> str:
        """The guild's own zone."""
        return (await self._desk.facts.guild_settings(guild_id)).timezone

    async def users(self, guild_id: str) -> Counter[Named]:
        """How many schedules heed each calendar and each of the hours."""
        counts: Counter[Named] = Counter()
        for heeded in await self._desk.reader.schedules.heeded(guild_id):
            for named in _names_in(heeded):
                counts[named] += heeded.count
        return counts

    async def make(
        self, actor: Actor, request: Any, kind: type[V], changed: Changed, about: Named | None,
        answer: Callable[[Closings, Closings, int], V], *, action: Action, target: str, goes: str | None = None,
    ) -> V:  # fmt: skip
        """Make a change.

        Args:
            changed: the document as it is to be; it may refuse.
            about: what is changed in it; None: something that all schedules of the guild heed.
            answer: from the document before, the one after, and how many schedules heed what has changed; it may refuse.
            action, target: what the audit says: what is done, to what of that name or id.
            goes: what it is called that goes by this change, which is refused while schedules heed it.
        """
        guild_id: str = request.guild_id
        access.require_closings(actor, guild_id)
        prepared = await self._prepare(guild_id, about, changed(await self._desk.facts.closings(guild_id)))

        async def work(tx: Transaction, effects: Effects) -> V:
            self._desk.closed.changes(guild_id)
            before = closings_of(await tx.notes.get(CLOSINGS, guild_id))
            kept = changed(before)
            ids = await _heeding(tx, guild_id, about)
            if goes is not None and ids:
                raise await _still_heeded(tx, actor, goes, ids)
            view = answer(before, kept, len(ids))
            await tx.notes.put(CLOSINGS, {guild_id: _encode(kept).decode()})
            effects.facts.append((CLOSINGS, guild_id))
            was, is_now = (_entry_of(each, action, target) for each in (before, kept))
            if was != is_now:
                await tx.notes.audit([self._desk.line(actor, action, target, guild_id, was, is_now)])
            await self._bring_in(tx, effects, actor, ids, kept, prepared)
            return view

        return await self._desk.change(actor, request, kind, work)

    async def _prepare(self, guild_id: str, about: Named | None, kept: Closings) -> Prepared:
        reader, now = self._desk.reader, self._desk.clock.now()
        ids = await _heeding(reader, guild_id, about)
        prepared: dict[str, tuple[ScheduleRow, ScheduleRow]] = {}
        for start in range(0, len(ids), TOGETHER):
            for row in (await reader.schedules.get_many(ids[start : start + TOGETHER])).values():
                prepared[row.id] = (row, refreshed(row, kept, now))
            await asyncio.sleep(0)
        return prepared

    async def _bring_in(
        self, tx: Transaction, effects: Effects, actor: Actor, ids: list[str], kept: Closings, prepared: Prepared
    ) -> None:  # fmt: skip
        """Write what has changed into the schedules that heed it."""
        now = self._desk.clock.now()
        # Whatever else has changed in the document meanwhile was written into the rows that heed it: they are not as read.
        rows: dict[str, list[ScheduleRow]] = {EventKind.SCHEDULE_UPDATED: [], EventKind.SCHEDULE_BLOCKED: []}
        for row in (await tx.schedules.get_many(ids)).values():
            known = prepared.get(row.id)
            read, after = known if known is not None and known[0] == row else (row, refreshed(row, kept, now))
            if after is not read:
                blocked = after.state == "blocked" and row.state != "blocked"
                rows[EventKind.SCHEDULE_BLOCKED if blocked else EventKind.SCHEDULE_UPDATED].append(after)
        for kind, some in rows.items():
            await tx.schedules.renew(some)
            await self._desk.tell(tx, actor, kind, some, {"changed": ["closings"]})
            effects.schedules.extend(some)


def _entry_of(kept: Closings, action: Action, target: str) -> str | None:
    """What the audit says that something in a document is."""
    noun, _, _ = action.partition(".")
    documents: dict[str, Mapping[str, Any]] = {
        "calendar": kept.calendars, "hours": kept.hours, "blackout": kept.blackouts,
    }  # fmt: skip
    found = documents[noun].get(target)
    if isinstance(found, StoredBlackout):
        found = {**msgspec.structs.asdict(found), "begin": spell(found.begin), "end": spell(found.end)}
    return None if found is None else _encode(found).decode()


async def _heeding(source: Reader | Transaction, guild_id: str, about: Named | None) -> list[str]:
    """The live schedules that heed something."""
    if about is None:
        return await source.schedules.live(guild_id)
    texts = [
        text
        for heeded in await source.schedules.heeded(guild_id)
        if about in _names_in(heeded)
        and (text := heeded.calendar if about.kind == "calendar" else heeded.active_hours) is not None
    ]
    return await source.schedules.heeding(guild_id, list(dict.fromkeys(texts)))


def _names_in(heeded: HeededRow) -> list[Named]:
    calendar, hours = calendar_of(heeded), active_hours_of(heeded)
    found = [] if calendar is None or calendar.name is None else [Named("calendar", calendar.name)]
    return found if hours is None or hours.name is None else [*found, Named("hours", hours.name)]


def name_in(text: str) -> str:
    """The name of a calendar or of hours. Raises Invalid."""
    name = text.strip()
    if name.casefold() == NO_NAME:
        raise Invalid.at("name", f"must not be {NO_NAME!r}, which stands for nothing of the kind; take another name")
    if not 0 < len(name) <= LONGEST_NAME or "/" in name or not name.isprintable():
        raise Invalid.at("name", f"must have 1 to {LONGEST_NAME} printable characters, and no slash")
    return name


def there(name: str, kept: Mapping[str, V], what: str) -> V:
    """What goes by a name. Raises NotFound."""
    if name not in kept:
        known = f"there are {', '.join(sorted(kept))}" if kept else "this server has none"
        raise NotFound(f"There {'are' if what == 'hours' else 'is'} no {what} {name!r} here; {known}.")
    return kept[name]


def put(kept: Mapping[str, V], name: str, value: V, what: str, most: int = MOST_NAMED) -> dict[str, V]:
    """What is kept, with one more or another. Raises QuotaExceeded."""
    if name not in kept and len(kept) >= most:
        raise QuotaExceeded(
            f"This server has {most} {what} already, which is all it may have; remove one first.", scope="guild",
            limit=what, used=most, allowed=most,
        )  # fmt: skip
    return {**kept, name: value}


def revision_of(kept: Calendar | ActiveHours | None) -> int:
    """A number that stands for what makes it up: below 2**48, so that it travels as a number; 0 of what is not there."""
    return 0 if kept is None else int.from_bytes(blake2b(_encode(kept), digest_size=6).digest())


def require_revision(
    what: str, kept: Calendar | ActiveHours | None, asked: Calendar | ActiveHours, revision: int | None
) -> None:
    """Raises RevisionMismatch where it is not made up as at that revision, nor as it is to be."""
    if revision is not None and kept != asked and revision != revision_of(kept):
        raise RevisionMismatch(f"{what} read; look again.")


def without(kept: Mapping[str, V], name: str) -> dict[str, V]:
    """What is kept, but for one."""
    return {key: value for key, value in kept.items() if key != name}


async def _still_heeded(tx: Transaction, actor: Actor, what: str, ids: list[str]) -> Conflict:
    """The refusal of what would take something away from schedules, with the first of those the actor may know of."""
    rows = (await tx.schedules.get_many(ids[:MOST_TOLD])).values()
    names = [repr(row.name) if row.name else row.id for row in rows if access.may_see(actor, row)]
    more = [f"{len(ids) - len(names)} more"] if names and len(names) < len(ids) else []
    which = f" ({', '.join([*names, *more])})" if names else ""
    schedules = "1 schedule heeds" if len(ids) == 1 else f"{len(ids)} schedules heed"
    return Conflict(f"{what} cannot go: {schedules} it{which}. Change or delete those first.")

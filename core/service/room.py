"""Room: how many schedules there may be, checked in the transaction that makes one more.

A guild may have as many as its plan allows. Reminders are everybody's right, so they are counted apart as well: one
person has so many in a guild, and all together take half of the guild's places at most; the other half is always there
for those who may schedule messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from core.governor.settings import Quota
from core.ledger.port import Transaction
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.desk import NO_GUILD, Desk
from schedule_zero.actor import Actor
from schedule_zero.errors import QuotaExceeded

REMINDERS_EACH: Final = 50
KEPT: Final = 10_000
REMINDERS_OF: Final = ("kind", access.REMINDER)
"""What tells somebody's reminder apart, in its metadata."""
_strings: Final = msgspec.json.Decoder(dict[str, str]).decode


class Tally(msgspec.Struct, frozen=True):
    """What is counted: a guild's schedules, its reminders, or one person's reminders there (or outside any guild)."""

    kind: Literal["schedules", "reminders", "own"]
    guild_id: str | None
    owner_id: str | None = None


class Limit(msgspec.Struct, frozen=True):
    """How much of something there may be."""

    tally: Tally
    allowed: int


def tallies_of(row: ScheduleRow) -> list[Tally]:
    """Everything a schedule counts for; what is quickest to count first."""
    counted = []
    if access.REMINDER in row.metadata and access.is_reminder(_strings(row.metadata)):
        counted.append(Tally("own", row.guild_id, row.owner_id))
        counted.append(Tally("reminders", row.guild_id))
    return [*counted, Tally("schedules", row.guild_id)]


def limits_on(row: ScheduleRow, quota: Quota, actor: Actor) -> list[Limit]:
    """The limits one more schedule comes under.

    What somebody has outside any guild is counted by person. Who runs the service may make people any number.
    """
    most = quota.schedules
    allowed: dict[str, int | None] = {
        "own": None if actor.kind != "member" else REMINDERS_EACH if most is None else min(REMINDERS_EACH, most),
        "reminders": None if most is None or row.guild_id is None else most // 2,
        "schedules": None if row.guild_id is None else most,
    }
    found = ((tally, allowed[tally.kind]) for tally in tallies_of(row))
    return [Limit(tally, number) for tally, number in found if number is not None]


def full(limit: Limit, used: int) -> QuotaExceeded:
    """The refusal where so many are ``used``: there may be more than the limit, which can have been lowered since."""
    tally, most = limit.tally, limit.allowed
    where = "in this server" if tally.guild_id is not None else "outside servers"
    plan = f"and the limit is {_many(most, 'schedule')} in all"
    cause = {
        "own": f"and one person may have {most:,}" if most == REMINDERS_EACH else plan,
        "reminders": f"and they may take half of its schedules: {most:,}",
        "schedules": plan,
    }[tally.kind]
    owner = f"You have {_many(used, 'reminder')} {where}"
    if tally.kind != "own":
        owner = f"This server has {_many(used, 'reminder' if tally.kind == 'reminders' else 'schedule')}"
    return QuotaExceeded(
        f"{owner}, {cause}; {_way_out(tally.kind, most)}.", scope=f"user:{tally.owner_id}" if tally.kind == "own" else f"guild:{tally.guild_id or NO_GUILD}",
        limit="schedules" if tally.kind == "schedules" else "reminders", used=used, allowed=most,
    )  # fmt: skip


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _way_out(kind: str, most: int) -> str:
    if most == 0:
        return "who runs the service can allow more"
    return "there is room again when one is over or deleted" if kind == "reminders" else "delete one to make room"


class Room:
    """Keeps guilds and people within their limits.

    Of what was counted once, it is kept how much there is at most: whatever makes one more comes through here, and what
    makes one less is left out. As long as that is below the limit nobody has to count again.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._at_most: dict[Tally, int] = {}
        desk.when_undone(self._at_most.clear)  # what was counted may hold deletions that did not come to be

    async def require(self, tx: Transaction, actor: Actor, row: ScheduleRow) -> None:
        """Take a place for this one more. Raises QuotaExceeded when there is none."""
        for limit in self.limits(actor, row):
            left = await self.left(tx, limit)
            if left <= 0:
                raise full(limit, limit.allowed - left)
        self.taken([row])

    def limits(self, actor: Actor, row: ScheduleRow) -> list[Limit]:
        """The limits one more comes under."""
        return limits_on(row, self._desk.quota(actor, row.guild_id), actor)

    async def left(self, tx: Transaction, limit: Limit, *, wanted: int = 1) -> int:
        """How many more there may be: exactly so many where it is less than ``wanted``, else at least so many."""
        if self._desk.shared:
            return limit.allowed - await _count(tx, limit.tally)
        known = self._at_most.get(limit.tally)
        if known is None or known > limit.allowed - wanted:
            if len(self._at_most) >= KEPT:
                self._at_most.clear()
            known = self._at_most[limit.tally] = await _count(tx, limit.tally)
        return limit.allowed - known

    def taken(self, rows: Iterable[ScheduleRow]) -> None:
        """These are live now, or will be if the transaction succeeds."""
        for row in rows:
            for tally in tallies_of(row):
                if tally in self._at_most:
                    self._at_most[tally] += 1


async def _count(tx: Transaction, tally: Tally) -> int:
    if tally.owner_id is not None:
        return await tx.schedules.count_owned_with(REMINDERS_OF, tally.guild_id, tally.owner_id)
    if tally.kind == "reminders" and tally.guild_id is not None:
        return await tx.schedules.count_with(REMINDERS_OF, tally.guild_id)
    return await tx.schedules.count(tally.guild_id)

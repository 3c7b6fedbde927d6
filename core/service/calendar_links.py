"""Links that calendar programs subscribe to: what is scheduled in a guild, or by a person, for whoever has the link.

A guild and a person have one each, until it is ended or another takes its place. What is secret in it is not kept, only its
SHA-256. A calendar program shows no key and asks every few minutes for ever, so little is written at once, of each link one
calendar, and the rest waits or is told to come later.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal

import msgspec

from core.engine.afresh import CALENDAR_LINK
from core.ledger.port import ScheduleFilter, Transaction
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.bans import Bans
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.exporting.as_ics import IcsFile
from core.service.exporting.things import Item
from core.service.guild_settings import document_of
from core.service.own_zone import NO_ZONE
from core.service.turns import TooMany, Turns
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Forbidden, Unavailable
from schedule_zero.instant import spell
from schedule_zero.schedule import MESSAGES
from schedule_zero.views import CalendarLink

Whose = Literal["guild", "user"]
PATH: Final = "/calendar"
MOST: Final = 1_000
"""Schedules in a calendar."""
AT_ONCE: Final = 2
MOST_WAITING: Final = 20
"""Links that have a calendar written or wait for it; what is asked of the others meanwhile comes later."""
LATER_S: Final = 60.0
_PAGE: Final = 500
_WRITTEN_AT_ONCE: Final = 100
_MOST_PAGES: Final = 20
"""Of a guild's schedules; what is behind them is not looked for."""


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a link; ``since``: microseconds since 1970."""

    digest: str
    since: int


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Kept).decode
_strings: Final = msgspec.json.Decoder(dict[str, str]).decode


class CalendarLinks:
    """Makes and ends links, and writes the calendars behind them.

    Attributes:
        address: where the HTTP door is reached; what a link begins with.
        turns: who has a calendar written, or waits for it: each link by ``guild:ID`` or ``user:ID``.
    """

    def __init__(self, desk: Desk, bans: Bans) -> None:
        self._desk = desk
        self._bans = bans
        self.turns = Turns(AT_ONCE, MOST_WAITING)
        self.address = ""

    async def get(self, actor: Actor, request: ask.GetCalendarLink) -> CalendarLink:
        """Whether there is one, and since when. Raises Invalid, NotFound, Forbidden."""
        access.require_calendar_link(actor, request.guild_id, request.user_id)
        text = await self._desk.reader.notes.get(CALENDAR_LINK, _key(request))
        since = None if text is None else spell(_decode(text).since)
        return CalendarLink(guild_id=request.guild_id, user_id=request.user_id, since=since)

    async def new(self, actor: Actor, request: ask.NewCalendarLink) -> CalendarLink:
        """Another link. Raises Invalid, NotFound, Forbidden."""
        access.require_calendar_link(actor, request.guild_id, request.user_id)
        secret = secrets.token_urlsafe(32)
        fresh: CalendarLink | None = None

        async def work(tx: Transaction, _effects: Effects) -> CalendarLink:
            nonlocal fresh
            now = self._desk.clock.now()
            await tx.notes.put(CALENDAR_LINK, {_key(request): _encode(Kept(_digest(secret), now)).decode()})
            await self._note(tx, actor, request, Action.CALENDAR_LINK_NEW)
            fresh = CalendarLink(guild_id=request.guild_id, user_id=request.user_id, since=spell(now))
            return fresh  # and so it is remembered

        made = await self._desk.change(actor, request, CalendarLink, work)
        if made is fresh:
            whose, id = _whose(request)
            made.url = f"{self.address.rstrip('/')}{PATH}/{whose}/{id}.ics?key={secret}"
        return made

    async def end(self, actor: Actor, request: ask.EndCalendarLink) -> CalendarLink:
        """The link is good no more. Raises Invalid, NotFound, Forbidden."""
        access.require_calendar_link(actor, request.guild_id, request.user_id)

        async def work(tx: Transaction, _effects: Effects) -> CalendarLink:
            if await tx.notes.get(CALENDAR_LINK, _key(request)) is not None:
                await tx.notes.put(CALENDAR_LINK, {_key(request): None})
                await self._note(tx, actor, request, Action.CALENDAR_LINK_END)
            return CalendarLink(guild_id=request.guild_id, user_id=request.user_id)

        return await self._desk.change(actor, request, CalendarLink, work)

    async def calendar(self, whose: str, id: str, secret: str) -> str | None:
        """What is behind a link, as iCalendar; None: it is none, or is good no more. Raises Unavailable."""
        if whose not in ("guild", "user") or not await self._is_good(whose, id, secret):
            return None
        try:
            async with self.turns.of(f"{whose}:{id}"):
                return await self._written(await self._rows(whose, id))
        except TooMany as many:
            why = "This calendar is being written already" if many.own else "Too many calendars are being written"
            raise Unavailable(f"{why}; ask again in a minute.", retry_after=LATER_S) from None

    async def _is_good(self, whose: str, id: str, secret: str) -> bool:
        text = await self._desk.reader.notes.get(CALENDAR_LINK, f"{whose}:{id}")
        if text is None or not hmac.compare_digest(_decode(text).digest, _digest(secret)):
            return False
        try:
            self._bans.require_welcome(Actor(kind="member" if whose == "user" else "operator", id=id))
        except Forbidden:
            return False
        return True

    async def _rows(self, whose: str, id: str) -> list[ScheduleRow]:
        """What is to be in it. Of a guild no reminders: they are for those who set them."""
        wanted = ScheduleFilter(guild_id=id, state="active")
        if whose == "user":
            wanted = ScheduleFilter(any_guild=True, owner_id=id, state="active")
        found: list[ScheduleRow] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._desk.reader.schedules.page(wanted, after, _PAGE)
            found += [row for row in page if whose == "user" or not access.is_reminder(_strings(row.metadata))]
            if len(page) < _PAGE or len(found) >= MOST:
                break
            after = page[-1].id
        return found[:MOST]

    async def _written(self, rows: Sequence[ScheduleRow]) -> str:
        file, now = IcsFile(), self._desk.clock.now()
        parts = [file.beginning({}, spell(now), (), NO_ZONE)]
        parts.append(await asyncio.to_thread(lambda: file.with_zones(sorted(file.zones(rows)))))
        for place in range(0, len(rows), _WRITTEN_AT_ONCE):
            items = [
                Item(row, document_of(row.args) if row.handler == MESSAGES else {})
                for row in rows[place : place + _WRITTEN_AT_ONCE]
            ]
            parts.append(await asyncio.to_thread(file.page, items, first=place == 0, now=now))
        return "".join([*parts, file.end()])

    async def _note(
        self, tx: Transaction, actor: Actor, request: ask.NewCalendarLink | ask.EndCalendarLink, action: Action
    ) -> None:
        line = self._desk.line(actor, action, request.user_id or request.guild_id or "", request.guild_id)
        await tx.notes.audit([line])


def _whose(
    request: ask.NewCalendarLink | ask.GetCalendarLink | ask.EndCalendarLink,
) -> tuple[Whose, str]:
    return ("user", request.user_id) if request.user_id is not None else ("guild", request.guild_id or "")


def _key(request: ask.NewCalendarLink | ask.GetCalendarLink | ask.EndCalendarLink) -> str:
    return ":".join(_whose(request))


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()

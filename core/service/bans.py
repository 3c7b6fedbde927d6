"""The use cases about people who may not use the service: what they ask is refused, and nothing of theirs starts.

Who is banned stands in the ledger; every core keeps all of it in memory, for it is asked about with every request of a
member and every run that is given out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, TypeVar

import msgspec

from core.governor.measures import Mark
from core.ledger.port import Transaction
from core.service import access
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.measures import in_whose_name
from core.service.rules import rules_change
from core.service.suspension import said
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Forbidden, NotFound
from schedule_zero.instant import spell
from schedule_zero.views import BanPage, BanView

T = TypeVar("T")
BAN: Final = "ban"
MOST: Final = 10_000
_encode: Final = msgspec.json.Encoder().encode
decode_mark: Final = msgspec.json.Decoder(Mark).decode


class Bans:
    """Who may not use the service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._marks: dict[str, Mark] = {}
        self._hearing: set[tuple[str, asyncio.Event]] = set()

    def require_welcome(self, actor: Actor, request: ask.Request | None = None) -> None:
        """Raises Forbidden where it is a banned person who asks; not of what is kept of them."""
        mark = self._marks.get(actor.id) if actor.kind == "member" else None
        if mark is not None and not _is_about_oneself(actor, request):
            raise Forbidden(f"You may not use this service any more{said(mark)}; who runs it can tell you more.")

    async def while_welcome(self, actor: Actor, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """What somebody hears as it comes; it ends as soon as they are banned. Raises Forbidden if they are already."""
        self.require_welcome(actor)
        banned = asyncio.Event()
        listener = (actor.id if actor.kind == "member" else "", banned)
        self._hearing.add(listener)
        over = asyncio.create_task(banned.wait(), name="a ban ends what is heard")
        upcoming: asyncio.Task[T | None] | None = None
        try:
            while True:
                upcoming = asyncio.create_task(_next(items), name="what is heard next")
                await asyncio.wait((over, upcoming), return_when=asyncio.FIRST_COMPLETED)
                if banned.is_set() or (item := upcoming.result()) is None:
                    return
                yield item
        finally:
            self._hearing.discard(listener)
            pending = [task for task in (over, upcoming) if task is not None]
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            await items.aclose()

    async def ban(self, actor: Actor, request: ask.BanUser) -> BanView:
        """Let a person start nothing. Saying so again tells another reason. Raises Forbidden, Conflict."""
        access.require_service(actor)

        async def work(tx: Transaction, effects: Effects) -> BanView:
            before = await tx.notes.get(BAN, request.user_id)
            if before is None and len(self._marks) >= MOST:
                raise Conflict(f"{MOST:,} people are banned already; unban some first.")
            mark = Mark(self._desk.clock.now(), in_whose_name(actor, request.by), request.why)
            await self._write(tx, effects, actor, request, before, mark)
            return _shown(request.user_id, mark)

        return await self._desk.change(actor, request, BanView, work)

    async def unban(self, actor: Actor, request: ask.UnbanUser) -> BanView:
        """Let them in again. Raises Forbidden, NotFound."""
        access.require_service(actor)

        async def work(tx: Transaction, effects: Effects) -> BanView:
            before = await tx.notes.get(BAN, request.user_id)
            if before is None:
                raise NotFound(f"{request.user_id!r} is not banned; the list of bans shows who is.")
            await self._write(tx, effects, actor, request, before, None)
            return _shown(request.user_id, decode_mark(before))

        return await self._desk.change(actor, request, BanView, work)

    async def page(self, actor: Actor, _request: ask.ListBans) -> BanPage:
        """Everybody who is banned. Raises Forbidden."""
        access.require_service(actor)
        newest_first = sorted(self._marks.items(), key=lambda each: (-each[1].at, each[0]))
        return BanPage(items=tuple(_shown(user_id, mark) for user_id, mark in newest_first))

    async def load(self) -> None:
        """Heed what the store says; at start before anything is given out, and to follow other cores."""
        before = self._marks
        stored = await self._desk.reader.notes.all(BAN)
        if self._marks is before:  # else they changed while they were read; word of that comes, and they are read again
            self._heed({user_id: decode_mark(text) for user_id, text in stored.items()})

    def follow(self, user_id: str, mark: Mark | None) -> None:
        """It is committed: from now on it holds."""
        others = {id: each for id, each in self._marks.items() if id != user_id}
        self._heed(others if mark is None else {**others, user_id: mark})

    # steps

    async def _write(
        self, tx: Transaction, effects: Effects, actor: Actor, request: ask.BanUser | ask.UnbanUser, before: str | None,
        mark: Mark | None,
    ) -> None:  # fmt: skip
        after = None if mark is None else _encode(mark).decode()
        rules_change(self._desk, tx)
        await tx.notes.put(BAN, {request.user_id: after})
        action, by = Action.USER_UNBAN if mark is None else Action.USER_BAN, in_whose_name(actor, request.by)
        await tx.notes.audit([self._desk.line(actor, action, request.user_id, None, before, after, by=by)])
        effects.steps.append(lambda: self.follow(request.user_id, mark))

    def _heed(self, marks: dict[str, Mark]) -> None:
        self._marks = marks
        self._desk.engine.dispatcher.banned = frozenset(marks)
        for who, banned in self._hearing:
            if who in marks:
                banned.set()


async def _next(items: AsyncGenerator[T, None]) -> T | None:
    return await anext(items, None)


def _shown(user_id: str, mark: Mark) -> BanView:
    return BanView(user_id=user_id, at=spell(mark.at), by=mark.by, why=mark.why)


def _is_about_oneself(actor: Actor, request: ask.Request | None) -> bool:
    """Whether somebody wants to have, or to have erased, what is kept of themselves: that is everybody's right."""
    if isinstance(request, ask.Export):
        return request.guild_id is None and request.user_id == actor.id
    return isinstance(request, ask.EraseUser) and request.user_id == actor.id

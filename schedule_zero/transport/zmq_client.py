"""The client over ZeroMQ: requests, answers and events on one connection that mends itself.

What was asked when the connection broke is asked again on the next one, which is safe: changes carry an idempotency
key, one of ours where the caller gave none. Events go on behind the last one that arrived.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Final

import msgspec

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.actor import Actor
from schedule_zero.answers import ANSWERS, NOT_TWICE
from schedule_zero.client import CoreClient
from schedule_zero.errors import Forbidden, ScheduleZeroError, TooLarge, Unavailable
from schedule_zero.event import Event
from schedule_zero.transport import asking
from schedule_zero.transport.feed import Feed, Page
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.transport.line import Line

log = logging.getLogger("schedule_zero.client")

TIMEOUT_S: Final = 30.0
PATIENCE_S: Final = 5.0
AT_ONCE: Final = 16
WINDOW: Final = 2000
LARGEST_REQUEST: Final = asking.LARGEST_REQUESTS - 4096
NOT_THERE: Final = "The service cannot be reached at the moment; nothing was done. Try again shortly."
NOT_KNOWN: Final = "The service did not answer in time; whether it did what was asked is not known."
NOT_READ: Final = "The service did not answer in time. Try again shortly."
_encode: Final = msgspec.msgpack.Encoder().encode


class _Asked(msgspec.Struct, eq=False):
    """A request on its way. ``sent``: the core may have it."""

    number: int
    message: bytes
    answer: Any
    future: asyncio.Future[views.View]
    sent: bool = False

    def went(self) -> None:
        """It was handed over."""
        self.sent = True


class ZmqClient(CoreClient):
    """Asks a core over ZeroMQ. Lives on the loop of its first request.

    Args:
        address: ``tcp://host:port`` or ``ipc://…``, where the core listens for clients.
        key: what opens it: a token, or a key file's pair and the key of the core it speaks to encrypted.
        timeout: seconds to wait for an answer.
        patience: seconds to wait for a core that is not there.
        on_up: called whenever the core knows us (again).
    """

    def __init__(
        self, address: str, key: str | KeyFile | None = None, *, timeout: float = TIMEOUT_S, patience: float = PATIENCE_S,
        software: str = "schedule-zero-client", on_up: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self.address = address
        self._timeout = timeout
        self._patience = patience
        self._on_up = on_up
        self._line = Line(address, key if isinstance(key, KeyFile) else KeyFile(token=key), self, software=software)
        self._number = 0
        self._at_once = AT_ONCE
        self._waiting: deque[_Asked] = deque()
        self._asked: dict[int, _Asked] = {}
        self._feeds: dict[int, Feed] = {}
        self._reports: dict[str, asking.Report] = {}
        self._refusal: ScheduleZeroError | None = None

    # ── asking ──

    async def send(self, request: ask.Request) -> views.View:
        """Carry one request.

        Raises:
            Unavailable: the core is not there (nothing was done), or did not answer (not known whether).
            ScheduleZeroError: the core's refusal.
        """
        return await self.send_for(None, request)

    async def send_for(self, member: asking.Member | None, request: ask.Request) -> views.View:
        """As ``send``, in a member's name."""
        self._open()
        number = self._next()
        if request.idempotency_key is None and isinstance(request, NOT_TWICE):
            request = msgspec.structs.replace(request, idempotency_key=f"{self._line.instance}-{number}")
        message = _encode(asking.Ask(number, msgspec.Raw(_encode(request)), member))
        if len(message) > LARGEST_REQUEST:
            raise TooLarge("The body is larger than 1 MiB; send less, or several requests.")
        future: asyncio.Future[views.View] = asyncio.get_running_loop().create_future()
        asked = _Asked(number, message, ANSWERS[type(request)], future)
        self._waiting.append(asked)
        self._say_more()
        try:
            return await self._answered(asked, request)
        finally:
            self._forget(asked)

    async def _answered(self, asked: _Asked, request: ask.Request) -> views.View:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if not asked.sent:
            await asyncio.wait([asked.future], timeout=min(self._patience, self._timeout))
            if self._is_hopeless(asked):
                raise self._refusal or Unavailable(NOT_THERE, address=self.address)
        try:
            async with asyncio.timeout(max(0.0, began + self._timeout - loop.time())):
                return await asked.future
        except TimeoutError:
            unknown = asked.sent and isinstance(request, (*NOT_TWICE, ask.PutGuildQuota, ask.PutUserTimezone))
            words = NOT_THERE if not asked.sent else NOT_KNOWN if unknown else NOT_READ
            raise Unavailable(words, address=self.address) from None

    def _is_hopeless(self, asked: _Asked) -> bool:
        """Whether the core never got it, and is not there."""
        return not (asked.sent or asked.future.done() or self._line.up.is_set())

    def _forget(self, asked: _Asked) -> None:
        if asked in self._waiting:
            self._waiting.remove(asked)
        if self._asked.pop(asked.number, None) is not None:
            if self._line.up.is_set():
                self._line.say(asking.Leave(asked.number))
            self._say_more()

    def _say_more(self) -> None:
        """As many of the requests as the core takes at once."""
        while self._waiting and len(self._asked) < self._at_once and self._line.up.is_set():
            asked = self._waiting.popleft()
            self._asked[asked.number] = asked
            self._line.say_encoded(asked.message, asked.went)

    # ── events ──

    def events(self, after: str | None = None, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        """Every event after a place, for ever; a broken connection goes on where it broke.

        Raises:
            ScheduleZeroError: the core refused; that does not mend by itself.
        """
        return self.events_for(None, after, kinds)

    async def events_for(
        self, member: asking.Member | None, after: str | None, kinds: tuple[str, ...]
    ) -> AsyncIterator[Event]:
        """As ``events``, for a member."""
        pages = self.pages(after, kinds=kinds, member=member)
        try:
            async for page in pages:
                if page.missed is not None:
                    log.warning("events %d to %d are not kept any more and were missed", *page.missed)
                for event in page.events:
                    yield event
        finally:
            await pages.aclose()

    async def pages(
        self, after: str | None = None, *, kinds: tuple[str, ...] = (), guild_id: str | None = None,
        subscriber: str | None = None, buckets: tuple[int, ...] = (), window: int = WINDOW,
        member: asking.Member | None = None,
    ) -> AsyncGenerator[Page, None]:  # fmt: skip
        """Pages of events, for ever. A page is taken when the next one is asked for.

        Args:
            after: a place, ``epoch-seq``; None starts with the next event.
            kinds: only these; all where there are none.
            guild_id: only this guild's.
            subscriber: the name under which the core keeps the place; at least once, in order. One at a time may
                follow under a name: the newest.
            buckets: only guilds of these buckets (``schedule_zero.event.bucket_of``).
            window: how many events may be under way.
            member: in whose name.

        Raises:
            Conflict: somebody else follows under this name now.
            ScheduleZeroError: the core refused.
        """
        self._open()
        number = self._next()
        follow = asking.Follow(number, after, kinds, guild_id, subscriber, buckets, window, member)
        feed = self._feeds[number] = Feed(follow, self._line.say)
        if self._line.up.is_set():
            feed.begin()
        elif self._refusal is not None:
            feed.fail(self._refusal)
        try:
            while True:
                page = await feed.next()
                yield page
                feed.taken(page)
        finally:
            del self._feeds[number]
            if self._line.up.is_set():
                self._line.say(asking.Leave(number))

    # ── the rest ──

    def acting_as(self, actor: Actor) -> CoreClient:
        """Speak for a member. Only a client of role ``bot`` is believed: others are refused by the core.

        Raises:
            Forbidden: the actor is no member.
        """
        if actor.kind != "member":
            raise Forbidden(f"nobody may speak for the {actor.kind} {actor.id}")
        return _Speaking(self, asking.Member(actor.id, actor.guild_id, actor.permissions, actor.roles, actor.owner))

    def report(self, part: str, *, ok: bool, detail: str) -> None:
        """How a part of the service in this process is doing, as long as the connection lasts."""
        report = self._reports[part] = asking.Report(part, ok, detail[:500])
        if self._line.up.is_set():
            self._line.say(report)

    async def close(self) -> None:
        """Say goodbye. What still waits is answered Unavailable."""
        await self._line.close()
        gone = Unavailable("The client was closed.")
        for asked in (*self._asked.values(), *self._waiting):
            _fail(asked, gone)
        for feed in self._feeds.values():
            feed.fail(gone)

    def _open(self) -> None:
        if not self._line.is_open:
            self._line.open()
        elif self._refusal is not None and not self._line.up.is_set():
            self._line.greet()

    def _next(self) -> int:
        self._number += 1
        return self._number

    # ── what the core says (as the user of the line) ──

    def welcomed(self, welcome: asking.Welcome) -> None:
        self._refusal = None
        self._at_once = max(1, welcome.at_once)
        for report in self._reports.values():
            self._line.say(report)
        for asked in self._asked.values():
            self._line.say_encoded(asked.message, asked.went)
        for feed in self._feeds.values():
            feed.begin()
        self._say_more()
        if self._on_up is not None:
            self._on_up()

    def refused(self, error: ScheduleZeroError) -> None:
        self._refusal = error
        for asked in (*self._asked.values(), *self._waiting):
            _fail(asked, error)
        for feed in self._feeds.values():
            feed.fail(error)

    def hear(self, message: Any) -> None:
        number: int = message.number
        feed = self._feeds.get(number)
        if feed is not None:
            feed.hear(message)
            return
        asked = self._asked.pop(number, None)
        if asked is None or asked.future.done():
            return
        if isinstance(message, asking.Failed):
            asked.future.set_exception(views.error_of(message.problem))
        elif isinstance(message, asking.Answer):
            try:
                asked.future.set_result(msgspec.msgpack.decode(message.view, type=asked.answer))
            except msgspec.MsgspecError as error:
                _fail(asked, Unavailable(f"{self.address} answered something else than this version expects: {error}"))
        self._say_more()


class _Speaking(CoreClient):
    """The client, for one member."""

    def __init__(self, client: ZmqClient, member: asking.Member) -> None:
        self._client = client
        self._member = member

    async def send(self, request: ask.Request) -> views.View:
        return await self._client.send_for(self._member, request)

    def events(self, after: str | None = None, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        return self._client.events_for(self._member, after, kinds)

    def acting_as(self, actor: Actor) -> CoreClient:
        return self._client.acting_as(actor)


def _fail(asked: _Asked, error: ScheduleZeroError) -> None:
    if not asked.future.done():
        asked.future.set_exception(error)

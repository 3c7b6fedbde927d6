"""The journal as Server-Sent Events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

import msgspec

from schedule_zero.event import Event

EVENT_STREAM: Final = "text/event-stream"
KEEP_ALIVE: Final = 15.0  # seconds of silence before a comment; proxies give up a silent connection after 30 or 60

_RETRY: Final = b"retry: 2000\n\n"
_COMMENT: Final = b": still here\n\n"
_encode = msgspec.json.Encoder().encode


def message(event: Event) -> bytes:
    """One event as the stream writes it. The field ``event`` stays out: a browser's ``onmessage`` sees every kind."""
    return b"id: %d-%d\ndata: %b\n\n" % (event.epoch, event.seq, _encode(event))


async def stream(
    events: AsyncIterator[Event], closing: asyncio.Event, keep_alive: float = KEEP_ALIVE
) -> AsyncGenerator[bytes, None]:
    """The bytes of a stream: events as they come, comments while there are none, until the door closes or they end."""
    ended = asyncio.ensure_future(closing.wait())
    upcoming: asyncio.Future[Event | None] | None = None
    try:
        yield _RETRY
        while not closing.is_set():
            if upcoming is None:
                upcoming = asyncio.ensure_future(_next(events))
            await asyncio.wait((upcoming, ended), timeout=keep_alive, return_when=asyncio.FIRST_COMPLETED)
            if upcoming.done():
                event, upcoming = upcoming.result(), None
                if event is None:
                    return
                yield message(event)
            elif not ended.done():
                yield _COMMENT
    finally:
        await _drop(ended, upcoming)
        if isinstance(events, AsyncGenerator):
            await events.aclose()


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


async def _drop(*waits: asyncio.Future[Any] | None) -> None:
    pending = [wait for wait in waits if wait is not None]
    for wait in pending:
        wait.cancel()
    await asyncio.gather(*pending, return_exceptions=True)

"""Server-Sent Events (WHATWG HTML, section 9.2): the journal, and whatever else grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Final, TypeVar

import msgspec

from schedule_zero.event import Event
from schedule_zero.views import RunLog

T = TypeVar("T")
EVENT_STREAM: Final = "text/event-stream"
KEEP_ALIVE: Final = 15.0  # seconds of silence before a comment; proxies give up a silent connection after 30 or 60

_RETRY: Final = b"retry: 2000\n\n"
_COMMENT: Final = b": still here\n\n"
_LONGEST_NUMBER: Final = 15  # digits of a line's number; a longer one is none of ours
_encode = msgspec.json.Encoder().encode


def line_in(text: str, otherwise: int) -> int:
    """The number of a line that somebody sent; ``otherwise`` where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else otherwise


def message(event: Event) -> bytes:
    """One event as the stream writes it. The field ``event`` stays out: a browser's ``onmessage`` sees every kind."""
    return b"id: %d-%d\ndata: %b\n\n" % (event.epoch, event.seq, _encode(event))


def page(log: RunLog) -> bytes:
    """A page of a run's log as the stream writes it: a message for each line, and one of the type ``end`` behind the last."""
    lines = b"".join(b"id: %d\ndata: %b\n\n" % (line.n, _encode(line)) for line in log.items)
    if not log.ended:
        return lines
    return lines + b"event: end\ndata: %b\n\n" % _encode({"lines": log.lines, "left_out": log.left_out})


async def stream(
    items: AsyncIterator[T], closing: asyncio.Event, spell: Callable[[T], bytes], keep_alive: float = KEEP_ALIVE
) -> AsyncGenerator[bytes, None]:
    """The bytes of a stream: what comes, as ``spell`` has it, comments while nothing does, until the door closes or it
    ends."""
    ended = asyncio.ensure_future(closing.wait())
    upcoming: asyncio.Future[T | None] | None = None
    try:
        yield _RETRY
        while not closing.is_set():
            if upcoming is None:
                upcoming = asyncio.ensure_future(_next(items))
            await asyncio.wait((upcoming, ended), timeout=keep_alive, return_when=asyncio.FIRST_COMPLETED)
            if upcoming.done():
                item, upcoming = upcoming.result(), None
                if item is None:
                    return
                yield spell(item)
            elif not ended.done():
                yield _COMMENT
    finally:
        await _drop(ended, upcoming)
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)


async def _drop(*waits: asyncio.Future[Any] | None) -> None:
    pending = [wait for wait in waits if wait is not None]
    for wait in pending:
        wait.cancel()
    await asyncio.gather(*pending, return_exceptions=True)

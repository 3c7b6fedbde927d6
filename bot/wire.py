"""Whether a request can have reached Discord.

A POST that failed before it had a connection was never sent and may simply be sent again; after that nobody knows
without asking. discord.py repeats some failures by itself and does not tell, so the HTTP session is watched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiohttp


class Wire:
    """What became of the requests of one send: ``touched`` once any of them had a connection."""

    __slots__ = ("touched",)

    def __init__(self) -> None:
        self.touched = False


_watched: ContextVar[Wire | None] = ContextVar("watched_wire", default=None)


@contextmanager
def watched() -> Iterator[Wire]:
    """Watch the requests this task makes inside the block."""
    wire = Wire()
    token = _watched.set(wire)
    try:
        yield wire
    finally:
        _watched.reset(token)


async def _touch(*_: object) -> None:
    wire = _watched.get()
    if wire is not None:
        wire.touched = True


def trace() -> aiohttp.TraceConfig:
    """The trace to give to a client, so that ``watched`` sees its requests."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(_touch)
    config.on_connection_reuseconn.append(_touch)
    return config

"""Readers beside the writer: a few connections that cannot write, opened as they are needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from core.ledger.connection import Connection, Lost, Step, StepFailed
from core.ledger.port import StoreClosed, StoreError
from core.ledger.statement import Query

T = TypeVar("T")
READERS: Final = 4


class ReaderPool:
    """Reads committed rows. ``connect`` opens a connection, and raises StoreError when that fails."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._slots = asyncio.Semaphore(READERS)
        self._idle: list[Connection] = []
        self._abandoned: list[asyncio.Task[Connection]] = []
        self._closed = False

    async def fetch(self, query: Query[T], *given: Any) -> list[T]:
        """See ``core.ledger.connection.Reading``. Raises StoreClosed after ``close``."""
        async with self._slots:
            if self._closed:
                raise StoreClosed("the store is closed")
            reader = self._idle.pop() if self._idle else await self._open()
            lost = False
            try:
                rows: list[T] = (await reader.run([Step(query, given)]))[0]
            except StepFailed as failure:
                lost = isinstance(failure.error, Lost)
                raise failure.take() from failure
            finally:
                if lost:
                    await reader.close()
                else:
                    self._idle.append(reader)
        return rows

    async def close(self) -> None:
        """Let questions that are asked come to their end, then close."""
        self._closed = True
        for _ in range(READERS):
            await self._slots.acquire()
        while self._abandoned:
            with contextlib.suppress(StoreError):
                self._idle.append(await self._abandoned.pop())
        while self._idle:
            await self._idle.pop().close()
        for _ in range(READERS):
            self._slots.release()

    async def _open(self) -> Connection:
        """A new one. What nobody waits for would be left open for ever, so who is cancelled leaves it here."""
        opening = self._abandoned.pop() if self._abandoned else asyncio.ensure_future(self._connect())
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._abandoned.append(opening)
            raise

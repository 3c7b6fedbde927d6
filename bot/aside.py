"""Notices put aside: of guilds and people who cannot be told at the moment, on disk until they were.

The journal goes on without them, so that one guild in trouble delays nobody else. The file is small and is replaced as
a whole; saves that come while one is under way share the next.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bot.notice_letters import Notice
from bot.outbox import OutboxError, open_private, sync_folder

logger = logging.getLogger(__name__)

MOST_OF_ONE: Final = 200
"""How many notices one guild or person keeps waiting; a message shows about twenty. The oldest give way."""
MOST: Final = 20_000
"""How many may wait in all; then the journal waits, too."""


class Aside:
    """What waits, by whom it is for: a guild's id, or ``@`` and a person's. ``path`` None keeps it in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._shelves: dict[str, list[Notice]] = {}
        self._saving = asyncio.Lock()
        self._version = self._saved = 0

    async def open(self) -> None:
        """Read what an earlier process put aside.

        Raises:
            OutboxError: the file cannot be read.
        """
        if self._path is not None:
            try:
                self._shelves = await asyncio.to_thread(_read, self._path)
            except OSError as error:
                raise OutboxError(f"the notices {self._path} cannot be read: {error.strerror or error}") from error

    @property
    def is_full(self) -> bool:
        """Whether no more should be put aside."""
        return sum(map(len, self._shelves.values())) >= MOST

    def whose(self) -> list[str]:
        """All that somebody waits for."""
        return list(self._shelves)

    def of(self, whom: str) -> list[Notice]:
        """What waits for one guild or person, oldest first."""
        return list(self._shelves.get(whom, ()))

    def places(self) -> set[str]:
        """The events whose notices wait."""
        return {notice.place for shelf in self._shelves.values() for notice in shelf}

    def put(self, whom: str, notices: Sequence[Notice]) -> None:
        """Put aside; durable after the next ``save``."""
        shelf = self._shelves.setdefault(whom, [])
        shelf += notices
        if len(shelf) > MOST_OF_ONE:
            logger.warning("the %d oldest notices for %s give way to newer ones", len(shelf) - MOST_OF_ONE, whom)
            del shelf[:-MOST_OF_ONE]
        self._version += 1

    def gather(self, whom: str, notices: Iterable[Notice], telling: Collection[str]) -> None:
        """As ``put``; but what says the same as one that waits is counted there.

        Args:
            telling: places of notices that are just being told, and so count no more.
        """
        for notice in notices:
            shelf = self._shelves.get(whom, [])
            same = [
                place for place, each in enumerate(shelf)
                if (each.schedule_id, each.line) == (notice.schedule_id, notice.line) and each.place not in telling
            ]  # fmt: skip
            if not same:
                self.put(whom, [notice])
            elif shelf[same[0]].moment < notice.moment:  # else it came again
                counted = shelf[same[0]].times + notice.times
                shelf[same[0]] = msgspec.structs.replace(notice, times=counted)
                self._version += 1

    def take(self, whom: str, notices: Iterable[Notice]) -> None:
        """Take out what was told, or is not worth telling any more."""
        gone = {notice.place for notice in notices}
        left = [notice for notice in self.of(whom) if notice.place not in gone]
        if left:
            self._shelves[whom] = left
        else:
            self._shelves.pop(whom, None)
        self._version += 1

    async def save(self) -> None:
        """Make all that was put and taken durable.

        Raises:
            OSError: it could not be written.
        """
        wanted = self._version
        async with self._saving:
            if self._path is None or self._saved >= wanted:
                return
            version, content = self._version, msgspec.json.encode(self._shelves)
            await asyncio.to_thread(_write, self._path, content)
            self._saved = version


def _read(path: Path) -> dict[str, list[Notice]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, list[Notice]])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # It is replaced as a whole, so no crash of ours does this; a notice is not worth refusing to start.
        logger.error("%s is damaged, so the notices put aside there are not told: %s", path, error)
        return {}


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    with open_private(fresh) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)

"""The outbox: what the bot was about to send, and what it sent, on disk before anybody relies on it.

An intent is durable before its POST, the message's id before the run is answered. After a crash the outbox tells
which messages are surely out, which surely are not, and which must be looked for (``bot.sender``).

The file holds one JSON array per line and is only appended to; a line that a crash cut off, or that was damaged
otherwise, is no line. Lines that arrive while one fsync is under way share the next. It is rewritten at every start,
and when it has grown long. It is for nobody else to read: it says who was written to, and when.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import IO, Final

import msgspec

logger = logging.getLogger(__name__)

KEPT_SENT: Final = 50_000
"""How many sent messages are remembered; an outcome is acknowledged long before so many others follow it."""
KEPT_OPEN: Final = 30 * 86_400
"""Seconds after which an intent nobody came back to is forgotten."""
REWRITE_AFTER: Final = 200_000
"""Lines after which the file is rewritten while the bot runs."""


class Entry(msgspec.Struct, array_like=True):
    """One message: meant to be sent, perhaps sent.

    Attributes:
        key: its nonce.
        channel_id: where.
        at: when the intent was written, seconds since the epoch (the wall clock: it must survive a restart).
        digest: of the content as it was sent, to know the message by.
        covers: what a notice tells of (events as ``epoch-seq``); nothing for a run's message.
        message_id: Discord's id once known; None while the fate of the POST is open.
    """

    key: str
    channel_id: int
    at: float
    digest: str
    covers: tuple[str, ...] = ()
    message_id: int | None = None


class Note(msgspec.Struct, array_like=True):
    """What became of an intent: sent as ``message_id``, or (None) surely not sent."""

    key: str
    message_id: int | None


_encode = msgspec.json.Encoder().encode
_LINE: Final = msgspec.json.Decoder(list[object])


class OutboxError(Exception):
    """The outbox cannot be written, so nothing may be sent; the sentence says why."""


class Outbox:
    """Opened once per process; ``path`` None keeps it in memory (for a store that is in memory, too)."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time, beside: str | None = None) -> None:
        """``beside``: which files of the same folder are the outboxes of other processes that send, as a glob."""
        self._path = path
        self._beside = beside
        self._sent_by_others: dict[int, str] = {}
        self.clock = clock
        self._entries: dict[str, Entry] = {}
        self._sent: dict[int, str] = {}
        self._covered: dict[str, str] = {}
        self._lines = 0
        self._file: IO[bytes] | None = None
        self._pending: list[tuple[bytes, asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    # ── life ──

    async def open(self) -> None:
        """Read what an earlier process left, rewrite the file without what is settled and old, start the writer.

        Raises:
            OutboxError: the file or its folder cannot be read or written.
        """
        if self._path is not None:
            try:
                await asyncio.to_thread(self._load, self._path)
                await asyncio.to_thread(self._rewrite, self._path, self._worth_keeping(), [])
            except OSError as error:
                raise OutboxError(f"the outbox {self._path} cannot be used: {error.strerror or error}") from error
            self._writer = asyncio.create_task(self._write_batches(self._path), name="outbox writer")

    async def close(self) -> None:
        """Write what is pending, then close the file."""
        if self._writer is not None:
            self._closing = True
            self._work.set()
            await self._writer
            self._writer = None
        if self._file is not None:
            self._file.close()
            self._file = None

    # ── what is known ──

    def get(self, key: str) -> Entry | None:
        """What is known of the message with this nonce."""
        return self._entries.get(key)

    def owner_of(self, message_id: int) -> str | None:
        """The nonce under which a message was sent, if it is remembered."""
        return self._sent.get(message_id) or self._sent_by_others.get(message_id)

    def covering(self, event: str) -> Entry | None:
        """The notice that tells of an event."""
        key = self._covered.get(event)
        return None if key is None else self._entries.get(key)

    async def adopt(self, key: str) -> Entry | None:
        """What another process's outbox knows of a message; an intent of its becomes one of ours.

        Raises:
            OSError: an outbox beside ours cannot be read.
            OutboxError: the intent could not be written.
        """
        if self._path is None or self._beside is None:
            return None
        others = await asyncio.to_thread(_read_others, self._path, self._beside)
        self._sent_by_others = {message: sender for each in others for message, sender in each._sent.items()}
        found = [entry for each in others if (entry := each.get(key)) is not None]
        entry = max(found, key=lambda each: each.message_id is not None, default=None)
        if entry is not None and entry.message_id is None:
            await self.intend(entry)
        return entry

    # ── what changes ──

    async def intend(self, entry: Entry) -> None:
        """Make an intent durable. Returns after the fsync; only then may the POST begin.

        Raises:
            OutboxError: it could not be written.
        """
        self._put(entry)
        try:
            await self._append(entry)
        except BaseException:  # the disk, or the caller was cancelled: either way nothing was posted
            self.withdraw(entry.key)
            raise

    async def settle(self, key: str, message_id: int) -> None:
        """Make the id of a message that went out durable; the memory knows it at once.

        Raises:
            OutboxError: it could not be written.
        """
        entry = self._entries[key]
        entry.message_id = message_id
        self._sent[message_id] = key
        await self._append(Note(key, message_id))

    def withdraw(self, key: str) -> None:
        """Forget an intent that surely was not sent. The disk learns it with the next batch: should a crash come
        first, the message is looked for in vain and then sent."""
        self._remove(key)
        if self._path is not None and self._is_writing():
            _ = self._queue(Note(key, None))

    # ── memory ──

    def _put(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        for event in entry.covers:
            self._covered[event] = entry.key
        if entry.message_id is not None:
            self._sent[entry.message_id] = entry.key

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for event in entry.covers:
            self._covered.pop(event, None)
        if entry.message_id is not None:
            self._sent.pop(entry.message_id, None)

    def _worth_keeping(self) -> list[Entry]:
        stale = self.clock() - KEPT_OPEN
        for key in [entry.key for entry in self._entries.values() if entry.message_id is None and entry.at < stale]:
            self._remove(key)
        for message in list(self._sent)[: max(0, len(self._sent) - KEPT_SENT)]:
            self._remove(self._sent[message])
        return list(self._entries.values())

    # ── disk ──

    def _is_writing(self) -> bool:
        return self._writer is not None and not self._writer.done() and not self._closing

    def _queue(self, line: Entry | Note) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_retrieved)
        self._pending.append((_encode(line) + b"\n", done))
        self._work.set()
        return done

    async def _append(self, line: Entry | Note) -> None:
        if self._path is None:
            return
        if not self._is_writing():
            raise OutboxError("the outbox is closed")
        await asyncio.shield(self._queue(line))

    async def _write_batches(self, path: Path) -> None:
        while self._pending or not self._closing:
            await self._work.wait()
            self._work.clear()
            batch, self._pending = self._pending, []
            lines = [line for line, _ in batch]
            if self._file is None or self._lines >= REWRITE_AFTER:
                write = partial(self._rewrite, path, self._worth_keeping(), lines)
            else:
                write = partial(self._write, self._file, lines)
            try:
                await asyncio.to_thread(write)
            except OSError as error:
                failure = OutboxError(f"the outbox cannot be written: {error.strerror or error}")
                _resolve((done for _, done in batch), failure)
            else:
                _resolve((done for _, done in batch), None)

    def _write(self, file: IO[bytes], lines: list[bytes]) -> None:
        start = file.tell()
        try:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            self._drop_tail(file, start)
            raise
        self._lines += len(lines)

    def _drop_tail(self, file: IO[bytes], start: int) -> None:
        """Take back a half-written batch; the next one rewrites the file."""
        self._file = None
        with contextlib.suppress(OSError):
            os.truncate(file.fileno(), start)
        with contextlib.suppress(OSError):
            file.close()

    def _load(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        lines = [line for line in content.split(b"\n") if line]
        readable = [entry for line in lines if (entry := _read_line(line)) is not None]
        for entry in readable:
            self._take(entry)
        if len(readable) < len(lines):
            logger.warning("%s: %d damaged lines were left out", path, len(lines) - len(readable))

    def _take(self, line: Entry | Note) -> None:
        if isinstance(line, Entry):
            self._put(line)
        elif line.message_id is None:
            self._remove(line.key)
        elif line.key in self._entries:
            known = self._entries[line.key]
            known.message_id = line.message_id
            self._put(known)

    def _rewrite(self, path: Path, entries: list[Entry], lines: list[bytes]) -> None:
        """Write what still matters, and ``lines``, to a new file and put it in the old one's place."""
        fresh = path.with_suffix(".new")
        file = open_private(fresh)
        try:
            file.writelines(_encode(entry) + b"\n" for entry in entries)
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            fresh.replace(path)
            sync_folder(path.parent)
        except OSError:
            file.close()
            raise
        if self._file is not None:
            self._file.close()
        self._file, self._lines = file, len(entries) + len(lines)


def _read_others(own: Path, beside: str) -> list[Outbox]:
    """The outboxes of other processes in the same folder, as they are on disk now."""
    others: list[Outbox] = []
    for path in sorted(own.parent.glob(beside)):
        if path != own:
            other = Outbox(None)
            other._load(path)
            others.append(other)
    return others


def _read_line(line: bytes) -> Entry | Note | None:
    """What a line says; None when it is damaged. The usual one is the last: its fsync never returned, so nobody relied
    on it."""
    try:
        if len(_LINE.decode(line)) == 2:
            return msgspec.json.decode(line, type=Note)
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _resolve(futures: Iterable[asyncio.Future[None]], failure: OutboxError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)


def _retrieved(future: asyncio.Future[None]) -> None:
    """A withdrawal nobody waits for may fail unheard: its intent only stays longer than needed."""
    if not future.cancelled():
        future.exception()


def open_private(path: Path) -> IO[bytes]:
    """A fresh file that only its owner may read, also where another one was left behind under that name."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def sync_folder(folder: Path) -> None:
    """Make it durable that a file has another name now."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

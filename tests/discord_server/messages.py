"""Messages: kept by channel, written into the journal, and made only once per nonce."""

from pathlib import Path
from typing import NamedTuple, TextIO

import msgspec

from tests.discord_server.bodies import Upload
from tests.discord_server.changes import Changes
from tests.discord_server.clock import Clock
from tests.discord_server.drafts import Draft
from tests.discord_server.errors import UNKNOWN_MESSAGE, ApiError
from tests.discord_server.records import JournalEntry, JsonObject

FORGET_ABOVE = 4096
"""Number of remembered nonces beyond which the expired ones are cleared away."""


class Stored(msgspec.Struct, kw_only=True):
    """A message as it stands; hidden ones (ephemeral) are found by interactions only."""

    id: int
    channel_id: int
    author_id: int
    payload: JsonObject
    hidden: bool = False


class Page(NamedTuple):
    """Which part of a channel's history is asked for."""

    limit: int = 50
    before: int | None = None
    after: int | None = None
    around: int | None = None


class Nonces:
    """Which message an author made with which nonce, for `seconds` seconds.

    Source: developer documentation, "Create Message", `enforce_nonce`: unique per author "in the past few minutes".
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.seconds = seconds
        self._clock = clock
        self._known: dict[tuple[int, str], tuple[int, float]] = {}

    def remember(self, author_id: int, nonce: str, message_id: int) -> None:
        """A message was made with this nonce just now."""
        if len(self._known) >= FORGET_ABOVE:
            self._known = {key: entry for key, entry in self._known.items() if self._fresh(entry[1])}
        self._known[author_id, nonce] = (message_id, self._clock.monotonic())

    def find(self, author_id: int, nonce: str) -> int | None:
        """The message made with this nonce, while it is remembered."""
        entry = self._known.get((author_id, nonce))
        return entry[0] if entry is not None and self._fresh(entry[1]) else None

    def forget(self) -> None:
        """As if the few minutes were over for all of them."""
        self._known.clear()

    def _fresh(self, made_at: float) -> bool:
        return self._clock.monotonic() - made_at < self.seconds


class Journal:
    """Every accepted POST of a message, in order; also appended to a file when one is given."""

    def __init__(self, clock: Clock, changes: Changes, path: Path | None) -> None:
        self.entries: list[JournalEntry] = []
        self._clock = clock
        self._changes = changes
        self._file: TextIO | None = None if path is None else path.open("a", encoding="utf-8")

    def record(self, message: Stored, draft: Draft, body: JsonObject, *, duplicate: bool) -> None:
        """Write one POST down and wake whoever waits for it."""
        entry = JournalEntry(
            seq=len(self.entries) + 1,
            at=self._clock.stamp(),
            channel_id=message.channel_id,
            author_id=message.author_id,
            message_id=message.id,
            content=draft.content or "",
            nonce=draft.nonce_text,
            duplicate=duplicate,
            body=body,
        )
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(msgspec.json.encode(entry).decode() + "\n")
            self._file.flush()
        self._changes.notify()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class MessageStore:
    """The messages of every channel, oldest first."""

    def __init__(self) -> None:
        self._by_channel: dict[int, dict[int, Stored]] = {}
        self._by_id: dict[int, Stored] = {}
        self.files: dict[int, Upload] = {}

    def keep(self, message: Stored) -> None:
        """A new message."""
        self._by_id[message.id] = message
        if not message.hidden:
            self._by_channel.setdefault(message.channel_id, {})[message.id] = message

    def drop(self, message: Stored) -> None:
        """A message is gone."""
        self._by_id.pop(message.id, None)
        self._by_channel.get(message.channel_id, {}).pop(message.id, None)

    def find(self, message_id: int) -> Stored | None:
        """A message by its id, hidden ones too."""
        return self._by_id.get(message_id)

    def get(self, channel_id: int, message_id: int) -> Stored:
        """A message of a channel; ApiError 10008 when there is none."""
        message = self._by_channel.get(channel_id, {}).get(message_id)
        if message is None:
            raise ApiError(UNKNOWN_MESSAGE)
        return message

    def of(self, channel_id: int) -> list[Stored]:
        """All messages of a channel, oldest first."""
        return list(self._by_channel.get(channel_id, {}).values())

    def page(self, channel_id: int, page: Page) -> list[Stored]:
        """Part of a channel's history, newest first; with `after`, the messages next to it, still newest first."""
        history = self.of(channel_id)
        if page.after is not None:
            after = page.after
            history = [message for message in history if message.id > after][: page.limit]
        elif page.around is not None:
            around = page.around
            older = [message for message in history if message.id < around][-(page.limit // 2) :]
            newer = [message for message in history if message.id >= around][: page.limit - len(older)]
            history = older + newer
        else:
            before = page.before
            history = [message for message in history if before is None or message.id < before][-page.limit :]
        return history[::-1]

"""Acquaintances: what handlers elsewhere can do, kept so that the next start knows them before they are back.

Without it a schedule for a handler could be saved only while that handler happens to be connected.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from core.engine.ports import Instance
from core.ledger.port import NoteReads, NoteWrites
from schedule_zero.handler import MethodInfo

_KIND: Final = "handler"


class Acquaintance(msgspec.Struct, frozen=True, kw_only=True):
    """A handler that was here, in the service of one guild or of all. ``left``: when its last process went, microseconds
    since the epoch; None while one is here, and when the core went first."""

    handler: str
    guild_id: str | None
    methods: tuple[MethodInfo, ...]
    left: int | None = None

    @property
    def key(self) -> str:
        """What it is kept under; names hold no slash."""
        return f"{self.handler}/{self.guild_id or ''}"


def acquaintance(instance: Instance) -> Acquaintance:
    """What is kept of an instance."""
    return Acquaintance(
        handler=instance.handler, guild_id=instance.guild_id, methods=tuple(instance.methods.values())
    )  # fmt: skip


async def keep(notes: NoteWrites, known: Iterable[Acquaintance], forgotten: Iterable[str]) -> None:
    """Keep what was learnt, and drop what is forgotten, by its key."""
    documents: dict[str, str | None] = dict.fromkeys(forgotten)
    documents |= {each.key: msgspec.json.encode(each).decode() for each in known}
    if documents:
        await notes.put(_KIND, documents)


async def kept(notes: NoteReads) -> list[Acquaintance]:
    """Everybody who was here, and is not forgotten."""
    documents = await notes.all(_KIND)
    return [msgspec.json.decode(text, type=Acquaintance) for text in documents.values()]

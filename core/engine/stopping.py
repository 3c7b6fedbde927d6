"""Requests to stop a run that is under way: durable until it has ended, so that a crash forgets none.

Memory (``Flight.stopping``) only knows whom it has asked. That somebody wants it stopped stands in the ledger, in the
transaction of whoever wanted it; the outcome's transaction looks there before it lets a run wait for another try.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.ledger.port import NoteReads, Transaction

_KIND: Final = "stop"
_WANTED: Final = "true"


async def want_stopped(tx: Transaction, run_ids: Iterable[str]) -> None:
    """These runs shall stop."""
    wanted = dict.fromkeys(run_ids, _WANTED)
    if wanted:
        await tx.notes.put(_KIND, wanted)


async def wanted_stopped(notes: NoteReads) -> set[str]:
    """The runs that shall stop and have not ended, as far as anybody noted."""
    return set(await notes.all(_KIND))


async def stopped(tx: Transaction, run_ids: Iterable[str]) -> None:
    """These have ended; nobody has to be stopped any more."""
    ended = dict.fromkeys(run_ids)
    if ended:
        await tx.notes.put(_KIND, ended)

"""Clocks of guilds: on which their calendar quotas count. Another zone counts from the change on, and what the clocks before
it were showing then goes on counting until it ends (``core.governor.entitlement``)."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from core.governor.entitlement import Clocks, month_end
from core.ledger.port import Transaction
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.rules import rules_change
from core.timing.zones import zone
from schedule_zero.errors import Conflict

CLOCKS: Final = "clocks"
"""Notes: by guild, the zones it had lately, each with when it was left."""
MOST_BEFORE: Final = 24

_decode: Final = msgspec.json.Decoder(tuple[tuple[str, int], ...]).decode


async def change_clocks(
    desk: Desk, tx: Transaction, effects: Effects, guild_id: str, old: ZoneInfo, new: ZoneInfo, *, bounded: bool = True
) -> None:
    """A guild's days begin elsewhere from now on. ``bounded``: not for the twenty-fifth time within a month.

    Raises:
        Conflict: it had too many zones lately.
    """
    if old == new:
        return
    clocks = Clocks(old, before_in(await tx.notes.get(CLOCKS, guild_id))).changed(new, desk.clock.now())
    if not await desk.engine.entitler.anything_used(tx, guild_id, old, desk.clock.now()):
        clocks = Clocks(new, clocks.before[:-1])  # nothing was counted by it that another could begin anew
    if bounded and len(clocks.before) > MOST_BEFORE:
        raise Conflict(
            f"This server had {MOST_BEFORE} other time zones within a month, by which its runs are counted still; set one of "
            "those, or wait for the next month."
        )
    await tx.notes.put(CLOCKS, {guild_id: _spelled(clocks)})
    rules_change(desk, tx)
    effects.steps.append(lambda: desk.engine.entitler.set_clocks(guild_id, clocks))


def before_in(text: str | None) -> tuple[tuple[ZoneInfo, int], ...]:
    """The zones a guild had lately, of its note. One that the zone data knows no more counts nothing."""
    found: list[tuple[ZoneInfo, int]] = []
    for name, left in () if text is None else _decode(text):
        try:
            found.append((zone(name), left))
        except ValueError:
            continue
    return tuple(found)


async def forget_ended(desk: Desk) -> None:
    """Drop the notes of guilds whose zones of before count nothing any more."""
    now = desk.clock.now()

    def over(text: str) -> bool:
        return all(month_end(left, place) <= now for place, left in before_in(text))

    async def unit(tx: Transaction) -> None:
        ended = [guild for guild, text in (await tx.notes.all(CLOCKS)).items() if over(text)]
        if ended:
            await tx.notes.put(CLOCKS, dict.fromkeys(ended))

    if any(over(text) for text in (await desk.reader.notes.all(CLOCKS)).values()):
        await desk.ledger.write(unit)


def _spelled(clocks: Clocks) -> str:
    return msgspec.json.encode([(place.key, left) for place, left in clocks.before]).decode()

"""What a change of the closed times did to the schedules that were there: which of their next five times went and came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import discord
import msgspec

from cogs.cards import NEXT_SHOWN
from cogs.differences import difference
from cogs.front import Interaction, core_of, home_of
from cogs.reminders import REMINDER
from cogs.texts import list_of, stamp, title_of
from schedule_zero import instant
from schedule_zero.schedule import Schedule

LOOKED_AT: Final = 500
"""Schedules of a guild, the oldest first."""
SHOWN: Final = 5
_TIMES: Final = 3
_FETCHED: Final = 100


class Glance(msgspec.Struct, frozen=True):
    """A guild's schedules by id, at one moment. ``whole``: there were no more than are looked at."""

    schedules: dict[str, Schedule]
    whole: bool

    @property
    def note(self) -> str:
        """Says that there are others; nothing where there are none."""
        return "" if self.whole else f"-# Only the oldest {LOOKED_AT} schedules were looked at."


async def glance(interaction: Interaction) -> Glance:
    """The guild's active schedules that the person may see; of very many, the oldest. Reminders are their owners' business."""
    core, home = core_of(interaction), home_of(interaction)
    found: dict[str, Schedule] = {}
    cursor: str | None = None
    for _ in range(LOOKED_AT // _FETCHED):
        page = await core.list_schedules(guild_id=home, state="active", limit=_FETCHED, cursor=cursor)
        found |= {schedule.id: schedule for schedule in page.items if schedule.metadata.get("kind") != REMINDER}
        cursor = page.next
        if cursor is None:
            break
    return Glance(found, whole=cursor is None)


async def changes_since(interaction: Interaction, before: Glance) -> str:
    """A block for the card that answers a change: whose next times are others now."""
    after = await glance(interaction)
    now = instant.from_datetime(discord.utils.utcnow())
    lines = [
        line for id, was in before.schedules.items() if (line := _line(was, after.schedules.get(id), now)) is not None
    ]  # what is gone from the list has no time left at all
    if not lines:
        return "\n".join(filter(None, ["-# No schedule's next five times change by it.", before.note]))
    more = f"\n… and {len(lines) - SHOWN} more schedules" if len(lines) > SHOWN else ""
    return "\n".join(filter(None, [f"**What changes**\n{list_of(lines[:SHOWN])}{more}", before.note]))


def _line(was: Schedule, is_now: Schedule | None, now: int) -> str | None:
    if is_now is None:
        return f"**{title_of(was)}**: nothing of it is due any more"
    found = difference(was.next_fire_times, is_now.next_fire_times, asked=NEXT_SHOWN)
    gone = [time for time in found.gone if instant.parse(time) > now]  # what has just been due is gone, too
    if not gone and not found.come:
        return None
    parts = [f"not {_times(gone)}"] if gone else []
    parts += [f"now also {_times(found.come)}"] if found.come else []
    if is_now.next_fire_times:
        parts.append(f"next {stamp(is_now.next_fire_times[0], 'f')}")
    return f"**{title_of(was)}**: {'; '.join(parts)}"


def _times(times: Sequence[str]) -> str:
    more = f" and {len(times) - _TIMES} more" if len(times) > _TIMES else ""
    return ", ".join(stamp(time, "f") for time in times[:_TIMES]) + more


def heeded_by(count: int) -> str:
    """How many schedules a change concerns."""
    return (
        "No schedule heeds it yet." if count == 0 else f"**{count}** schedule{' heeds' if count == 1 else 's heed'} it."
    )

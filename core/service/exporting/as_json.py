"""An export as JSON: complete, and what ``docs/http.md`` says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.ledger.rows import ScheduleRow
from core.service.edit import spec_of
from core.service.exporting.things import Guild, Item
from core.service.own_zone import OwnZone
from schedule_zero.instant import spell

VERSION: Final = 1
_encode: Final = msgspec.json.Encoder().encode


class JsonFile:
    """One object: what it is of, what guilds have set, and their schedules."""

    media_type = "application/json"
    ending = "json"
    names_zones = False

    def beginning(self, scope: dict[str, str | None], at: str, guilds: Sequence[Guild], own: OwnZone) -> str:
        """Everything before the schedules."""
        head: dict[str, Any] = {"schedule_zero_export": VERSION, "exported_at": at, "scope": scope}
        if scope["user_id"] is not None:
            head["timezone"], head["timezone_shared"] = own.timezone, own.shared
        head["guilds"] = [_guild(guild) for guild in guilds]
        return f'{_text(head)[:-1]},"schedules":['

    def zones(self, rows: Sequence[ScheduleRow]) -> set[str]:
        """None: each schedule names its own."""
        return set()

    def with_zones(self, names: Sequence[str]) -> str:
        """Nothing of them."""
        return ""

    def page(self, items: Sequence[Item], *, first: bool, now: int) -> str:
        """Some schedules, one in a line."""
        lines = ",\n".join(_text(_schedule(item)) for item in items)
        return f"\n{lines}" if first or not lines else f",\n{lines}"

    def end(self) -> str:
        """What closes it."""
        return "\n]}\n"


def _guild(guild: Guild) -> dict[str, Any]:
    closings = guild.closings
    return {
        "guild_id": guild.id, "settings": guild.settings, "calendars": closings.calendars, "hours": closings.hours,
        "blackouts": [
            {"from": spell(each.begin), "to": spell(each.end), "reason": each.reason, "scope": each.scope}
            for each in closings.blackouts.values()
        ],
    }  # fmt: skip


def _schedule(item: Item) -> dict[str, Any]:
    """What it takes to make the schedule again, as POST /schedules takes it, and how it stands."""
    row = item.row
    spec = msgspec.to_builtins(spec_of(row, {}))
    return {
        "id": row.id, **spec, "owner_id": row.owner_id, "args": item.args, "words": row.words, "state": row.state,
        "next_due": None if row.next_due is None else spell(row.next_due),
        "paused_until": None if row.paused_until is None else spell(row.paused_until), "note": row.note,
        "fired": row.fired, "exceptions": None if row.exceptions is None else _exceptions(row.exceptions),
        "created_at": spell(row.created), "updated_at": spell(row.updated),
    }  # fmt: skip


def _exceptions(text: str) -> dict[str, Any]:
    """Due times that were skipped or moved by hand. Blackouts are the guild's, and stand there."""
    stored = msgspec.json.decode(text, type=dict[str, Any])
    return {
        "skipped": [spell(at) for at in stored.get("skipped", ())],
        "moved": {spell(int(at)): spell(to) for at, to in stored.get("moved", {}).items()},
    }


def _text(value: Any) -> str:
    return _encode(value).decode()

"""An export as CSV: a row for each schedule, for a spreadsheet.

A spreadsheet takes text that begins like a formula for one, whoever wrote it. Such a text gets an apostrophe in front, which
spreadsheets do not show.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

import msgspec

from core.ledger.rows import ScheduleRow
from core.service.exporting.things import Guild, Item
from core.service.own_zone import OwnZone
from schedule_zero.instant import spell

COLUMNS: Final = (
    "id", "name", "state", "words", "next_due", "timezone", "guild_id", "owner_id", "handler", "method", "args",
    "trigger", "policy", "calendar", "active_hours", "after", "metadata", "start", "until", "count", "paused_until",
    "note", "fired", "created_at", "updated_at",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class CsvFile:
    """A line of titles, then a line for each schedule (RFC 4180)."""

    media_type = "text/csv; charset=utf-8"
    ending = "csv"
    names_zones = False

    def beginning(self, scope: dict[str, str | None], at: str, guilds: Sequence[Guild], own: OwnZone) -> str:
        """The titles."""
        return _lines([COLUMNS])

    def zones(self, rows: Sequence[ScheduleRow]) -> set[str]:
        """None: each schedule names its own."""
        return set()

    def with_zones(self, names: Sequence[str]) -> str:
        """Nothing of them."""
        return ""

    def page(self, items: Sequence[Item], *, first: bool, now: int) -> str:
        """Some schedules."""
        return _lines([[_cell(item, name) for name in COLUMNS] for item in items])

    def end(self) -> str:
        """Nothing."""
        return ""


_INSTANTS: Final = {
    "next_due": "next_due", "start": "start", "until": "until", "paused_until": "paused_until", "created_at": "created",
    "updated_at": "updated",
}  # fmt: skip


def _cell(item: Item, name: str) -> str:
    if name == "args":
        return msgspec.json.encode(item.args).decode()
    if name in _INSTANTS:
        instant = getattr(item.row, _INSTANTS[name])
        return "" if instant is None else spell(instant)
    value = getattr(item.row, name)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _lines(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()

"""Requests for what is kept, as a file."""

from __future__ import annotations

from typing import Final, Literal

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id

ExportFormat = Literal["json", "csv", "ics"]
BEGINNING: Final = "0"
"""The cursor of a file's first part."""


class Export(BaseRequest, tag="export", frozen=True):
    """Answers ExportPart: a part of a file. Of one guild, of one person, or, where neither is named, of everything.

    Attributes:
        cursor: where the part begins, as the one before says; ``0`` or nothing: with the file.
        secrets: arguments that are secret are written out; operators alone may ask for that.
    """

    guild_id: Id | None = None
    user_id: Id | None = None
    format: ExportFormat = "json"
    secrets: bool = False
    cursor: Id | None = None

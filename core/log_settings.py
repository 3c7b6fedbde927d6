"""What can be configured about logging; apart from ``core.logs``, because reading a setting should not load structlog."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Level = Literal["debug", "info", "warning", "error", "critical"]
Size = Annotated[
    str, msgspec.Meta(pattern=r"^[1-9]\d{0,5} ?(?:KB|MB|GB)$", description="a size such as 500KB, 50MB or 1GB")
]

_UNITS: Final = {"KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


class RotateSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """When the log file is turned over. ``keep``: how many full files stay beside the open one."""

    size: Size = "50MB"
    keep: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10

    @property
    def size_bytes(self) -> int:
        """The size at which the file is turned over; a kilobyte is 1,000 bytes."""
        text = self.size.replace(" ", "")
        return int(text[:-2]) * _UNITS[text[-2:]]


class LogSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is logged, how it looks, and where it goes: standard error, or a file as well when one is named."""

    level: Level = "info"
    format: Literal["console", "json"] = "console"
    file: str | None = None
    rotate: RotateSettings = RotateSettings()

"""Texts of settings that more than one room takes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from core.fields import NEARLY
from schedule_zero.discord_ids import PATTERN

DiscordId = Annotated[
    str,
    msgspec.Meta(
        pattern=PATTERN, description="a Discord id, which is digits only",
        extra={NEARLY: (r"^[0-9]+$", "a Discord id as Discord writes it, with no 0 before it and 20 digits at most")},
    ),
]  # fmt: skip
Duration = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^P(?=.)(?:\d+W)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,6})?S)?)?$",
        description="an ISO 8601 duration such as PT30S, PT1H30M or P30D",
    ),
]

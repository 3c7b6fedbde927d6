"""Texts of settings that more than one room takes."""

from __future__ import annotations

from typing import Annotated

import msgspec

Duration = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^P(?=.)(?:\d+W)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,6})?S)?)?$",
        description="an ISO 8601 duration such as PT30S, PT1H30M or P30D",
    ),
]

"""What can be configured about the processes that are kept alive."""

from __future__ import annotations

from typing import Annotated

import msgspec

from core.kinds import Duration
from core.log_settings import RotateSettings
from schedule_zero.instant import SECOND, parse_duration

MOST = 64
HandlerName = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z0-9_.\-]{1,64}$", description="a name of letters a to z, digits, _ . and -, at most 64"),
]  # fmt: skip
Place = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$", description="MODULE:OBJECT such as reports:Reports"
    ),
]


class _Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The form these settings share."""


class ProcessSettings(_Settings, frozen=True, kw_only=True):
    """One process the ProcessGovernor keeps alive; it has no options."""


class HandlerProcess(_Settings, frozen=True, kw_only=True):
    """Handler processes the ProcessGovernor keeps alive.

    Attributes:
        name: the handler that schedules address; None: the object's name in lower case.
        count: how many processes of it.
        key: the key file that each shows the core; None: none.
    """

    module: Place
    name: HandlerName | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = 1
    key: str | None = None

    @property
    def pool(self) -> str:
        """The name that the processes share."""
        return self.name or self.module.rpartition(":")[2].lower()


class LimitSettings(_Settings, frozen=True, kw_only=True):
    """How long what may take, and how often a process may crash.

    Attributes:
        first_word: from its start until a process says something.
        silent: without a beat of its loop, once it has said something.
        stop: from being asked to stop until it is killed.
        crashes, within: so many ends that nobody asked for, within so long, and it is not started again.
        pause, longest_pause: before the first start after such an end, doubled with each further one; and the most.
    """

    first_word: Duration = "PT1M"
    silent: Duration = "PT30S"
    stop: Duration = "PT30S"
    crashes: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 5
    within: Duration = "PT1M"
    pause: Duration = "PT0.1S"
    longest_pause: Duration = "PT30S"

    def seconds(self, name: str) -> float:
        """One of the durations, in seconds."""
        return parse_duration(getattr(self, name)) / SECOND


class ProcessesSettings(_Settings, frozen=True, kw_only=True):
    """What ``schedule-zero processes`` keeps alive. ``output``: when the files are turned over that hold what the
    processes print."""

    core: ProcessSettings | None = None
    bot: ProcessSettings | None = None
    handlers: tuple[HandlerProcess, ...] = ()
    limits: LimitSettings = LimitSettings()
    output: RotateSettings = RotateSettings(size="10MB", keep=3)

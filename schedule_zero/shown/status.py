"""Views of the core itself: how it is doing, how late it is, and what waits."""

from __future__ import annotations

import msgspec

from schedule_zero.shown.upkeep import MaintenanceView


class LagView(msgspec.Struct, kw_only=True):
    """How late the core is.

    Attributes:
        tick: how late the oldest schedule is that is due and has not fired.
        due: how many such schedules there are; ``last_tick``: when the newest firing was committed.
        dispatch: how long ago the run was due that waits longest for nothing but its turn.
        ready: runs that wait for their turn; ``waiting``: all that wait, also for a limit or a later time.
        uncommitted: outcomes that are answered and not in the store yet.
    """

    tick: str
    due: int
    last_tick: str | None
    dispatch: str
    ready: int
    waiting: int
    in_flight: int
    uncommitted: int


class QueueScope(msgspec.Struct, kw_only=True):
    """Runs that wait for the same thing. ``scope`` and ``limit`` as in a run's ``why``."""

    scope: str
    limit: str
    runs: int
    words: str
    until: str | None = None


class QueueGuild(msgspec.Struct, kw_only=True):
    """What a guild has waiting and running. ``guild_id`` None: the operator's own work."""

    guild_id: str | None
    waiting: int
    running: int
    scopes: tuple[QueueScope, ...] = ()


class QueueView(msgspec.Struct, kw_only=True):
    """What waits: by what it waits for, and the guilds with most of it, each the largest first. ``guild_count``: of how many
    guilds; what belongs to none is none of them."""

    waiting: int
    running: int
    guild_count: int
    scopes: tuple[QueueScope, ...]
    guilds: tuple[QueueGuild, ...]


class Part(msgspec.Struct, kw_only=True, frozen=True):
    """One part of the service: whether it works, and a word on how."""

    ok: bool
    detail: str = "ok"


class Status(msgspec.Struct, kw_only=True):
    """How the core is doing.

    Attributes:
        running: it accepts and fires.
        due_times_missed: since the start, those that came to nothing because they were too late.
        maintenance: what operators tell everybody at the moment.
    """

    running: bool
    version: str
    last_tick: str | None
    schedules: int
    due: int
    waiting: int
    runs_executed: int
    lag: str
    parts: dict[str, Part]
    due_times_missed: int = 0
    maintenance: MaintenanceView | None = None

"""Events: what happened, in the past tense, each written in the transaction of its change.

One list of kinds; ``docs/`` holds the same table with the fields of ``data``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

BUCKETS: Final = 64
"""Into so many parts the guilds are divided for those who share them."""


class EventKind(StrEnum):
    """Everything the journal can say."""

    SCHEDULE_CREATED = "schedule.created"
    SCHEDULE_UPDATED = "schedule.updated"
    SCHEDULE_PAUSED = "schedule.paused"
    SCHEDULE_RESUMED = "schedule.resumed"
    SCHEDULE_BLOCKED = "schedule.blocked"
    SCHEDULE_COMPLETED = "schedule.completed"
    SCHEDULE_DELETED = "schedule.deleted"
    RUN_CREATED = "run.created"
    RUN_DISPATCHED = "run.dispatched"
    RUN_STARTED = "run.started"
    RUN_PROGRESS = "run.progress"
    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_TIMED_OUT = "run.timed_out"
    RUN_CANCELLED = "run.cancelled"
    RUN_SKIPPED = "run.skipped"
    RUN_WAITING = "run.waiting"
    HANDLER_CONNECTED = "handler.connected"
    HANDLER_DISCONNECTED = "handler.disconnected"
    HANDLER_UNHEALTHY = "handler.unhealthy"
    HANDLER_DRAINING = "handler.draining"
    GUILD_JOINED = "guild.joined"
    GUILD_LEFT = "guild.left"
    GUILD_RETURNED = "guild.returned"
    GUILD_VERIFIED = "guild.verified"
    GUILD_SUSPENDED = "guild.suspended"
    QUOTA_REACHED = "quota.reached"
    CORE_STARTED = "core.started"
    CORE_STOPPED = "core.stopped"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the journal. ``(epoch, seq)`` is its place; a restored backup starts a new epoch."""

    epoch: int
    seq: int
    at: str
    kind: str
    guild_id: str | None = None
    schedule_id: str | None = None
    run_id: str | None = None
    data: dict[str, Any] = {}


def topic(event: Event) -> str:
    """The ZeroMQ topic of an event: ``g.<guild>.<kind>``, with ``-`` where there is no guild."""
    return f"g.{event.guild_id or '-'}.{event.kind}"


def bucket_of(guild_id: str | None) -> int:
    """The bucket of a guild: its id's running part, so that a guild stays where it is. No guild: bucket 0.

    The same part decides about a guild's shard (Discord documentation, "Sharding"): with a number of shards that
    divides 64, each shard's guilds fill whole buckets.
    """
    if guild_id is None or not guild_id.isdecimal():
        return 0
    return (int(guild_id) >> 22) % BUCKETS

"""Views of schedules."""

from __future__ import annotations

import msgspec

from schedule_zero.schedule import Schedule
from schedule_zero.shown.problem import Problem


class BatchItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one item of a batch: 201 with the schedule, or the status with the problem."""

    status: int
    schedule: Schedule | None = None
    problem: Problem | None = None


class BatchView(msgspec.Struct, kw_only=True):
    """One result per item, in the order asked."""

    items: tuple[BatchItem, ...]


class SchedulePage(msgspec.Struct, kw_only=True):
    """A page of schedules; ``next`` is the cursor of the following page."""

    items: tuple[Schedule, ...]
    next: str | None = None

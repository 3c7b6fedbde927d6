"""Requests about what operators do to the service as a whole. ``by``: in whose name a program of theirs asks."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Line, Text, Word


class GetUpkeep(BaseRequest, tag="core.upkeep", frozen=True):
    """Answers Upkeep, for everybody; who did it is told to operators alone."""


class DrainCore(BaseRequest, tag="core.drain", frozen=True):
    """Answers Upkeep. From now on nothing new is given out to any handler, by any core of the service; what is under way
    ends, and what is due waits. It outlives a restart."""

    by: Word | None = None


class ResumeCore(BaseRequest, tag="core.resume", frozen=True):
    """Answers Upkeep. What waited is given out again."""

    by: Word | None = None


class SetMaintenance(BaseRequest, tag="core.maintenance", frozen=True):
    """Answers Upkeep. ``message`` is told to everybody who asks how the service is, or meets a refusal, until ``until``
    (RFC 3339, or a time in words; without it, until it is taken away); without a message nothing is told any more."""

    message: Text | None = None
    until: Line | None = None
    by: Word | None = None

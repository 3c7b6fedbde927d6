"""Requests about runs."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Word
from schedule_zero.run import RunState


class ListRuns(BaseRequest, tag="run.list", frozen=True):
    """Answers RunPage, newest first."""

    guild_id: Id | None = None
    any_guild: bool = False
    schedule_id: Id | None = None
    handler: Word | None = None
    state: RunState | None = None
    since: Word | None = None
    limit: int = 50
    cursor: Word | None = None


class GetRun(BaseRequest, tag="run.get", frozen=True):
    """Answers Run."""

    id: Id


class GetRunLog(BaseRequest, tag="run.log", frozen=True):
    """Answers RunLog: the lines that were said after the ``after``-th."""

    id: Id
    after: Annotated[int, msgspec.Meta(ge=0, le=2**53, description="the number of a line, or 0")] = 0
    limit: int = 200


class CancelRun(BaseRequest, tag="run.cancel", frozen=True):
    """Answers Run."""

    id: Id


class RetryRun(BaseRequest, tag="run.retry", frozen=True):
    """Answers Run: a new one, with the schedule's arguments as they are now; one that was started with arguments of its own
    keeps those. A run is run again once; then its successor is."""

    id: Id

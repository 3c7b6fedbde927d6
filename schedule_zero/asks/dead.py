"""Requests about dead letters: runs that failed or timed out for good, until they are run again, dropped, or too old."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Word

RunIds = Annotated[tuple[Id, ...], msgspec.Meta(max_length=200, description="a list of at most 200 ids of runs")]


class ListDead(BaseRequest, tag="dead.list", frozen=True):
    """Answers DeadPage, newest run first."""

    guild_id: Id | None = None
    any_guild: bool = False
    handler: Word | None = None
    schedule_id: Id | None = None
    limit: int = 50
    cursor: Word | None = None


class _SomeDead(BaseRequest, frozen=True):
    """Dead letters by their runs (``ids``), or those that a filter finds: the 200 newest, from ``cursor`` on."""

    ids: RunIds = ()
    guild_id: Id | None = None
    handler: Word | None = None
    schedule_id: Id | None = None
    cursor: Word | None = None


class ReplayDead(_SomeDead, tag="dead.replay", frozen=True):
    """Answers DeadChange. They are run again as new runs, all in one transaction; one that was already is ``gone``.

    ``by``: in whose name, where the service asks for somebody else.
    """

    by: Word | None = None


class DropDead(_SomeDead, tag="dead.drop", frozen=True):
    """Answers DeadChange. They are forgotten; their runs stay as they are."""

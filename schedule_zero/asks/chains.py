"""Requests about chains."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Word
from schedule_zero.schedule import AfterWhen


class AddLink(BaseRequest, tag="chain.add", frozen=True):
    """Answers Schedule: ``item``, which runs after ``after`` from now on. A link that is there gets this delay."""

    item: Id
    after: Id
    when: AfterWhen = "success"
    delay: Word = "PT0S"


class RemoveLink(BaseRequest, tag="chain.remove", frozen=True):
    """Answers Schedule: ``item``, which does not run after ``after`` any more, or not in that case."""

    item: Id
    after: Id
    when: AfterWhen | None = None


class GetChain(BaseRequest, tag="chain.get", frozen=True):
    """Answers ChainView: everything that hangs together with a schedule."""

    schedule: Id


class ListChains(BaseRequest, tag="chain.list", frozen=True):
    """Answers ChainPage: the chains of a guild."""

    guild_id: Id | None = None
    any_guild: bool = False
    limit: int = 50
    cursor: Word | None = None


class CheckChains(BaseRequest, tag="chain.check", frozen=True):
    """Answers ChainReport: cycles, links to what is gone or belongs to others, and schedules that nothing starts."""

    guild_id: Id | None = None
    any_guild: bool = False

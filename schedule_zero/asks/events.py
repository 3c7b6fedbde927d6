"""Requests about events."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Word


class ListEvents(BaseRequest, tag="event.list", frozen=True):
    """Answers EventPage: the journal after ``after`` (a seq, or ``epoch-seq``)."""

    after: Word | None = None
    kinds: Annotated[tuple[Word, ...], msgspec.Meta(max_length=50, description="a list of at most 50 kinds")] = ()
    guild_id: Id | None = None
    limit: int = 100

"""Requests about the core itself: how it is doing, how late it is, and what waits."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest


class GetStatus(BaseRequest, tag="status", frozen=True):
    """Answers Status: whether the core accepts and fires, and how it is doing."""


class GetLag(BaseRequest, tag="lag", frozen=True):
    """Answers LagView: how late runs are made and given out."""


class GetQueue(BaseRequest, tag="queue", frozen=True):
    """Answers QueueView: what waits, for whom, and why. ``guilds`` is how many of the heaviest are named."""

    guilds: int = 10

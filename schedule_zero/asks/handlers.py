"""Requests about handlers."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Line


class ListHandlers(BaseRequest, tag="handler.list", frozen=True):
    """Answers HandlerPage: every handler the actor may use, in one page. ``history``: with how the last day went."""

    history: bool = False


class GetHandler(BaseRequest, tag="handler.get", frozen=True):
    """Answers HandlerView, with how the last day went."""

    name: Id


class DrainHandler(BaseRequest, tag="handler.drain", frozen=True):
    """Answers HandlerView. All its processes, or one ``instance``, get nothing new; those outside the core leave when they
    have finished what they hold."""

    name: Id
    instance: Line | None = None


class ResumeHandler(BaseRequest, tag="handler.resume", frozen=True):
    """Answers HandlerView. A handler inside the core that was drained gets work again."""

    name: Id

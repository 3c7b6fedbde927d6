"""Requests about the audit."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Line, Word


class ListAudit(BaseRequest, tag="audit.list", frozen=True):
    """Answers AuditPage, newest first. ``actor``: ``kind:id``, or the Discord id of a person; ``target``: the id or name of
    what was changed; ``since`` (included) and ``until`` (not) are instants."""

    guild_id: Id | None = None
    any_guild: bool = False
    actor: Line | None = None
    action: Word | None = None
    target: Line | None = None
    since: Word | None = None
    until: Word | None = None
    limit: int = 50
    cursor: Word | None = None


class GetAudit(BaseRequest, tag="audit.get", frozen=True):
    """Answers AuditLine."""

    id: Id


class RevertAudit(BaseRequest, tag="audit.revert", frozen=True):
    """Answers AuditRevert: what a line says was changed, a schedule or a guild's settings, is as before again, if the
    change still stands. That is a change of its own, judged like any other."""

    id: Id

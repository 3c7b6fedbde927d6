"""In which window a kill struck, from three witnesses: the log, the disk, and Discord's own records. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from tests.discord_server.records import RequestEntry
from tests.process.remains import Remains


class Window(StrEnum):
    """Between two steps of a firing."""

    TICK_TO_COMMIT = "tick → commit"
    COMMIT_TO_SEND = "commit → send"
    SENT_TO_ANSWER = "POST sent → answer"
    ANSWER_TO_OUTCOME = "answer → outcome"
    OUTCOME_TO_ACKNOWLEDGED = "outcome → acknowledged"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The reminder whose firing is to be interrupted. Nothing else posts in its channel at that time."""

    schedule_id: str
    due: int
    text: str
    channel_id: int


def window_of(target: Target, log: Sequence[str], remains: Remains, requests: Sequence[RequestEntry]) -> Window | None:
    """The window the target's firing was in; None when the witnesses do not prove any.

    Args:
        log: of the life that was killed, from when everything before the target was done.
        requests: the posts that reached Discord since then, after everything was over.
    """
    run = remains.run_of(target.schedule_id)
    posts = [entry for entry in requests if target.text in text_of(entry)]
    posting = _said(log, f"posting to channel {target.channel_id}")
    posted = _said(log, f"posted to channel {target.channel_id}")
    if run is None:
        still_due = remains.due.get(target.schedule_id) == target.due
        committing = _last(log, '"tick commits"') > _last(log, '"tick committed"')
        return Window.TICK_TO_COMMIT if still_due and committing and not posts else None
    if run.ended:
        unheard = run.told is not None and run.told > remains.acknowledged
        return Window.OUTCOME_TO_ACKNOWLEDGED if unheard and _said(log, '"outcomes committed"') else None
    if not posts and not posting:
        return Window.COMMIT_TO_SEND if _said(log, '"tick committed"') else None
    if posts and posts[-1].outcome == "gone" and posting and not posted:
        return Window.SENT_TO_ANSWER
    if posts and posts[-1].outcome == "answered" and posted:
        return Window.ANSWER_TO_OUTCOME
    return None


def text_of(entry: RequestEntry) -> str:
    """The text a request wanted to post."""
    return str(entry.body.get("content", "")) if isinstance(entry.body, dict) else ""


def _said(log: Sequence[str], *words: str) -> bool:
    return any(all(word in line for word in words) for line in log)


def _last(log: Sequence[str], words: str) -> int:
    return max((number for number, line in enumerate(log) if words in line), default=-1)

"""Suspension: what a guild that an operator suspended may still do. It may look, calm, tidy up and set things; nothing acts.

Who runs the service may make schedules for it all the same: they wait like what was there."""

from __future__ import annotations

from typing import Final

from core.governor.measures import Mark
from schedule_zero import requests as ask
from schedule_zero.errors import QuotaExceeded
from schedule_zero.run import Why

ACTING: Final[frozenset[type]] = frozenset(
    {
        ask.CreateSchedule, ask.CreateSchedules, ask.PatchSchedule, ask.ResumeSchedule, ask.RunSchedule, ask.RetryRun,
        ask.ReplayDead, ask.Undo, ask.RevertAudit, ask.AddLink, ask.MoveOccurrence,
    }
)  # fmt: skip
"""What makes a schedule, or makes one act."""
SUSPENDED: Final = "suspended"


def refusal(guild_id: str, mark: Mark) -> QuotaExceeded:
    """Why nothing is made or started."""
    return QuotaExceeded(
        f"This server is suspended{said(mark)}; nothing new is made or started here until an operator resumes it.",
        scope=f"guild:{guild_id}", limit=SUSPENDED, used=0, allowed=0,
    )  # fmt: skip


def why_held(guild_id: str, mark: Mark) -> Why:
    """Why nothing of it starts."""
    words = f"This server is suspended{said(mark)}; it goes on when an operator resumes it."
    return Why(scope=f"guild:{guild_id}", limit=SUSPENDED, used=0, allowed=0, words=words)


def said(mark: Mark) -> str:
    """The reason, where one was given, to stand behind a word."""
    return f" ({mark.why})" if mark.why else ""

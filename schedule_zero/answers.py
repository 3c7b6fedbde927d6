"""Which view answers which request, and which requests must not be carried out twice."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.routes import ROUTES

ANSWERS: Final[dict[type[msgspec.Struct], Any]] = {route.request: route.answer for route in ROUTES} | {
    ask.GetStatus: views.Status
}

NOT_TWICE: Final = (
    ask.CreateSchedule, ask.CreateSchedules, ask.PatchSchedule, ask.DeleteSchedule, ask.PauseSchedule,
    ask.ResumeSchedule, ask.RunSchedule, ask.Undo, ask.CancelRun, ask.RetryRun, ask.ReplayDead, ask.DropDead,
    ask.SkipOccurrence, ask.MoveOccurrence, ask.DeleteCalendar, ask.DeleteHours, ask.AddBlackout, ask.RemoveBlackout,
    ask.AddLink, ask.RemoveLink, ask.NewKey, ask.RevokeKey, ask.RotateKey, ask.DrainHandler, ask.ResumeHandler,
    ask.PatchGuildQuota, ask.NewVerification, ask.VerifyGuild, ask.SuspendGuild, ask.ResumeGuild,
    ask.RevertAudit, ask.NewSignIn, ask.PutGuildSettings, ask.UndoGuildSettings,
    ask.DrainCore, ask.ResumeCore, ask.BanUser, ask.UnbanUser, ask.NewCalendarLink,
)  # fmt: skip
"""What changes something else, or is refused, when it is carried out again. Under an idempotency key it may be asked
again; what is not named here reads, or sets what is set already."""

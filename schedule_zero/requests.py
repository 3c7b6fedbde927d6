"""Requests: everything a client may ask of the core, one record each, carried alike by HTTP, wire and local client.

The tag is ``noun.verb``. Each record's docstring names the View that answers it.
"""

from __future__ import annotations

from schedule_zero.asks.audit import GetAudit, ListAudit, RevertAudit
from schedule_zero.asks.bans import BanUser, ListBans, UnbanUser
from schedule_zero.asks.calendar_links import EndCalendarLink, GetCalendarLink, NewCalendarLink
from schedule_zero.asks.chains import AddLink, CheckChains, GetChain, ListChains, RemoveLink
from schedule_zero.asks.closings import (
    AddBlackout,
    DeleteCalendar,
    DeleteHours,
    GetCalendar,
    GetHours,
    ListBlackouts,
    ListCalendars,
    ListHours,
    PutCalendar,
    PutHours,
    RemoveBlackout,
    SuggestClosings,
)
from schedule_zero.asks.dead import DropDead, ListDead, ReplayDead
from schedule_zero.asks.events import ListEvents
from schedule_zero.asks.export import Export
from schedule_zero.asks.guilds import (
    EraseGuild,
    EraseUser,
    GetGuildSettings,
    GetUserTimezone,
    ListPresentGuilds,
    NoteGuild,
    PutGuildSettings,
    PutUserTimezone,
    UndoGuildSettings,
)
from schedule_zero.asks.handlers import DrainHandler, GetHandler, ListHandlers, ResumeHandler
from schedule_zero.asks.keys import ListKeys, NewKey, RevokeKey, RotateKey
from schedule_zero.asks.quota import (
    GetGuild,
    GetGuildQuota,
    GetRefusal,
    ListGuilds,
    NewVerification,
    PatchGuildQuota,
    PutGuildQuota,
    ResumeGuild,
    SuspendGuild,
    VerifyGuild,
)
from schedule_zero.asks.runs import CancelRun, GetRun, GetRunLog, ListRuns, RetryRun
from schedule_zero.asks.schedules import (
    CheckRun,
    CreateSchedule,
    CreateSchedules,
    DeleteSchedule,
    GetSchedule,
    ListSchedules,
    MoveOccurrence,
    PatchSchedule,
    PauseSchedule,
    PreviewSchedule,
    ResumeSchedule,
    RunSchedule,
    SkipOccurrence,
    SuggestSchedules,
    Undo,
)
from schedule_zero.asks.sign_ins import NewSignIn
from schedule_zero.asks.status import GetLag, GetQueue, GetStatus
from schedule_zero.asks.times import PreviewTrigger, ReadTime, SuggestCountries, SuggestTimes, SuggestZones
from schedule_zero.asks.upkeep import DrainCore, GetUpkeep, ResumeCore, SetMaintenance

__all__ = [
    "AddBlackout",
    "AddLink",
    "BanUser",
    "CancelRun",
    "CheckChains",
    "CheckRun",
    "CreateSchedule",
    "CreateSchedules",
    "DeleteCalendar",
    "DeleteHours",
    "DeleteSchedule",
    "DrainCore",
    "DrainHandler",
    "DropDead",
    "EndCalendarLink",
    "EraseGuild",
    "EraseUser",
    "Export",
    "GetAudit",
    "GetCalendar",
    "GetCalendarLink",
    "GetChain",
    "GetGuild",
    "GetGuildQuota",
    "GetGuildSettings",
    "GetHandler",
    "GetHours",
    "GetLag",
    "GetQueue",
    "GetRefusal",
    "GetRun",
    "GetRunLog",
    "GetSchedule",
    "GetStatus",
    "GetUpkeep",
    "GetUserTimezone",
    "ListAudit",
    "ListBans",
    "ListBlackouts",
    "ListCalendars",
    "ListChains",
    "ListDead",
    "ListEvents",
    "ListGuilds",
    "ListHandlers",
    "ListHours",
    "ListKeys",
    "ListPresentGuilds",
    "ListRuns",
    "ListSchedules",
    "MoveOccurrence",
    "NewCalendarLink",
    "NewKey",
    "NewSignIn",
    "NewVerification",
    "NoteGuild",
    "PatchGuildQuota",
    "PatchSchedule",
    "PauseSchedule",
    "PreviewSchedule",
    "PreviewTrigger",
    "PutCalendar",
    "PutGuildQuota",
    "PutGuildSettings",
    "PutHours",
    "PutUserTimezone",
    "ReadTime",
    "RemoveBlackout",
    "RemoveLink",
    "ReplayDead",
    "Request",
    "ResumeCore",
    "ResumeGuild",
    "ResumeHandler",
    "ResumeSchedule",
    "RetryRun",
    "RevertAudit",
    "RevokeKey",
    "RotateKey",
    "RunSchedule",
    "SetMaintenance",
    "SkipOccurrence",
    "SuggestClosings",
    "SuggestCountries",
    "SuggestSchedules",
    "SuggestTimes",
    "SuggestZones",
    "SuspendGuild",
    "UnbanUser",
    "Undo",
    "UndoGuildSettings",
    "VerifyGuild",
]

Request = (
    CreateSchedule
    | CreateSchedules
    | GetSchedule
    | ListSchedules
    | PatchSchedule
    | DeleteSchedule
    | PauseSchedule
    | ResumeSchedule
    | RunSchedule
    | CheckRun
    | SkipOccurrence
    | MoveOccurrence
    | PreviewSchedule
    | PreviewTrigger
    | ReadTime
    | SuggestTimes
    | SuggestZones
    | SuggestCountries
    | SuggestSchedules
    | Undo
    | ListRuns
    | GetRun
    | GetRunLog
    | CancelRun
    | RetryRun
    | ListDead
    | ReplayDead
    | DropDead
    | ListEvents
    | ListAudit
    | GetAudit
    | RevertAudit
    | GetGuildSettings
    | PutGuildSettings
    | UndoGuildSettings
    | ListCalendars
    | GetCalendar
    | PutCalendar
    | DeleteCalendar
    | ListHours
    | GetHours
    | PutHours
    | DeleteHours
    | ListBlackouts
    | AddBlackout
    | RemoveBlackout
    | SuggestClosings
    | AddLink
    | RemoveLink
    | GetChain
    | ListChains
    | CheckChains
    | NoteGuild
    | ListGuilds
    | GetGuild
    | GetGuildQuota
    | PutGuildQuota
    | PatchGuildQuota
    | NewVerification
    | VerifyGuild
    | SuspendGuild
    | ResumeGuild
    | GetRefusal
    | ListPresentGuilds
    | EraseGuild
    | EraseUser
    | Export
    | NewCalendarLink
    | GetCalendarLink
    | EndCalendarLink
    | GetUserTimezone
    | PutUserTimezone
    | NewKey
    | ListKeys
    | RevokeKey
    | RotateKey
    | NewSignIn
    | ListHandlers
    | GetHandler
    | DrainHandler
    | ResumeHandler
    | GetStatus
    | BanUser
    | UnbanUser
    | ListBans
    | GetUpkeep
    | DrainCore
    | ResumeCore
    | SetMaintenance
    | GetLag
    | GetQueue
)

"""Views: every answer of the core, one record each. ``Schedule``, ``Run`` and ``Event`` are views as they are."""

from __future__ import annotations

from schedule_zero.chain import ChainPage, ChainReport, ChainView
from schedule_zero.closings import BlackoutPage, BlackoutView, CalendarPage, CalendarView, HoursPage, HoursView
from schedule_zero.key import Key, KeyPage
from schedule_zero.run import Run, RunCheck
from schedule_zero.schedule import Schedule
from schedule_zero.shown.audit import AuditLine, AuditPage, AuditRevert
from schedule_zero.shown.bans import BanPage, BanView
from schedule_zero.shown.calendar_links import CalendarLink
from schedule_zero.shown.dead import DeadChange, DeadFate, DeadLetter, DeadPage
from schedule_zero.shown.events import EventPage
from schedule_zero.shown.export import ExportPart
from schedule_zero.shown.guilds import (
    Done,
    Erasure,
    GuildChannels,
    GuildMentions,
    GuildPolicy,
    GuildRetention,
    GuildRoles,
    GuildSettings,
    PresentGuilds,
    UserTimezone,
)
from schedule_zero.shown.handlers import (
    AdaptiveView,
    BreakerView,
    Counts,
    HandlerPage,
    HandlerView,
    HistoryBucket,
    InstanceView,
    MethodView,
    RecordView,
)
from schedule_zero.shown.problem import Problem, error_of, problem_details
from schedule_zero.shown.quota import (
    Gauge,
    GuildPage,
    GuildSummary,
    GuildView,
    Heavy,
    MarkView,
    QuotaView,
    RefusalView,
    TemporaryQuota,
    VerificationView,
)
from schedule_zero.shown.runs import RunLog, RunPage
from schedule_zero.shown.schedules import BatchItem, BatchView, SchedulePage
from schedule_zero.shown.sign_ins import SignInLink
from schedule_zero.shown.status import LagView, Part, QueueGuild, QueueScope, QueueView, Status
from schedule_zero.shown.suggestions import Suggestion, Suggestions
from schedule_zero.shown.times import Fire, PreviewView, ReadingView
from schedule_zero.shown.upkeep import MaintenanceView, Upkeep

__all__ = [
    "AdaptiveView",
    "AuditLine",
    "AuditPage",
    "AuditRevert",
    "BanPage",
    "BanView",
    "BatchItem",
    "BatchView",
    "BreakerView",
    "CalendarLink",
    "Counts",
    "DeadChange",
    "DeadFate",
    "DeadLetter",
    "DeadPage",
    "Done",
    "Erasure",
    "EventPage",
    "ExportPart",
    "Fire",
    "Gauge",
    "GuildChannels",
    "GuildMentions",
    "GuildPage",
    "GuildPolicy",
    "GuildRetention",
    "GuildRoles",
    "GuildSettings",
    "GuildSummary",
    "GuildView",
    "HandlerPage",
    "HandlerView",
    "Heavy",
    "HistoryBucket",
    "InstanceView",
    "LagView",
    "MaintenanceView",
    "MarkView",
    "MethodView",
    "Part",
    "PresentGuilds",
    "PreviewView",
    "Problem",
    "QueueGuild",
    "QueueScope",
    "QueueView",
    "QuotaView",
    "ReadingView",
    "RecordView",
    "RefusalView",
    "RunLog",
    "RunPage",
    "SchedulePage",
    "SignInLink",
    "Status",
    "Suggestion",
    "Suggestions",
    "TemporaryQuota",
    "Upkeep",
    "UserTimezone",
    "VerificationView",
    "View",
    "error_of",
    "problem_details",
]

View = (
    Schedule
    | Run
    | BatchView
    | SchedulePage
    | RunPage
    | DeadPage
    | DeadChange
    | RunLog
    | RunCheck
    | EventPage
    | AuditPage
    | AuditLine
    | AuditRevert
    | PreviewView
    | ReadingView
    | Suggestions
    | GuildSettings
    | UserTimezone
    | PresentGuilds
    | Erasure
    | ExportPart
    | CalendarPage
    | CalendarView
    | HoursPage
    | HoursView
    | BlackoutPage
    | BlackoutView
    | ChainView
    | ChainPage
    | ChainReport
    | Key
    | KeyPage
    | SignInLink
    | CalendarLink
    | HandlerPage
    | HandlerView
    | Status
    | Upkeep
    | BanPage
    | BanView
    | LagView
    | QueueView
    | GuildPage
    | GuildView
    | QuotaView
    | VerificationView
    | RefusalView
    | Done
)

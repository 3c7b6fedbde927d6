"""How each request travels over HTTP: one table for the server, the client and the API's description.

A field of a request is carried by the path if the path names it, by ``If-Match`` (``revision``), by
``Idempotency-Key``, else by the query string where there is no body, else by the body.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schedule_zero import chain, closings, views
from schedule_zero import requests as ask
from schedule_zero.key import Key, KeyPage
from schedule_zero.run import Run, RunCheck
from schedule_zero.schedule import Schedule

PREFIX: Final = "/api/v1"
NO_GUILD: Final = "null"  # guild_id=null asks for the operator's own; without guild_id a listing spans all guilds

COMMAND_LINE: Final = "schedule-zero-command-line"
"""The User-Agent by which the audit knows the command line from other programs. It gives no rights."""

_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
_HEADER_FIELDS: Final = frozenset({"idempotency_key", "revision", "any_guild"})


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One request's way.

    Attributes:
        request: the record it becomes.
        method: the HTTP method.
        path: below ``/api/v1``, with ``{field}`` for fields of the request.
        answer: the view that comes back.
        summary: one line for the API's description.
        status: the status of success.
        whole: the field that is the whole body, where the body is not a mapping of fields.
    """

    request: type[msgspec.Struct]
    method: str
    path: str
    answer: type[msgspec.Struct]
    summary: str
    status: int = 200
    whole: str | None = None

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The fields the path carries."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def has_body(self) -> bool:
        """Whether the request has a body."""
        return self.method in _BODY_METHODS

    @property
    def fields(self) -> tuple[msgspec.structs.FieldInfo, ...]:
        """The fields the query string or the body carries."""
        elsewhere = _HEADER_FIELDS | set(self.path_fields)
        return tuple(field for field in msgspec.structs.fields(self.request) if field.name not in elsewhere)

    @property
    def spans_guilds(self) -> bool:
        """Whether leaving ``guild_id`` out means every guild."""
        return self.takes("any_guild")

    def takes(self, name: str) -> bool:
        """Whether the request has a field of that name."""
        return name in self.request.__struct_fields__


def _route(request: Any, way: str, answer: Any, summary: str, **more: Any) -> Route:
    method, path = way.split(" ")
    return Route(request=request, method=method, path=path, answer=answer, summary=summary, **more)


ROUTES: Final = (
    _route(ask.CreateSchedule, "POST /schedules", Schedule, "Create a schedule", status=201, whole="spec"),
    _route(ask.CreateSchedules, "POST /schedules/batch", views.BatchView, "Create up to 1,000 schedules"),
    _route(ask.ListSchedules, "GET /schedules", views.SchedulePage, "List schedules"),
    _route(ask.SuggestSchedules, "GET /schedules/suggest", views.Suggestions, "Complete a half-typed schedule"),
    _route(ask.GetSchedule, "GET /schedules/{id}", Schedule, "Show a schedule"),
    _route(ask.PatchSchedule, "PATCH /schedules/{id}", Schedule, "Change fields of a schedule", whole="changes"),
    _route(ask.DeleteSchedule, "DELETE /schedules/{id}", Schedule, "Delete a schedule"),
    _route(ask.PauseSchedule, "POST /schedules/{id}/pause", Schedule, "Pause a schedule"),
    _route(ask.ResumeSchedule, "POST /schedules/{id}/resume", Schedule, "Resume a paused or blocked schedule"),
    _route(ask.RunSchedule, "POST /schedules/{id}/run", Run, "Run a schedule now", status=202),
    _route(ask.CheckRun, "POST /schedules/{id}/check", RunCheck, "What would become of running a schedule now"),
    _route(ask.SkipOccurrence, "POST /schedules/{id}/skip", Schedule, "Leave one due time out"),
    _route(ask.MoveOccurrence, "POST /schedules/{id}/move", Schedule, "Move one due time"),
    _route(ask.PreviewSchedule, "GET /schedules/{id}/preview", views.PreviewView, "Due times of a schedule to come"),
    _route(ask.ListRuns, "GET /schedules/{schedule_id}/runs", views.RunPage, "List the runs of a schedule"),
    _route(ask.PreviewTrigger, "POST /preview", views.PreviewView, "Due times of a trigger that is not saved"),
    _route(ask.Undo, "POST /undo", Schedule, "Take a change back"),
    _route(ask.ListRuns, "GET /runs", views.RunPage, "List runs, newest first"),
    _route(ask.GetRun, "GET /runs/{id}", Run, "Show a run with its attempts"),
    _route(ask.GetRunLog, "GET /runs/{id}/log", views.RunLog, "The log of a run"),
    _route(ask.CancelRun, "POST /runs/{id}/cancel", Run, "Cancel a run"),
    _route(ask.RetryRun, "POST /runs/{id}/retry", Run, "Run again what ended, as a new run"),
    _route(ask.ListDead, "GET /dead", views.DeadPage, "List dead letters: what failed for good"),
    _route(ask.ReplayDead, "POST /dead/replay", views.DeadChange, "Run dead letters again"),
    _route(ask.DropDead, "POST /dead/drop", views.DeadChange, "Forget dead letters"),
    _route(ask.ListEvents, "GET /events", views.EventPage, "A page of the journal, or a stream of it"),
    _route(ask.ListAudit, "GET /audit", views.AuditPage, "Who changed what, newest first"),
    _route(ask.GetAudit, "GET /audit/{id}", views.AuditLine, "Show a change with what it made different"),
    _route(ask.RevertAudit, "POST /audit/{id}/revert", views.AuditRevert, "Take a change back"),
    _route(ask.ListHandlers, "GET /handlers", views.HandlerPage, "List handlers"),
    _route(ask.GetHandler, "GET /handlers/{name}", views.HandlerView, "Show a handler with its methods"),
    _route(ask.DrainHandler, "POST /handlers/{name}/drain", views.HandlerView, "Give a handler nothing new"),
    _route(ask.ResumeHandler, "POST /handlers/{name}/resume", views.HandlerView, "Give a drained handler work again"),
    _route(ask.GetLag, "GET /lag", views.LagView, "How late the core is"),
    _route(ask.GetQueue, "GET /queue", views.QueueView, "What waits, and why"),
    _route(ask.ListBans, "GET /bans", views.BanPage, "Who may not use the service"),
    _route(ask.BanUser, "PUT /bans/{user_id}", views.BanView, "Let a person use the service no more"),
    _route(ask.UnbanUser, "DELETE /bans/{user_id}", views.BanView, "Let them in again"),
    _route(ask.GetUpkeep, "GET /upkeep", views.Upkeep, "Whether the core is drained, and what everybody is told"),
    _route(ask.DrainCore, "POST /upkeep/drain", views.Upkeep, "Give out nothing new"),
    _route(ask.ResumeCore, "POST /upkeep/resume", views.Upkeep, "Give out again"),
    _route(ask.SetMaintenance, "PUT /upkeep/maintenance", views.Upkeep, "Tell everybody something, or nothing any more"),
    _route(ask.GetGuildSettings, "GET /guilds/{guild_id}/settings", views.GuildSettings, "Show a guild's settings"),
    _route(
        ask.PutGuildSettings, "PUT /guilds/{guild_id}/settings", views.GuildSettings, "Change a guild's settings",
        whole="changes",
    ),
    _route(
        ask.UndoGuildSettings, "POST /guilds/{guild_id}/settings/undo", views.GuildSettings,
        "Take a change of a guild's settings back",
    ),
    _route(ask.ListCalendars, "GET /guilds/{guild_id}/calendars", closings.CalendarPage, "List a guild's calendars"),
    _route(ask.GetCalendar, "GET /guilds/{guild_id}/calendars/{name}", closings.CalendarView, "Show a calendar"),
    _route(
        ask.PutCalendar, "PUT /guilds/{guild_id}/calendars/{name}", closings.CalendarView, "Set a calendar's days",
        whole="calendar",
    ),
    _route(ask.DeleteCalendar, "DELETE /guilds/{guild_id}/calendars/{name}", closings.CalendarView, "Delete a calendar"),
    _route(ask.ListHours, "GET /guilds/{guild_id}/hours", closings.HoursPage, "List a guild's active hours"),
    _route(ask.GetHours, "GET /guilds/{guild_id}/hours/{name}", closings.HoursView, "Show active hours"),
    _route(
        ask.PutHours, "PUT /guilds/{guild_id}/hours/{name}", closings.HoursView, "Set active hours", whole="hours"
    ),
    _route(ask.DeleteHours, "DELETE /guilds/{guild_id}/hours/{name}", closings.HoursView, "Delete active hours"),
    _route(ask.ListBlackouts, "GET /guilds/{guild_id}/blackouts", closings.BlackoutPage, "List a guild's blackouts"),
    _route(
        ask.AddBlackout, "POST /guilds/{guild_id}/blackouts", closings.BlackoutView, "Add a blackout", status=201,
        whole="blackout",
    ),
    _route(
        ask.RemoveBlackout, "DELETE /guilds/{guild_id}/blackouts/{id}", closings.BlackoutView, "Remove a blackout"
    ),
    _route(
        ask.SuggestClosings, "GET /guilds/{guild_id}/closings", views.Suggestions,
        "Complete a half-typed name of a calendar or of hours",
    ),
    _route(ask.ListChains, "GET /chains", chain.ChainPage, "List chains"),
    _route(ask.CheckChains, "GET /chains/check", chain.ChainReport, "What is wrong with chains"),
    _route(ask.GetChain, "GET /chains/{schedule}", chain.ChainView, "Show the chain that a schedule belongs to"),
    _route(ask.AddLink, "POST /chains", Schedule, "Let a schedule run after another"),
    _route(ask.RemoveLink, "DELETE /chains/{item}/{after}", Schedule, "Let it not run after that one any more"),
    _route(ask.NoteGuild, "PUT /guilds/{guild_id}/presence", views.Done, "Say that the bot is in a guild, or left it"),
    _route(ask.ListGuilds, "GET /guilds", views.GuildPage, "List guilds"),
    _route(ask.GetGuild, "GET /guilds/{guild_id}", views.GuildView, "Show a guild and what it uses of each limit"),
    _route(ask.GetGuildQuota, "GET /guilds/{guild_id}/quota", views.QuotaView, "Show what a guild may use"),
    _route(
        ask.PutGuildQuota, "PUT /guilds/{guild_id}/quota", views.QuotaView, "Set all that differs for a guild",
        whole="document",
    ),
    _route(ask.PatchGuildQuota, "PATCH /guilds/{guild_id}/quota", views.QuotaView, "Change some of a guild's limits"),
    _route(
        ask.NewVerification, "POST /guilds/{guild_id}/verification", views.VerificationView,
        "Make a code to verify a guild with",
    ),
    _route(ask.VerifyGuild, "POST /guilds/{guild_id}/verify", views.GuildView, "Verify a guild"),
    _route(ask.SuspendGuild, "POST /guilds/{guild_id}/suspend", views.GuildView, "Let a guild start nothing"),
    _route(ask.ResumeGuild, "POST /guilds/{guild_id}/resume", views.GuildView, "Let a guild start again"),
    _route(
        ask.GetRefusal, "GET /guilds/{guild_id}/refusal", views.RefusalView, "The limit that who asks met last there"
    ),
    _route(ask.ListPresentGuilds, "GET /presence", views.PresentGuilds, "List the guilds that the bot is in"),
    _route(ask.EraseGuild, "DELETE /guilds/{guild_id}", views.Erasure, "Erase everything of a guild"),
    _route(ask.EraseUser, "DELETE /users/{user_id}", views.Erasure, "Erase everything of a person"),
    _route(ask.Export, "GET /export", views.ExportPart, "Export a guild, a person, or everything, as a file"),
    _route(ask.NewCalendarLink, "POST /calendar-link", views.CalendarLink, "Make the link of a calendar", status=201),
    _route(ask.GetCalendarLink, "GET /calendar-link", views.CalendarLink, "Whether there is a link of a calendar"),
    _route(ask.EndCalendarLink, "DELETE /calendar-link", views.CalendarLink, "End the link of a calendar"),
    _route(ask.GetUserTimezone, "GET /users/{user_id}/timezone", views.UserTimezone, "Show a person's time zone"),
    _route(ask.PutUserTimezone, "PUT /users/{user_id}/timezone", views.UserTimezone, "Set a person's time zone"),
    _route(ask.NewKey, "POST /keys", Key, "Make a key or a registration", status=201),
    _route(ask.ListKeys, "GET /keys", KeyPage, "List keys"),
    _route(ask.RevokeKey, "DELETE /keys/{id}", Key, "Revoke a key"),
    _route(ask.RotateKey, "POST /keys/{id}/rotate", Key, "Make another key for the same holder", status=201),
    _route(ask.NewSignIn, "POST /sign-ins", views.SignInLink, "Make a link that signs in to the pages, once", status=201),
    _route(ask.ReadTime, "POST /times/read", views.ReadingView, "What words about time mean"),
    _route(ask.SuggestTimes, "GET /times/suggest", views.Suggestions, "Complete a half-typed time"),
    _route(ask.SuggestZones, "GET /times/zones", views.Suggestions, "Complete a half-typed time zone"),
    _route(ask.SuggestCountries, "GET /times/countries", views.Suggestions, "Complete a half-typed country"),
)  # fmt: skip

# Probes and scrapers look at the root; the API has the same under its prefix.
HEALTH_PATHS: Final = (f"{PREFIX}/health", "/health")
READY_PATHS: Final = (f"{PREFIX}/ready", "/ready")
METRICS_PATHS: Final = (f"{PREFIX}/metrics", "/metrics")
EVENTS_PATH: Final = f"{PREFIX}/events"
LOG_PATH: Final = f"{PREFIX}/runs/{{id}}/log"
OPENAPI_PATH: Final = "/api/openapi.json"


def route_of(request: msgspec.Struct) -> Route | None:
    """The way of a request: the longest path whose fields the request has set (a schedule's runs before all runs)."""
    ways = [route for route in ROUTES if type(request) is route.request]
    fitting = [way for way in ways if all(getattr(request, name) is not None for name in way.path_fields)]
    return max(fitting, key=lambda way: len(way.path_fields), default=None)

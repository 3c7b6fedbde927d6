"""Requests: everything a client may ask of the core, one record each, carried alike by HTTP, wire and local client.

The tag is ``noun.verb``. Each record's docstring names the View that answers it.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from schedule_zero import chain_requests as chains
from schedule_zero import key_requests as keys
from schedule_zero.base_request import BaseRequest as _Request
from schedule_zero.bounds import Id, Line, Text, TimeField, Word
from schedule_zero.closings import CalendarDays, HoursWindows, Named, NewBlackout
from schedule_zero.dead_letters import DropDead as DropDead  # noqa: PLC0414 - one of them all, for whoever asks
from schedule_zero.dead_letters import ListDead as ListDead  # noqa: PLC0414 - one of them all, for whoever asks
from schedule_zero.dead_letters import ReplayDead as ReplayDead  # noqa: PLC0414 - one of them all, for whoever asks
from schedule_zero.run import RunState
from schedule_zero.schedule import ActiveHours, Calendar, ScheduleSpec, ScheduleState
from schedule_zero.trigger import Trigger


class CreateSchedule(_Request, tag="schedule.create", frozen=True):
    """Answers Schedule."""

    spec: ScheduleSpec


class CreateSchedules(_Request, tag="schedule.create_batch", frozen=True):
    """Answers BatchView. ``items`` are raw, so that one wrong item does not refuse the others."""

    items: tuple[Any, ...]


class GetSchedule(_Request, tag="schedule.get", frozen=True):
    """Answers Schedule; a deleted one too, while its undo token lives."""

    id: Id


class ListSchedules(_Request, tag="schedule.list", frozen=True):
    """Answers SchedulePage. ``q`` searches name, id and text arguments; ``owner_id`` keeps one person's."""

    guild_id: Id | None = None
    any_guild: bool = False
    state: ScheduleState | None = None
    handler: Word | None = None
    owner_id: Id | None = None
    q: Line | None = None
    metadata: dict[Word, Text] = msgspec.field(default_factory=dict)
    limit: int = 50
    cursor: Word | None = None


class PatchSchedule(_Request, tag="schedule.patch", frozen=True):
    """Answers Schedule. ``changes`` holds the fields of a spec that change; ``revision`` guards against lost edits."""

    id: Id
    changes: dict[str, Any]
    revision: int | None = None


class DeleteSchedule(_Request, tag="schedule.delete", frozen=True):
    """Answers Schedule (state ``deleted``)."""

    id: Id
    revision: int | None = None


class PauseSchedule(_Request, tag="schedule.pause", frozen=True):
    """Answers Schedule. ``until`` is an instant or text; at that time it resumes by itself."""

    id: Id
    until: Text | None = None
    note: Text | None = None


class ResumeSchedule(_Request, tag="schedule.resume", frozen=True):
    """Answers Schedule. Also resumes a blocked one; missed times are not made up for."""

    id: Id


class RunSchedule(_Request, tag="schedule.run", frozen=True):
    """Answers Run. ``args`` replace single arguments for this run only."""

    id: Id
    args: dict[str, Any] = msgspec.field(default_factory=dict)


class CheckRun(_Request, tag="schedule.check_run", frozen=True):
    """Answers RunCheck: what would become of RunSchedule, of which nothing is done."""

    id: Id
    args: dict[str, Any] = {}  # noqa: RUF012 - a struct, which copies it


class SkipOccurrence(_Request, tag="schedule.skip", frozen=True):
    """Answers Schedule. One due time is left out, the next one where none is named: ``occurrence`` as a run has it
    (``t:…``), or the instant alone."""

    id: Id
    occurrence: Word | None = None


class MoveOccurrence(_Request, tag="schedule.move", frozen=True):
    """Answers Schedule. One due time comes at another instant instead; ``to`` is an instant or text."""

    id: Id
    to: Text
    occurrence: Word | None = None


class PreviewSchedule(_Request, tag="schedule.preview", frozen=True):
    """Answers PreviewView of a saved schedule."""

    id: Id
    n: int = 10
    after: Word | None = None


class PreviewTrigger(_Request, tag="time.preview", frozen=True):
    """Answers PreviewView of a trigger that need not be saved."""

    trigger: Trigger
    timezone: Word = "UTC"
    n: int = 10
    after: Word | None = None
    policy: dict[str, Any] = msgspec.field(default_factory=dict)
    start: Word | None = None
    until: Word | None = None
    calendar: Word | Calendar | None = None
    active_hours: Word | ActiveHours | None = None
    guild_id: Id | None = None
    """Whose named calendars and hours are meant."""


class ReadTime(_Request, tag="time.read", frozen=True):
    """Answers ReadingView: what ``when`` (and ``repeat``) mean, in the zone that applies to guild and user. ``when`` is
    empty where ``repeat`` says it all. ``past``: it may be over, as far as it means the same whenever it is said;
    ``now`` is a moment, too."""

    when: Text
    repeat: Text | None = None
    timezone: Word | None = None
    guild_id: Id | None = None
    user_id: Id | None = None
    past: bool = False


class SuggestTimes(_Request, tag="time.suggest", frozen=True):
    """Answers Suggestions for a half-typed ``when`` or ``repeat`` (``field``), with readings."""

    field: TimeField
    text: Text
    timezone: Word | None = None
    guild_id: Id | None = None
    user_id: Id | None = None


class SuggestZones(_Request, tag="time.zones", frozen=True):
    """Answers Suggestions of time zones for half-typed text; popular ones for none."""

    text: Text


class SuggestCountries(_Request, tag="time.countries", frozen=True):
    """Answers Suggestions of countries whose holidays are known, by half-typed name or code; the values are codes."""

    text: Text


class SuggestSchedules(_Request, tag="schedule.suggest", frozen=True):
    """Answers Suggestions of schedules the actor may act on, for the option ``item``.

    ``reminders`` keeps to the actor's own reminders, wherever they were made; ``jobs`` to work for other programs."""

    text: Line
    guild_id: Id | None = None
    reminders: bool = False
    jobs: bool = False


class Undo(_Request, tag="undo", frozen=True):
    """Answers Schedule as it is after the change was taken back."""

    token: Id


class ListRuns(_Request, tag="run.list", frozen=True):
    """Answers RunPage, newest first."""

    guild_id: Id | None = None
    any_guild: bool = False
    schedule_id: Id | None = None
    handler: Word | None = None
    state: RunState | None = None
    since: Word | None = None
    limit: int = 50
    cursor: Word | None = None


class GetRun(_Request, tag="run.get", frozen=True):
    """Answers Run."""

    id: Id


class GetRunLog(_Request, tag="run.log", frozen=True):
    """Answers RunLog: the lines that were said after the ``after``-th."""

    id: Id
    after: Annotated[int, msgspec.Meta(ge=0, le=2**53, description="the number of a line, or 0")] = 0
    limit: int = 200


class CancelRun(_Request, tag="run.cancel", frozen=True):
    """Answers Run."""

    id: Id


class RetryRun(_Request, tag="run.retry", frozen=True):
    """Answers Run: a new one, with the schedule's arguments as they are now; one that was started with arguments of its own
    keeps those. A run is run again once; then its successor is."""

    id: Id


class ListEvents(_Request, tag="event.list", frozen=True):
    """Answers EventPage: the journal after ``after`` (a seq, or ``epoch-seq``)."""

    after: Word | None = None
    kinds: Annotated[tuple[Word, ...], msgspec.Meta(max_length=50, description="a list of at most 50 kinds")] = ()
    guild_id: Id | None = None
    limit: int = 100


class GetGuildSettings(_Request, tag="guild.settings.get", frozen=True):
    """Answers GuildSettings, defaults filled in."""

    guild_id: Id


class PutGuildSettings(_Request, tag="guild.settings.put", frozen=True):
    """Answers GuildSettings. ``changes`` may name a part of the fields."""

    guild_id: Id
    changes: dict[str, Any]


class ListCalendars(_Request, tag="calendar.list", frozen=True):
    """Answers CalendarPage."""

    guild_id: Id


class GetCalendar(_Request, tag="calendar.get", frozen=True):
    """Answers CalendarView."""

    guild_id: Id
    name: Word


class PutCalendar(_Request, tag="calendar.put", frozen=True):
    """Answers CalendarView. Whoever heeds it is due accordingly from now on. ``revision``: only if it is at that one; 0:
    only if there is none of that name."""

    guild_id: Id
    name: Word
    calendar: CalendarDays
    revision: int | None = None


class DeleteCalendar(_Request, tag="calendar.delete", frozen=True):
    """Answers CalendarView as it was. One that schedules heed stays."""

    guild_id: Id
    name: Word


class ListHours(_Request, tag="hours.list", frozen=True):
    """Answers HoursPage."""

    guild_id: Id


class GetHours(_Request, tag="hours.get", frozen=True):
    """Answers HoursView."""

    guild_id: Id
    name: Word


class PutHours(_Request, tag="hours.put", frozen=True):
    """Answers HoursView. Whoever heeds them is due accordingly from now on. ``revision`` as of a calendar."""

    guild_id: Id
    name: Word
    hours: HoursWindows
    revision: int | None = None


class DeleteHours(_Request, tag="hours.delete", frozen=True):
    """Answers HoursView as it was. Hours that schedules heed stay."""

    guild_id: Id
    name: Word


class ListBlackouts(_Request, tag="blackout.list", frozen=True):
    """Answers BlackoutPage."""

    guild_id: Id


class AddBlackout(_Request, tag="blackout.add", frozen=True):
    """Answers BlackoutView. No series of the guild is due in it; what is due but once is made up for when it ends."""

    guild_id: Id
    blackout: NewBlackout


class RemoveBlackout(_Request, tag="blackout.remove", frozen=True):
    """Answers BlackoutView as it was."""

    guild_id: Id
    id: Id


class SuggestClosings(_Request, tag="closing.suggest", frozen=True):
    """Answers Suggestions of a guild's calendars or hours, by half-typed name."""

    guild_id: Id
    kind: Named
    text: Text


AddLink = chains.AddLink
RemoveLink = chains.RemoveLink
GetChain = chains.GetChain
ListChains = chains.ListChains
CheckChains = chains.CheckChains


class NoteGuild(_Request, tag="guild.note", frozen=True):
    """Answers Done. The bot tells which guild it joined (or still is in), or left."""

    guild_id: Id
    name: Line
    present: bool = True


class GetUserTimezone(_Request, tag="user.timezone.get", frozen=True):
    """Answers UserTimezone."""

    user_id: Id


class PutUserTimezone(_Request, tag="user.timezone.put", frozen=True):
    """Answers UserTimezone; ``timezone`` None forgets it."""

    user_id: Id
    timezone: Word | None


NewKey = keys.NewKey
ListKeys = keys.ListKeys
RevokeKey = keys.RevokeKey
RotateKey = keys.RotateKey


class ListHandlers(_Request, tag="handler.list", frozen=True):
    """Answers HandlerPage: every handler the actor may use, in one page. ``history``: with how the last day went."""

    history: bool = False


class GetHandler(_Request, tag="handler.get", frozen=True):
    """Answers HandlerView, with how the last day went."""

    name: Id


class DrainHandler(_Request, tag="handler.drain", frozen=True):
    """Answers HandlerView. All its processes, or one ``instance``, get nothing new; those outside the core leave when they
    have finished what they hold."""

    name: Id
    instance: Line | None = None


class ResumeHandler(_Request, tag="handler.resume", frozen=True):
    """Answers HandlerView. A handler inside the core that was drained gets work again."""

    name: Id


class GetStatus(_Request, tag="status", frozen=True):
    """Answers Status: whether the core accepts and fires, and how it is doing."""


class GetLag(_Request, tag="lag", frozen=True):
    """Answers LagView: how late runs are made and given out."""


class GetQueue(_Request, tag="queue", frozen=True):
    """Answers QueueView: what waits, for whom, and why. ``guilds`` is how many of the heaviest are named."""

    guilds: int = 10


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
    | GetGuildSettings
    | PutGuildSettings
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
    | GetUserTimezone
    | PutUserTimezone
    | NewKey
    | ListKeys
    | RevokeKey
    | RotateKey
    | ListHandlers
    | GetHandler
    | DrainHandler
    | ResumeHandler
    | GetStatus
    | GetLag
    | GetQueue
)

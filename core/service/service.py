"""The service: every request of every door, judged and answered by its use case.

``handle`` is the one entrance: HTTP, the wire, the embedded mode and the cogs all come through here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

from core.engine.engine import Engine
from core.ledger.port import Transaction
from core.service.active_hours import NamedHours
from core.service.audit import Audits
from core.service.backlog import Backlog
from core.service.bans import Bans
from core.service.batch import Batches
from core.service.blackouts import Blackouts
from core.service.calendar_links import CalendarLinks
from core.service.calendars import Calendars
from core.service.chaining import Chaining
from core.service.chains import Chains
from core.service.closing_changes import ClosingChanges
from core.service.dead import DeadLetters
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.erasing import Erasing
from core.service.errands import Errands
from core.service.exporting.exports import Exports
from core.service.feeding import Feed, Feeding, Wish
from core.service.finding import Finding
from core.service.guilds import Guilds
from core.service.handlers import Handlers
from core.service.keyring import Keyring
from core.service.keys import Keys
from core.service.making import Making
from core.service.measures import GuildMeasures
from core.service.occurrences import Occurrences
from core.service.presence import Presence
from core.service.refusals import Refusals
from core.service.renewal import Renewal
from core.service.room import Room
from core.service.run_logs import RunLogs
from core.service.runs import Runs
from core.service.schedules import Schedules
from core.service.sessions import Sessions
from core.service.settings import Settings
from core.service.shape import bounded
from core.service.status import Statuses
from core.service.suspension import ACTING, refusal
from core.service.suspicion import Suspicions
from core.service.times import Times
from core.service.undo import Undoing
from core.service.upkeep import Keeping
from core.service.usage import Usage, mark_for
from core.service.watching import Watching
from schedule_zero import closings
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.errors import Malformed, QuotaExceeded
from schedule_zero.event import Event
from schedule_zero.key import Key
from schedule_zero.run import Run, RunCheck
from schedule_zero.schedule import Schedule
from schedule_zero.views import (
    AuditRevert,
    BanView,
    BatchView,
    CalendarLink,
    DeadChange,
    Done,
    GuildSettings,
    GuildView,
    HandlerView,
    Part,
    PreviewView,
    QuotaView,
    ReadingView,
    RunLog,
    SignInLink,
    Upkeep,
    UserTimezone,
    VerificationView,
    View,
)

UseCase = Callable[[Actor, Any], Awaitable[Any]]

# What changes something, and the view that answers it: these remember their answer under an idempotency key.
_CHANGES: Final[dict[type, type[Any]]] = {
    ask.CreateSchedule: Schedule,
    ask.CreateSchedules: BatchView,
    ask.PatchSchedule: Schedule,
    ask.DeleteSchedule: Schedule,
    ask.PauseSchedule: Schedule,
    ask.ResumeSchedule: Schedule,
    ask.Undo: Schedule,
    ask.AddLink: Schedule,
    ask.RemoveLink: Schedule,
    ask.RunSchedule: Run,
    ask.CancelRun: Run,
    ask.RetryRun: Run,
    ask.ReplayDead: DeadChange,
    ask.DropDead: DeadChange,
    ask.PutGuildSettings: GuildSettings,
    ask.UndoGuildSettings: GuildSettings,
    ask.PutUserTimezone: UserTimezone,
    ask.SkipOccurrence: Schedule,
    ask.MoveOccurrence: Schedule,
    ask.PutCalendar: closings.CalendarView,
    ask.DeleteCalendar: closings.CalendarView,
    ask.PutHours: closings.HoursView,
    ask.DeleteHours: closings.HoursView,
    ask.AddBlackout: closings.BlackoutView,
    ask.RemoveBlackout: closings.BlackoutView,
    ask.NoteGuild: Done,
    ask.PutGuildQuota: QuotaView,
    ask.PatchGuildQuota: QuotaView,
    ask.NewVerification: VerificationView,
    ask.VerifyGuild: GuildView,
    ask.SuspendGuild: GuildView,
    ask.ResumeGuild: GuildView,
    ask.BanUser: BanView,
    ask.UnbanUser: BanView,
    ask.DrainCore: Upkeep,
    ask.ResumeCore: Upkeep,
    ask.SetMaintenance: Upkeep,
    ask.DrainHandler: HandlerView,
    ask.ResumeHandler: HandlerView,
    ask.NewKey: Key,
    ask.RevokeKey: Key,
    ask.RotateKey: Key,
    ask.NewSignIn: SignInLink,
    ask.NewCalendarLink: CalendarLink,
    ask.EndCalendarLink: CalendarLink,
    ask.RevertAudit: AuditRevert,
}


# What changes nothing and is asked by POST all the same: its answer hangs on the time at which it is asked.
_QUESTIONS: Final[dict[type, type[Any]]] = {
    ask.PreviewTrigger: PreviewView,
    ask.ReadTime: ReadingView,
    ask.CheckRun: RunCheck,
}
_REMEMBERED: Final = _CHANGES | _QUESTIONS


class Service:
    """Use cases by noun, behind one method."""

    def __init__(
        self, engine: Engine, parts: Callable[[], dict[str, Part]], keyring: Keyring | None = None, *,
        operator_ids: Iterable[str] = (),
    ) -> None:  # fmt: skip
        """``parts``: how the parts outside the engine are doing, for status; ``keyring``: where the doors look keys up;
        ``operator_ids``: who at Discord operates the service."""
        desk = self._desk = Desk(engine, keyring or Keyring())
        self.keyring = desk.keyring
        self.guilds = Guilds(desk)
        self._usage = Usage(desk)
        self.measures = GuildMeasures(desk, self._usage)
        self.suspicions = Suspicions(engine.measures, desk.clock, self.measures)
        desk.when_saved(self.suspicions.saved)
        engine.consequences.when_settled(self.suspicions.ended)
        self._refusals = Refusals(desk, self._usage)
        self.errands = Errands(desk)
        self._presence = Presence(desk, self.errands)
        self.bans = Bans(desk)
        self.calendar_links = CalendarLinks(desk, self.bans)
        self._erasing = Erasing(desk, self.errands, self.bans)
        self.keys = Keys(desk)
        self.sessions = Sessions(desk, operator_ids)
        self.renewal = Renewal(desk)
        self._watching = Watching(desk)
        self._run_logs = RunLogs(desk)
        self._feeding = Feeding(desk, self.bans)
        self.upkeep = Keeping(desk)
        self._statuses = Statuses(desk, parts, self.upkeep)
        self._use_cases: dict[type, UseCase] = (
            _about_schedules(desk) | _about_closings(desk) | self._about_guilds() | self._about_the_service()
        )

    def _about_guilds(self) -> dict[type, UseCase]:
        settings = Settings(self._desk)
        return {
            ask.GetGuildSettings: settings.get,
            ask.PutGuildSettings: settings.put,
            ask.UndoGuildSettings: settings.undo,
            ask.ListGuilds: self._usage.page,
            ask.GetGuild: self._usage.get,
            ask.GetGuildQuota: self.measures.get,
            ask.PutGuildQuota: self.measures.put,
            ask.PatchGuildQuota: self.measures.patch,
            ask.NewVerification: self.measures.new_verification,
            ask.VerifyGuild: self.measures.verify,
            ask.SuspendGuild: self.measures.suspend,
            ask.ResumeGuild: self.measures.resume,
            ask.GetRefusal: self._refusals.get,
            ask.NoteGuild: self._presence.note,
            ask.ListPresentGuilds: self._presence.present,
            ask.EraseGuild: self._erasing.guild,
            ask.EraseUser: self._erasing.user,
            ask.Export: Exports(self._desk).part,
            ask.NewCalendarLink: self.calendar_links.new,
            ask.GetCalendarLink: self.calendar_links.get,
            ask.EndCalendarLink: self.calendar_links.end,
            ask.GetUserTimezone: self.guilds.get_user_zone,
            ask.PutUserTimezone: self.guilds.put_user_zone,
        }

    def _about_the_service(self) -> dict[type, UseCase]:
        handlers, backlog = Handlers(self._desk), Backlog(self._desk)
        return {
            ask.ListEvents: self._watching.page,
            ask.GetRunLog: self._run_logs.page,
            ask.NewKey: self.keys.new,
            ask.ListKeys: self.keys.page,
            ask.RevokeKey: self.keys.revoke,
            ask.RotateKey: self.keys.rotate,
            ask.NewSignIn: self.sessions.new_link,
            ask.ListHandlers: handlers.page,
            ask.GetHandler: handlers.get,
            ask.DrainHandler: handlers.drain,
            ask.ResumeHandler: handlers.resume,
            ask.GetStatus: self._statuses.status,
            ask.BanUser: self.bans.ban,
            ask.UnbanUser: self.bans.unban,
            ask.ListBans: self.bans.page,
            ask.GetUpkeep: self.upkeep.get,
            ask.DrainCore: self.upkeep.drain,
            ask.ResumeCore: self.upkeep.resume,
            ask.SetMaintenance: self.upkeep.maintain,
            ask.GetLag: backlog.lag,
            ask.GetQueue: backlog.queue,
        }

    async def handle(self, actor: Actor, request: ask.Request) -> View:
        """Answer one request.

        Raises:
            schedule_zero.errors.ScheduleZeroError: the refusal, with its sentence.
        """
        use_case = self._use_cases.get(type(request))
        if use_case is None:
            raise Malformed(f"There is no request {type(request).__name__}.")
        self.bans.require_welcome(actor, request)
        request = bounded(request)
        actor = await self._desk.placed(actor)
        answer = _REMEMBERED.get(type(request))
        if answer is not None and request.idempotency_key is not None:
            known: View | None = await self._desk.known(actor, request, answer)
            if known is not None:
                return known
        try:
            self._require_not_suspended(actor, request)
            view: View = await use_case(actor, request)
        except QuotaExceeded as error:
            self._refusals.note(actor, request, error)
            raise
        self._refusals.note_among(actor, request, view)
        if answer is not None and request.idempotency_key is not None and type(request) in _QUESTIONS:
            return await self._kept(actor, request, answer, view)
        return view

    def _require_not_suspended(self, actor: Actor, request: ask.Request) -> None:
        """Raises QuotaExceeded where an operator suspended the guild that is asked for, and this would make it act."""
        mark = self._desk.engine.measures.suspended(actor.guild_id)
        if mark is not None and actor.guild_id is not None and type(request) in ACTING:
            raise refusal(actor.guild_id, mark_for(actor, actor.guild_id, mark))

    async def _kept(self, actor: Actor, request: ask.Request, answer: type[Any], view: View) -> View:
        """The answer of a question, which changes nothing, for whoever asks again under the same key."""

        async def work(_tx: Transaction, _effects: Effects) -> Any:
            return view

        kept: View = await self._desk.change(actor, request, answer, work)
        return kept

    def follow(
        self, actor: Actor, after: str | None, *, kinds: tuple[str, ...] = (), guild_id: str | None = None
    ) -> AsyncIterator[Event]:
        """The journal as it grows, for ever, or until who listens is banned."""
        return self.bans.while_welcome(actor, self._watching.follow(actor, after, kinds=kinds, guild_id=guild_id))

    def follow_log(self, actor: Actor, id: str, after: int) -> AsyncIterator[RunLog]:
        """The log of a run as it grows, until the run has ended, or who listens is banned."""
        return self.bans.while_welcome(actor, self._run_logs.follow(actor, id, after))

    async def calendar(self, whose: str, id: str, secret: str) -> str | None:
        """What is behind the link of a calendar, for whoever has it; None: it is none."""
        return await self.calendar_links.calendar(whose, id, secret)

    async def feed(self, actor: Actor, wish: Wish) -> Feed:
        """The journal as it grows, for somebody who acknowledges it.

        Raises:
            schedule_zero.errors.ScheduleZeroError: the refusal, with its sentence.
        """
        return await self._feeding.open(actor, wish)


def _about_schedules(desk: Desk) -> dict[type, UseCase]:
    times, room, chaining, making = Times(desk), Room(desk), Chaining(desk), Making(desk)
    schedules, finding, runs = Schedules(desk, room, times, chaining), Finding(desk), Runs(desk, making)
    undoing = Undoing(desk, room, chaining, schedules.draft)
    audits = Audits(desk, undoing, Settings(desk))
    occurrences, dead, chains = Occurrences(desk), DeadLetters(desk, making), Chains(desk, schedules)
    return {
        ask.CreateSchedule: schedules.create,
        ask.CreateSchedules: Batches(desk, room, schedules.draft, chaining).create,
        ask.GetSchedule: schedules.get,
        ask.ListSchedules: finding.page,
        ask.PatchSchedule: schedules.patch,
        ask.DeleteSchedule: schedules.delete,
        ask.PauseSchedule: schedules.pause,
        ask.ResumeSchedule: schedules.resume,
        ask.SkipOccurrence: occurrences.skip,
        ask.MoveOccurrence: occurrences.move,
        ask.PreviewSchedule: schedules.preview,
        ask.SuggestSchedules: finding.suggest,
        ask.Undo: undoing.undo,
        ask.ListAudit: audits.page,
        ask.GetAudit: audits.get,
        ask.RevertAudit: audits.revert,
        ask.AddLink: chains.add,
        ask.RemoveLink: chains.remove,
        ask.GetChain: chains.get,
        ask.ListChains: chains.page,
        ask.CheckChains: chains.check,
        ask.RunSchedule: runs.run_now,
        ask.CheckRun: runs.check,
        ask.ListRuns: runs.page,
        ask.GetRun: runs.get,
        ask.CancelRun: runs.cancel,
        ask.RetryRun: runs.retry,
        ask.ListDead: dead.page,
        ask.ReplayDead: dead.replay,
        ask.DropDead: dead.drop,
        ask.PreviewTrigger: times.preview,
        ask.ReadTime: times.read,
        ask.SuggestTimes: times.suggest,
        ask.SuggestZones: times.zones,
        ask.SuggestCountries: times.countries,
    }


def _about_closings(desk: Desk) -> dict[type, UseCase]:
    changes = ClosingChanges(desk)
    calendars, hours, blackouts = Calendars(desk, changes), NamedHours(changes), Blackouts(desk, changes)
    return {
        ask.ListCalendars: calendars.page,
        ask.GetCalendar: calendars.get,
        ask.PutCalendar: calendars.put,
        ask.DeleteCalendar: calendars.delete,
        ask.ListHours: hours.page,
        ask.GetHours: hours.get,
        ask.PutHours: hours.put,
        ask.DeleteHours: hours.delete,
        ask.ListBlackouts: blackouts.page,
        ask.AddBlackout: blackouts.add,
        ask.RemoveBlackout: blackouts.remove,
        ask.SuggestClosings: calendars.suggest,
    }

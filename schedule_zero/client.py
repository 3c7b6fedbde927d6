"""The client: one coroutine per request, the same names and types whatever carries them.

``CoreClient`` knows no transport. ``core.local`` carries requests inside one process, ``schedule_zero.transport.http`` over
HTTP; ``schedule_zero.Client`` picks by address. Cogs, commands and strangers' programs are written against this class.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from schedule_zero import closings, views
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.asks.export import BEGINNING, ExportFormat
from schedule_zero.chain import ChainPage, ChainReport, ChainView
from schedule_zero.event import Event
from schedule_zero.key import Key, KeyPage, KeyRole
from schedule_zero.run import Run, RunCheck
from schedule_zero.schedule import AfterWhen, Schedule, ScheduleSpec
from schedule_zero.trigger import Trigger

T = TypeVar("T")


class CoreClient(ABC):
    """Asks the core. Every method may raise the errors of ``schedule_zero.errors``."""

    @abstractmethod
    async def send(self, request: ask.Request) -> views.View:
        """Carry one request to the core and bring its view back."""

    @abstractmethod
    def events(self, after: str | None = None, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        """Every event after a place in the journal (``epoch-seq``), for ever; None starts with the next one."""

    @abstractmethod
    def acting_as(self, actor: Actor) -> CoreClient:
        """The same client, speaking for somebody else. Only a client that may name actors is believed."""

    async def close(self) -> None:  # noqa: B027 - a carrier without a connection has nothing to let go of
        """Let go of the connection, if there is one."""

    async def _ask(self, request: ask.Request, answer: type[T]) -> T:
        view = await self.send(request)
        assert isinstance(view, answer), f"{type(request).__name__} was answered by {type(view).__name__}"
        return view

    async def create_schedule(self, spec: ScheduleSpec, *, idempotency_key: str | None = None) -> Schedule:
        return await self._ask(ask.CreateSchedule(spec=spec, idempotency_key=idempotency_key), Schedule)

    async def create_schedules(self, items: list[dict[str, Any]]) -> views.BatchView:
        return await self._ask(ask.CreateSchedules(items=tuple(items)), views.BatchView)

    async def get_schedule(self, id: str) -> Schedule:
        return await self._ask(ask.GetSchedule(id=id), Schedule)

    async def list_schedules(self, **filters: Any) -> views.SchedulePage:
        return await self._ask(ask.ListSchedules(**filters), views.SchedulePage)

    async def patch_schedule(self, id: str, changes: dict[str, Any], *, revision: int | None = None) -> Schedule:
        return await self._ask(ask.PatchSchedule(id=id, changes=changes, revision=revision), Schedule)

    async def delete_schedule(self, id: str, *, revision: int | None = None) -> Schedule:
        return await self._ask(ask.DeleteSchedule(id=id, revision=revision), Schedule)

    async def pause_schedule(self, id: str, *, until: str | None = None, note: str | None = None) -> Schedule:
        return await self._ask(ask.PauseSchedule(id=id, until=until, note=note), Schedule)

    async def resume_schedule(self, id: str) -> Schedule:
        return await self._ask(ask.ResumeSchedule(id=id), Schedule)

    async def run_schedule(self, id: str, *, args: dict[str, Any] | None = None, key: str | None = None) -> Run:
        return await self._ask(ask.RunSchedule(id=id, args=args or {}, idempotency_key=key), Run)

    async def check_run(self, id: str, *, args: dict[str, Any] | None = None) -> RunCheck:
        return await self._ask(ask.CheckRun(id=id, args=args or {}), RunCheck)

    async def skip_occurrence(self, id: str, occurrence: str | None = None) -> Schedule:
        return await self._ask(ask.SkipOccurrence(id=id, occurrence=occurrence), Schedule)

    async def move_occurrence(self, id: str, to: str, occurrence: str | None = None) -> Schedule:
        return await self._ask(ask.MoveOccurrence(id=id, to=to, occurrence=occurrence), Schedule)

    async def preview_schedule(self, id: str, *, n: int = 10, after: str | None = None) -> views.PreviewView:
        return await self._ask(ask.PreviewSchedule(id=id, n=n, after=after), views.PreviewView)

    async def preview(self, trigger: Trigger, **options: Any) -> views.PreviewView:
        return await self._ask(ask.PreviewTrigger(trigger=trigger, **options), views.PreviewView)

    async def read_time(self, when: str, repeat: str | None = None, **context: Any) -> views.ReadingView:
        return await self._ask(ask.ReadTime(when=when, repeat=repeat, **context), views.ReadingView)

    async def suggest_times(self, field: str, text: str, **context: Any) -> views.Suggestions:
        return await self._ask(ask.SuggestTimes(field=field, text=text, **context), views.Suggestions)

    async def suggest_zones(self, text: str) -> views.Suggestions:
        return await self._ask(ask.SuggestZones(text=text), views.Suggestions)

    async def suggest_countries(self, text: str) -> views.Suggestions:
        return await self._ask(ask.SuggestCountries(text=text), views.Suggestions)

    async def suggest_schedules(
        self, text: str, *, guild_id: str | None = None, reminders: bool = False, jobs: bool = False
    ) -> views.Suggestions:
        request = ask.SuggestSchedules(text=text, guild_id=guild_id, reminders=reminders, jobs=jobs)
        return await self._ask(request, views.Suggestions)

    async def undo(self, token: str) -> Schedule:
        return await self._ask(ask.Undo(token=token), Schedule)

    async def list_runs(self, **filters: Any) -> views.RunPage:
        return await self._ask(ask.ListRuns(**filters), views.RunPage)

    async def get_run(self, id: str) -> Run:
        return await self._ask(ask.GetRun(id=id), Run)

    async def run_log(self, id: str, *, after: int = 0, limit: int = 200) -> views.RunLog:
        return await self._ask(ask.GetRunLog(id=id, after=after, limit=limit), views.RunLog)

    async def follow_run_log(self, id: str, *, after: int = 0, every_s: float = 0.5) -> AsyncIterator[views.RunLog]:
        """The log of a run as it grows, a page that has something new at a time, until the run has ended."""
        while True:
            page = await self.run_log(id, after=after)
            if page.items or page.ended:
                yield page
            if page.ended:
                return
            if page.next == after:
                await asyncio.sleep(every_s)
            after = page.next

    async def cancel_run(self, id: str) -> Run:
        return await self._ask(ask.CancelRun(id=id), Run)

    async def retry_run(self, id: str, *, key: str | None = None) -> Run:
        return await self._ask(ask.RetryRun(id=id, idempotency_key=key), Run)

    async def list_dead(self, **filters: Any) -> views.DeadPage:
        return await self._ask(ask.ListDead(**filters), views.DeadPage)

    async def replay_dead(
        self, ids: Sequence[str] = (), *, key: str | None = None, by: str | None = None, **filters: Any
    ) -> views.DeadChange:
        request = ask.ReplayDead(ids=tuple(ids), idempotency_key=key, by=by, **filters)
        return await self._ask(request, views.DeadChange)

    async def drop_dead(self, ids: Sequence[str] = (), *, key: str | None = None, **filters: Any) -> views.DeadChange:
        return await self._ask(ask.DropDead(ids=tuple(ids), idempotency_key=key, **filters), views.DeadChange)

    async def list_events(self, **filters: Any) -> views.EventPage:
        return await self._ask(ask.ListEvents(**filters), views.EventPage)

    async def list_audit(self, **filters: Any) -> views.AuditPage:
        return await self._ask(ask.ListAudit(**filters), views.AuditPage)

    async def get_audit(self, id: str) -> views.AuditLine:
        return await self._ask(ask.GetAudit(id=id), views.AuditLine)

    async def revert_audit(self, id: str, *, key: str | None = None) -> views.AuditRevert:
        return await self._ask(ask.RevertAudit(id=id, idempotency_key=key), views.AuditRevert)

    async def guild_settings(self, guild_id: str) -> views.GuildSettings:
        return await self._ask(ask.GetGuildSettings(guild_id=guild_id), views.GuildSettings)

    async def change_guild_settings(self, guild_id: str, changes: dict[str, Any]) -> views.GuildSettings:
        return await self._ask(ask.PutGuildSettings(guild_id=guild_id, changes=changes), views.GuildSettings)

    async def undo_guild_settings(self, guild_id: str, token: str) -> views.GuildSettings:
        return await self._ask(ask.UndoGuildSettings(guild_id=guild_id, token=token), views.GuildSettings)

    async def list_calendars(self, guild_id: str) -> closings.CalendarPage:
        return await self._ask(ask.ListCalendars(guild_id=guild_id), closings.CalendarPage)

    async def get_calendar(self, guild_id: str, name: str) -> closings.CalendarView:
        return await self._ask(ask.GetCalendar(guild_id=guild_id, name=name), closings.CalendarView)

    async def put_calendar(
        self, guild_id: str, name: str, calendar: closings.CalendarDays, *, revision: int | None = None
    ) -> closings.CalendarView:
        request = ask.PutCalendar(guild_id=guild_id, name=name, calendar=calendar, revision=revision)
        return await self._ask(request, closings.CalendarView)

    async def delete_calendar(self, guild_id: str, name: str) -> closings.CalendarView:
        return await self._ask(ask.DeleteCalendar(guild_id=guild_id, name=name), closings.CalendarView)

    async def list_hours(self, guild_id: str) -> closings.HoursPage:
        return await self._ask(ask.ListHours(guild_id=guild_id), closings.HoursPage)

    async def get_hours(self, guild_id: str, name: str) -> closings.HoursView:
        return await self._ask(ask.GetHours(guild_id=guild_id, name=name), closings.HoursView)

    async def put_hours(
        self, guild_id: str, name: str, hours: closings.HoursWindows, *, revision: int | None = None
    ) -> closings.HoursView:
        request = ask.PutHours(guild_id=guild_id, name=name, hours=hours, revision=revision)
        return await self._ask(request, closings.HoursView)

    async def delete_hours(self, guild_id: str, name: str) -> closings.HoursView:
        return await self._ask(ask.DeleteHours(guild_id=guild_id, name=name), closings.HoursView)

    async def list_blackouts(self, guild_id: str) -> closings.BlackoutPage:
        return await self._ask(ask.ListBlackouts(guild_id=guild_id), closings.BlackoutPage)

    async def add_blackout(self, guild_id: str, blackout: closings.NewBlackout) -> closings.BlackoutView:
        return await self._ask(ask.AddBlackout(guild_id=guild_id, blackout=blackout), closings.BlackoutView)

    async def remove_blackout(self, guild_id: str, id: str) -> closings.BlackoutView:
        return await self._ask(ask.RemoveBlackout(guild_id=guild_id, id=id), closings.BlackoutView)

    async def suggest_closings(self, guild_id: str, kind: closings.Named, text: str) -> views.Suggestions:
        return await self._ask(ask.SuggestClosings(guild_id=guild_id, kind=kind, text=text), views.Suggestions)

    async def add_link(
        self, item: str, after: str, *, when: AfterWhen = "success", delay: str = "PT0S", key: str | None = None
    ) -> Schedule:
        request = ask.AddLink(item=item, after=after, when=when, delay=delay, idempotency_key=key)
        return await self._ask(request, Schedule)

    async def remove_link(self, item: str, after: str, *, when: AfterWhen | None = None) -> Schedule:
        return await self._ask(ask.RemoveLink(item=item, after=after, when=when), Schedule)

    async def get_chain(self, schedule: str) -> ChainView:
        return await self._ask(ask.GetChain(schedule=schedule), ChainView)

    async def list_chains(self, **filters: Any) -> ChainPage:
        return await self._ask(ask.ListChains(**filters), ChainPage)

    async def check_chains(self, **filters: Any) -> ChainReport:
        return await self._ask(ask.CheckChains(**filters), ChainReport)

    async def note_guild(self, guild_id: str, name: str, *, present: bool = True) -> views.Done:
        return await self._ask(ask.NoteGuild(guild_id=guild_id, name=name, present=present), views.Done)

    async def list_guilds(self, **filters: Any) -> views.GuildPage:
        return await self._ask(ask.ListGuilds(**filters), views.GuildPage)

    async def get_guild(self, guild_id: str) -> views.GuildView:
        return await self._ask(ask.GetGuild(guild_id=guild_id), views.GuildView)

    async def guild_quota(self, guild_id: str) -> views.QuotaView:
        return await self._ask(ask.GetGuildQuota(guild_id=guild_id), views.QuotaView)

    async def put_guild_quota(
        self, guild_id: str, document: dict[str, Any], *, by: str | None = None
    ) -> views.QuotaView:
        return await self._ask(ask.PutGuildQuota(guild_id=guild_id, document=document, by=by), views.QuotaView)

    async def change_guild_quota(
        self, guild_id: str, changes: dict[str, Any], *, until: str | None = None, reset: Sequence[str] = (),
        end: Sequence[str] = (), by: str | None = None,
    ) -> views.QuotaView:  # fmt: skip
        request = ask.PatchGuildQuota(
            guild_id=guild_id, changes=changes, until=until, reset=tuple(reset), end=tuple(end), by=by
        )
        return await self._ask(request, views.QuotaView)

    async def new_verification(self, guild_id: str) -> views.VerificationView:
        return await self._ask(ask.NewVerification(guild_id=guild_id), views.VerificationView)

    async def verify_guild(self, guild_id: str, code: str | None = None, *, by: str | None = None) -> views.GuildView:
        return await self._ask(ask.VerifyGuild(guild_id=guild_id, code=code, by=by), views.GuildView)

    async def suspend_guild(self, guild_id: str, why: str = "", *, by: str | None = None) -> views.GuildView:
        return await self._ask(ask.SuspendGuild(guild_id=guild_id, why=why, by=by), views.GuildView)

    async def resume_guild(self, guild_id: str, *, by: str | None = None) -> views.GuildView:
        return await self._ask(ask.ResumeGuild(guild_id=guild_id, by=by), views.GuildView)

    async def last_refusal(self, guild_id: str) -> views.RefusalView:
        return await self._ask(ask.GetRefusal(guild_id=guild_id), views.RefusalView)

    async def erase_guild(self, guild_id: str) -> views.Erasure:
        return await self._ask(ask.EraseGuild(guild_id=guild_id), views.Erasure)

    async def erase_user(self, user_id: str) -> views.Erasure:
        return await self._ask(ask.EraseUser(user_id=user_id), views.Erasure)

    async def export(
        self, *, guild_id: str | None = None, user_id: str | None = None, format: ExportFormat = "json",
        secrets: bool = False,
    ) -> AsyncIterator[views.ExportPart]:  # fmt: skip
        """The parts of a file, one after another; put together they are it."""
        cursor: str | None = BEGINNING
        while cursor is not None:
            request = ask.Export(guild_id=guild_id, user_id=user_id, format=format, secrets=secrets, cursor=cursor)
            part = await self._ask(request, views.ExportPart)
            yield part
            cursor = part.next

    async def new_calendar_link(
        self, *, guild_id: str | None = None, user_id: str | None = None, key: str | None = None
    ) -> views.CalendarLink:
        request = ask.NewCalendarLink(guild_id=guild_id, user_id=user_id, idempotency_key=key)
        return await self._ask(request, views.CalendarLink)

    async def calendar_link(self, *, guild_id: str | None = None, user_id: str | None = None) -> views.CalendarLink:
        return await self._ask(ask.GetCalendarLink(guild_id=guild_id, user_id=user_id), views.CalendarLink)

    async def end_calendar_link(self, *, guild_id: str | None = None, user_id: str | None = None) -> views.CalendarLink:
        return await self._ask(ask.EndCalendarLink(guild_id=guild_id, user_id=user_id), views.CalendarLink)

    async def present_guilds(self, shard: int = 0, shards: int = 1, cursor: str | None = None) -> views.PresentGuilds:
        request = ask.ListPresentGuilds(shard=shard, shards=shards, cursor=cursor)
        return await self._ask(request, views.PresentGuilds)

    async def user_timezone(self, user_id: str) -> views.UserTimezone:
        return await self._ask(ask.GetUserTimezone(user_id=user_id), views.UserTimezone)

    async def set_user_timezone(
        self, user_id: str, timezone: str | None, *, shared: bool | None = None
    ) -> views.UserTimezone:
        request = ask.PutUserTimezone(user_id=user_id, timezone=timezone, shared=shared)
        return await self._ask(request, views.UserTimezone)

    async def new_key(self, name: str, role: KeyRole, *, key: str | None = None, **options: Any) -> Key:
        return await self._ask(ask.NewKey(name=name, role=role, idempotency_key=key, **options), Key)

    async def list_keys(self, **filters: Any) -> KeyPage:
        return await self._ask(ask.ListKeys(**filters), KeyPage)

    async def revoke_key(self, id: str) -> Key:
        return await self._ask(ask.RevokeKey(id=id), Key)

    async def rotate_key(self, id: str, *, public: str | None = None) -> Key:
        return await self._ask(ask.RotateKey(id=id, public=public), Key)

    async def new_sign_in(self, *, key: str | None = None) -> views.SignInLink:
        return await self._ask(ask.NewSignIn(idempotency_key=key), views.SignInLink)

    async def list_handlers(self, *, history: bool = False) -> views.HandlerPage:
        return await self._ask(ask.ListHandlers(history=history), views.HandlerPage)

    async def get_handler(self, name: str) -> views.HandlerView:
        return await self._ask(ask.GetHandler(name=name), views.HandlerView)

    async def drain_handler(self, name: str, *, instance: str | None = None) -> views.HandlerView:
        return await self._ask(ask.DrainHandler(name=name, instance=instance), views.HandlerView)

    async def resume_handler(self, name: str) -> views.HandlerView:
        return await self._ask(ask.ResumeHandler(name=name), views.HandlerView)

    async def lag(self) -> views.LagView:
        return await self._ask(ask.GetLag(), views.LagView)

    async def queue(self, guilds: int = 10) -> views.QueueView:
        return await self._ask(ask.GetQueue(guilds=guilds), views.QueueView)

    async def ban_user(self, user_id: str, why: str = "", *, by: str | None = None) -> views.BanView:
        return await self._ask(ask.BanUser(user_id=user_id, why=why, by=by), views.BanView)

    async def unban_user(self, user_id: str, *, by: str | None = None) -> views.BanView:
        return await self._ask(ask.UnbanUser(user_id=user_id, by=by), views.BanView)

    async def list_bans(self) -> views.BanPage:
        return await self._ask(ask.ListBans(), views.BanPage)

    async def upkeep(self) -> views.Upkeep:
        return await self._ask(ask.GetUpkeep(), views.Upkeep)

    async def drain_core(self, *, by: str | None = None) -> views.Upkeep:
        return await self._ask(ask.DrainCore(by=by), views.Upkeep)

    async def resume_core(self, *, by: str | None = None) -> views.Upkeep:
        return await self._ask(ask.ResumeCore(by=by), views.Upkeep)

    async def set_maintenance(
        self, message: str | None, *, until: str | None = None, by: str | None = None
    ) -> views.Upkeep:
        return await self._ask(ask.SetMaintenance(message=message, until=until, by=by), views.Upkeep)

    async def status(self) -> views.Status:
        return await self._ask(ask.GetStatus(), views.Status)

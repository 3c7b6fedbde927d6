"""A core of plain dicts: answers the requests commands make, remembers each with its actor, and refuses on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from schedule_zero import instant, views
from schedule_zero import requests as ask
from schedule_zero.actor import OPERATOR, Actor
from schedule_zero.client import CoreClient
from schedule_zero.errors import FieldError, Forbidden, Gone, Invalid, NotFound, ReadingOffer
from schedule_zero.event import Event
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import Policy, Schedule, UndoToken
from schedule_zero.trigger import CronTrigger, DateTrigger

START = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
RECURRING = {"every weekday at 9": "0 9 * * MON-FRI", "every day at 9": "0 9 * * *"}


class World:
    """What the core knows, shared by all its clients."""

    def __init__(self) -> None:
        self.asked: list[tuple[Actor, ask.Request]] = []
        self.schedules: dict[str, Schedule] = {}
        self.runs: dict[str, Run] = {}
        self.undo: dict[str, Schedule] = {}
        self.zones: dict[str, str | None] = {}
        self.shared: set[str] = set()
        self.settings: dict[str, views.GuildSettings] = {}
        self.guilds: dict[str, tuple[str, bool]] = {}
        self.exported = ("first, ", "second")
        self.answers: dict[str, views.View] = {}
        self.refuse: dict[type[Any], Exception] = {}
        self.hang: set[type[Any]] = set()
        self.finish_runs = True

    def of(self, kind: type[Any]) -> list[Any]:
        """The requests of a kind, in order."""
        return [request for _, request in self.asked if isinstance(request, kind)]

    def last_actor(self, kind: type[Any]) -> Actor:
        """Who asked the newest request of a kind."""
        return next(actor for actor, request in reversed(self.asked) if isinstance(request, kind))


class FakeCore(CoreClient):
    """A client of that world, for one actor."""

    def __init__(self, world: World | None = None, actor: Actor = OPERATOR) -> None:
        self.world = world or World()
        self.actor = actor

    def acting_as(self, actor: Actor) -> FakeCore:
        return FakeCore(self.world, actor)

    def events(self, after: str | None = None, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        raise NotImplementedError

    async def send(self, request: ask.Request) -> views.View:
        world = self.world
        world.asked.append((self.actor, request))
        if type(request) in world.refuse:
            raise world.refuse[type(request)]
        if type(request) in world.hang:
            await asyncio.Event().wait()
        key = request.idempotency_key
        if key is not None and key in world.answers:
            return world.answers[key]
        answer = _USE_CASES[type(request)](self, request)
        if key is not None:
            world.answers[key] = answer
        return answer

    # ── schedules ──

    def create(self, request: ask.CreateSchedule) -> Schedule:
        spec = request.spec
        number = len(self.world.schedules) + 1
        schedule = Schedule(
            id=f"sch_{number:020d}", revision=1, guild_id=spec.guild_id, name=spec.name,
            owner_id=spec.owner_id or self.actor.id, handler=spec.handler, method=spec.method, args=spec.args,
            trigger=spec.trigger, timezone=spec.timezone or "UTC", words=_words(spec.trigger), start=spec.start,
            until=spec.until, count=spec.count, calendar=None, active_hours=None, policy=Policy(), after=(),
            state="active", next_fire_times=tuple(fire.at for fire in _fires(spec.trigger, 5)),
            notes=("fires at 09:00 also after the clock change",), created_at=instant.spell(_now()),
            metadata=spec.metadata,
        )  # fmt: skip
        return self._changed(schedule, None)

    def get(self, request: Any) -> Schedule:
        schedule = self.world.schedules.get(request.id)
        member = self.actor.kind == "member"
        if schedule is None or (
            member and schedule.owner_id != self.actor.id and schedule.guild_id != self.actor.guild_id
        ):
            raise NotFound(f"There is no schedule {request.id!r}.")
        return msgspec.structs.replace(schedule, undo=None)

    def change(self, request: Any, **fields: Any) -> Schedule:
        before = self.get(request)
        if before.owner_id != self.actor.id and not self.actor.has(1 << 13):
            raise Forbidden("This schedule is somebody else's.")
        after = msgspec.structs.replace(before, revision=before.revision + 1, **fields)
        return self._changed(after, before)

    def _changed(self, after: Schedule, before: Schedule | None) -> Schedule:
        token = f"undo{len(self.world.undo):016d}"
        until = instant.spell(_now() + 900 * instant.SECOND)
        self.world.undo[token] = before or msgspec.structs.replace(after, state="deleted", next_fire_times=())
        self.world.schedules[after.id] = after
        return msgspec.structs.replace(after, undo=UndoToken(token, until))

    def take_back(self, request: ask.Undo) -> Schedule:
        before = self.world.undo.pop(request.token, None)
        if before is None:
            raise Gone("It is too late to undo this.")
        after = msgspec.structs.replace(before, revision=self.world.schedules[before.id].revision + 1, undo=None)
        self.world.schedules[after.id] = after
        return after

    def list(self, request: ask.ListSchedules) -> views.SchedulePage:
        rows = [
            schedule
            for schedule in sorted(self.world.schedules.values(), key=lambda row: row.id)
            if (request.any_guild or schedule.guild_id == request.guild_id)
            and request.state in {None, schedule.state}
            and request.owner_id in {None, schedule.owner_id}
            and (request.q or "") in f"{schedule.name} {schedule.args}"
            and all(schedule.metadata.get(key) == value for key, value in request.metadata.items())
            and schedule.id > (request.cursor or "")
        ]
        more = rows[request.limit - 1].id if len(rows) > request.limit else None
        return views.SchedulePage(items=tuple(rows[: request.limit]), next=more)

    def suggest(self, request: ask.SuggestSchedules) -> views.Suggestions:
        found = [
            schedule
            for schedule in self.world.schedules.values()
            if schedule.state != "deleted"
            and request.text in f"{schedule.id} {schedule.name} {schedule.args.get('content')}"
            and ((schedule.metadata.get("kind") == "reminder") if request.reminders else True)
        ]
        return views.Suggestions(
            items=tuple(views.Suggestion(name=f"{row.name} {row.args.get('content')}", value=row.id) for row in found)
        )

    # ── runs ──

    def run(self, request: Any) -> Run:
        number = len(self.world.runs) + 1
        run = make_run(f"run_{number:020d}", request.id, RunState.WAITING)
        self.world.runs[run.id] = run
        return run

    def get_run_(self, request: ask.GetRun) -> Run:
        run = self.world.runs.get(request.id)
        if run is None:
            raise NotFound(f"There is no run {request.id!r}.")
        if self.world.finish_runs:
            run = self.world.runs[request.id] = msgspec.structs.replace(run, state=RunState.SUCCEEDED)
        return run

    # ── times and people ──

    def read(self, request: ask.ReadTime) -> views.ReadingView:
        text = request.repeat or request.when
        zone = request.timezone or self.world.zones.get(request.user_id or "") or "UTC"
        trigger = _trigger(text)
        return views.ReadingView(
            trigger=trigger, timezone=zone, words=_words(trigger), recurring=isinstance(trigger, CronTrigger),
            fires=_fires(trigger, 5),
        )  # fmt: skip

    def preview_(self, request: Any) -> views.PreviewView:
        trigger = request.trigger if isinstance(request, ask.PreviewTrigger) else self.get(request).trigger
        zone = request.timezone if isinstance(request, ask.PreviewTrigger) else "Europe/Berlin"
        if zone not in available_timezones():
            message = f"{zone!r} is no time zone; write one such as Europe/Berlin"
            raise Invalid(f"timezone: {message}", errors=(FieldError("timezone", message),))
        fires = _fires(trigger, request.n)
        if isinstance(trigger, DateTrigger):
            fires = tuple(msgspec.structs.replace(fire, local=_local(fire.at, zone)) for fire in fires)
        return views.PreviewView(fires=fires, trigger=trigger, timezone=zone, words=_words(trigger))

    def guild(self, request: Any) -> views.GuildSettings:
        return self.world.settings.setdefault(
            request.guild_id, views.GuildSettings(guild_id=request.guild_id, defaults=("timezone", "default_time"))
        )

    def put_guild(self, request: ask.PutGuildSettings) -> views.GuildSettings:
        changes = msgspec.to_builtins(self.guild(request)) | request.changes
        self.world.settings[request.guild_id] = msgspec.convert(changes, views.GuildSettings)
        return self.world.settings[request.guild_id]

    def note(self, request: ask.NoteGuild) -> views.Done:
        self.world.guilds[request.guild_id] = (request.name, request.present)
        return views.Done()

    def present(self, request: ask.ListPresentGuilds) -> views.PresentGuilds:
        there = (id for id, (_, present) in self.world.guilds.items() if present)
        mine = [id for id in there if (int(id) >> 22) % request.shards == request.shard]
        return views.PresentGuilds(items=tuple(mine))

    def erase(self, request: ask.EraseGuild | ask.EraseUser) -> views.Erasure:
        if isinstance(request, ask.EraseUser):
            return views.Erasure(kind="user", id=request.user_id, finished=True)
        return views.Erasure(kind="guild", id=request.guild_id, finished=False)

    def export_(self, request: ask.Export) -> views.ExportPart:
        more = request.cursor == "0"
        text = self.world.exported[0] if more else self.world.exported[1]
        return views.ExportPart(
            text=text, next="sch_1" if more else None, media_type="x/y", name=f"all.{request.format}"
        )

    def zone(self, request: Any) -> views.UserTimezone:
        if isinstance(request, ask.PutUserTimezone):
            self.world.zones[request.user_id] = request.timezone
            if request.shared is not None:
                (self.world.shared.add if request.shared else self.world.shared.discard)(request.user_id)
        zone, shared = self.world.zones.get(request.user_id), request.user_id in self.world.shared
        return views.UserTimezone(user_id=request.user_id, timezone=zone, shared=shared)


def make_run(id: str, schedule_id: str, state: RunState, **fields: Any) -> Run:
    """A run as the core answers it."""
    plain: dict[str, Any] = {
        "id": id, "schedule_id": schedule_id, "guild_id": None, "handler": "discord", "method": "send_message",
        "occurrence": "m:1", "due": START.isoformat(), "start_before": None, "state": state, "attempt": 0,
        "attempts": (), "result": None, "reason": None, "why": None, "late_by": None, "trace_id": "",
    }  # fmt: skip
    return Run(**(plain | fields))


def _now() -> int:
    return instant.from_datetime(datetime.now(UTC))


def _trigger(text: str) -> CronTrigger | DateTrigger:
    if text in RECURRING:
        return CronTrigger(RECURRING[text], "Europe/Berlin")
    if text == "at 5":
        offers = tuple(
            ReadingOffer(f"today at {clock}", DateTrigger(START.isoformat()), f"today at {clock}", START.isoformat())
            for clock in ("05:00", "17:00")
        )
        message = "'at 5' could be morning or afternoon"
        raise Invalid(message, errors=(FieldError("when", message),), readings=offers)
    known = {
        "in 10 seconds": 10,
        "in 2 hours": 7200,
        "tomorrow at 9": 86_400,
        "today at 17:00": 28_800,
        "in a year": 31_536_000,
    }
    if text not in known:
        message = f"{text!r} cannot be read as a time; write for example 'in 2 hours' or 'every weekday at 9'"
        raise Invalid(message, errors=(FieldError("when", message),))
    return DateTrigger((START + timedelta(seconds=known[text])).isoformat())


def _words(trigger: Any) -> str:
    return f"cron {trigger.expression}" if isinstance(trigger, CronTrigger) else f"once at {trigger.at}"


def _fires(trigger: Any, n: int) -> tuple[views.Fire, ...]:
    if isinstance(trigger, DateTrigger):
        moments = [datetime.fromisoformat(trigger.at)]
    else:
        moments = [START + timedelta(days=day) for day in range(n)]
    return tuple(views.Fire(at=moment.isoformat(), local=moment.isoformat()[:19]) for moment in moments)


def _local(at: str, zone: str) -> str:
    return datetime.fromisoformat(at).astimezone(ZoneInfo(zone)).isoformat()


def _suggest_times(core: FakeCore, request: ask.SuggestTimes) -> views.Suggestions:
    return views.Suggestions(items=(views.Suggestion(name=f"{request.text} …", value=request.text or "in 2 hours"),))


def _zones(core: FakeCore, request: ask.SuggestZones) -> views.Suggestions:
    names = [name for name in ("Europe/Berlin", "Europe/London", "Asia/Tokyo") if request.text.lower() in name.lower()]
    return views.Suggestions(items=tuple(views.Suggestion(name=name, value=name) for name in names))


def _status(core: FakeCore, request: ask.GetStatus) -> views.Status:
    return views.Status(
        running=True, version="0.1.0", last_tick=START.isoformat(), schedules=3, due=1, waiting=0, runs_executed=7,
        lag="PT0.01S", parts={"discord": views.Part(ok=True), "store": views.Part(ok=False, detail="slow")},
    )  # fmt: skip


_RECORD: Final = views.RecordView(
    window="PT10M", succeeded=9, failed=1, lost=0, success_rate=0.9, p50="PT0.04S", p95="PT1.2S"
)
HANDLER: Final = views.HandlerView(
    name="reports", healthy=False, in_flight=3, credit=256, record=_RECORD, methods=(),
    instances=(
        views.InstanceView(
            id="reports@a1", software="kit", connected_since=START.isoformat(), last_beat="PT5S", in_flight=3, credit=256,
            draining=True, available=True, healthy=False, trouble="its beats stopped",
        ),
    ),
)  # fmt: skip


def _handler(core: FakeCore, request: ask.GetHandler) -> views.HandlerView:
    if request.name != HANDLER.name:
        raise NotFound(f"There is no handler {request.name!r}.")
    return HANDLER


LAG: Final = views.LagView(
    tick="PT2S", due=7, last_tick=None, dispatch="PT0.5S", ready=12, waiting=40, in_flight=5, uncommitted=1
)
_SCOPE: Final = views.QueueScope(
    scope="guild:7", limit="running", runs=30, words=f"Guild 7 has 2 of 2 runs going at once; the next can start at {START.isoformat()}.",
    until=START.isoformat(),
)  # fmt: skip
QUEUE: Final = views.QueueView(
    waiting=40, running=5, guild_count=2, scopes=(_SCOPE,),
    guilds=(
        views.QueueGuild(guild_id="7", waiting=30, running=2, scopes=(_SCOPE,)),
        views.QueueGuild(guild_id=None, waiting=10, running=3),
    ),
)  # fmt: skip

_USE_CASES: dict[type[Any], Callable[[FakeCore, Any], views.View]] = {
    ask.CreateSchedule: FakeCore.create,
    ask.GetSchedule: FakeCore.get,
    ask.ListSchedules: FakeCore.list,
    ask.DeleteSchedule: lambda core, request: core.change(request, state="deleted", next_fire_times=()),
    ask.PauseSchedule: lambda core, request: core.change(request, state="paused", paused_until=request.until),
    ask.ResumeSchedule: lambda core, request: core.change(request, state="active", paused_until=None),
    ask.RunSchedule: FakeCore.run,
    ask.RetryRun: FakeCore.run,
    ask.GetRun: FakeCore.get_run_,
    ask.ListRuns: lambda core, request: views.RunPage(
        items=tuple(run for run in core.world.runs.values() if run.schedule_id == request.schedule_id)
    ),
    ask.PreviewSchedule: FakeCore.preview_,
    ask.PreviewTrigger: FakeCore.preview_,
    ask.ReadTime: FakeCore.read,
    ask.SuggestTimes: _suggest_times,
    ask.SuggestZones: _zones,
    ask.SuggestSchedules: FakeCore.suggest,
    ask.Undo: FakeCore.take_back,
    ask.GetGuildSettings: FakeCore.guild,
    ask.PutGuildSettings: FakeCore.put_guild,
    ask.NoteGuild: FakeCore.note,
    ask.ListPresentGuilds: FakeCore.present,
    ask.EraseGuild: FakeCore.erase,
    ask.EraseUser: FakeCore.erase,
    ask.Export: FakeCore.export_,
    ask.GetUserTimezone: FakeCore.zone,
    ask.PutUserTimezone: FakeCore.zone,
    ask.GetStatus: _status,
    ask.GetUpkeep: lambda _core, _request: views.Upkeep(),
    ask.ListHandlers: lambda core, request: views.HandlerPage(items=(HANDLER,)),
    ask.GetHandler: _handler,
    ask.GetLag: lambda core, request: LAG,
    ask.GetQueue: lambda core, request: QUEUE,
}

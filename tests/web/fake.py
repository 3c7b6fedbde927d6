"""A door that remembers what it was asked, and the records it answers with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from core.service.keyring import digest_of
from core.service.sessions import GuildHere, Known, Session, TheirGuilds
from schedule_zero import chain, closings, views
from schedule_zero import requests as ask
from schedule_zero.actor import MANAGE_GUILD, OPERATOR, Actor
from schedule_zero.errors import Gone
from schedule_zero.event import Event
from schedule_zero.key import Key, KeyPage
from schedule_zero.run import Attempt, LogLine, Run, RunCheck, RunState, Why
from schedule_zero.schedule import Policy, Schedule
from schedule_zero.trigger import CronTrigger

CRON: Final = CronTrigger(expression="0 9 * * MON-FRI", timezone="Europe/Berlin")
SCHEDULE: Final = Schedule(
    id="sch_00000000000000000001",
    revision=3,
    guild_id="123",
    name="standup",
    owner_id="456",
    handler="discord",
    method="send_message",
    args={"channel_id": "789", "content": "Standup!"},
    trigger=CRON,
    timezone="Europe/Berlin",
    words="at 09:00 on every weekday",
    start=None,
    until=None,
    count=None,
    calendar=None,
    active_hours=None,
    policy=Policy(),
    after=(),
    state="active",
    next_fire_times=("2026-11-23T09:00:00+01:00",),
    notes=(),
    created_at="2026-11-21T12:00:00+01:00",
)
RUN: Final = Run(
    id="run_00000000000000000001",
    schedule_id=SCHEDULE.id,
    guild_id="123",
    handler="discord",
    method="send_message",
    occurrence="t:2026-11-21T09:00:00+01:00",
    due="2026-11-21T09:00:00+01:00",
    start_before="2026-11-21T10:00:00+01:00",
    state=RunState.WAITING,
    attempt=1,
    attempts=(Attempt(attempt=1, handler="discord", instance="discord@1", sent="2026-11-21T09:00:00+01:00"),),
    result=None,
    reason=None,
    why=Why(
        scope="guild:123",
        limit="rate",
        used=30,
        allowed=30,
        words="Guild 123 has used 30 of the 30 starts its rate allows.",
    ),
    late_by=None,
    trace_id="0123456789abcdef0123456789abcdef",
)
LOG: Final = views.RunLog(
    items=(
        LogLine(n=1, attempt=1, at="2026-11-21T09:00:01+01:00", text="begun"),
        LogLine(n=5, attempt=1, at="2026-11-21T09:00:02+01:00", text="nearly", left_out=3),
    ),
    next=5, lines=5, ended=False,
)  # fmt: skip
STATUS: Final = views.Status(
    running=True, version="1.2.3", last_tick="2026-11-21T09:00:00+00:00", schedules=2, due=0, waiting=1,
    runs_executed=40, due_times_missed=3, lag="PT0.5S", parts={"store": views.Part(ok=True), "discord": views.Part(ok=False, detail="away")},
)  # fmt: skip
PREVIEW: Final = views.PreviewView(fires=(), trigger=SCHEDULE.trigger, timezone="UTC", words="daily")
RECORD: Final = views.RecordView(
    window="PT10M", succeeded=9, failed=1, lost=0, success_rate=0.9, p50="PT0.04S", p95="PT1.2S"
)
HANDLER: Final = views.HandlerView(
    name="reports", healthy=True, in_flight=3, credit=256, record=RECORD,
    instances=(
        views.InstanceView(
            id="reports@a1", software="schedule-zero-kit 0.1.0", connected_since="2026-11-21T09:00:00+00:00",
            last_beat="PT0.5S", in_flight=3, credit=256, draining=False, available=True, healthy=True, version="2.1",
            capabilities=("gpu",),
        ),
    ),
    methods=(
        views.MethodView(
            name="build", doc="Build it.", timeout="PT30S", at_most_once=True, record=RECORD,
            total=views.Counts(succeeded=90, failed=8, lost=2), in_flight=3,
            breakers=(views.BreakerView(failures=5, until="2026-11-21T09:00:07+00:00", guild_id="123"),),
            adaptive=views.AdaptiveView(limit=12, in_flight=3, least=1, most=50),
            schema={
                "$ref": "#/$defs/b",
                "$defs": {"b": {"type": "object", "properties": {"day": {}, "rows": {}}, "required": ["day"]}},
            },
        ),
    ),
)  # fmt: skip
LAG: Final = views.LagView(
    tick="PT0S", due=0, last_tick=None, dispatch="PT0.002S", ready=1, waiting=4, in_flight=2, uncommitted=0
)
SCOPE: Final = views.QueueScope(
    scope="guild:123", limit="rate", runs=3, words="Guild 123 has used 30 of the 30 starts its rate allows."
)
QUEUE: Final = views.QueueView(
    waiting=4, running=2, guild_count=1, scopes=(SCOPE,),
    guilds=(views.QueueGuild(guild_id="123", waiting=3, running=2, scopes=(SCOPE,)),),
)  # fmt: skip

KEY: Final = Key(
    id="key_1", name="far", role="handler", kind="curve", state="active", guild_id="123",
    created="2026-11-21T09:00:00+00:00", created_by="operator:operator", public="0" * 40,
)  # fmt: skip

CALENDAR: Final = closings.CalendarView(
    name="bank holidays",
    dates=("12-24",),
    country="DE",
    used_by=2,
    next_days=("2026-12-24 a day off",),
    revision=7,
)
HOURS: Final = closings.HoursView(name="office", windows=("MO-FR 09:00-17:00",), timezone=None, used_by=1, revision=8)
BLACKOUT: Final = closings.BlackoutView(
    id="blk_1", begin="2026-12-24T00:00:00+01:00", end="2026-12-27T00:00:00+01:00", reason="rest", scope="all"
)

CHAIN: Final = chain.ChainView(
    nodes=(
        chain.ChainNode(id=SCHEDULE.id, name="standup", state="active", what="discord.send_message", words="daily"),
        chain.ChainNode(id="sch_2", name=None, state="paused", words="after standup succeeds"),
    ),
    edges=(chain.ChainEdge(parent=SCHEDULE.id, child="sch_2", when="success", delay="PT10M"),),
)
GUILD: Final = views.GuildView(
    guild_id="123", name="ü", present=True, plan="verified", verified=None, waiting=1,
    suspended=views.MarkView(at="2026-11-21T09:00:00+00:00", by="operator:eve", why="spam"),
    gauges=(views.Gauge(scope="guild:123", limit="running", used=1, allowed=2, origin="operator"),),
    most=(views.Heavy(owner_id="9", schedules=3),),
)  # fmt: skip
QUOTA: Final = views.QuotaView(
    guild_id="123", plan="verified", limits={"running": 5, "rate": None}, origins={"running": "temporary"}, own={},
    temporary=(views.TemporaryQuota(limits={"running": 5}, until="2026-11-21T09:00:00+00:00", by="operator:eve"),),
)  # fmt: skip
GUILDS: Final = views.GuildPage(
    items=(views.GuildSummary(guild_id="1", name=None, present=None, plan="trusted", verified=True, suspended=False),),
    next="1",
)

BAN: Final = views.BanView(user_id="2", at="2026-11-21T09:00:00+00:00", by="operator:eve", why="spam")
UPKEEP: Final = views.Upkeep(
    drained=views.MarkView(at="2026-11-21T09:00:00+00:00", by="operator:eve"),
    maintenance=views.MaintenanceView(message="ü", until=None, by="operator:eve"),
)

REPORT: Final = chain.ChainReport(links=1, items=())

OVER_HTTP: Final = msgspec.structs.replace(OPERATOR, via="http")
ON_A_PAGE: Final = msgspec.structs.replace(OPERATOR, via="page")

LINE: Final = views.AuditLine(
    id="12", at="2026-11-21T09:00:00Z", guild_id="123", actor="member:456", via="discord", action="schedule.update",
    target=SCHEDULE.id, title="standup", before={"name": "standup", "args": {"n": 1}},
    after={"name": "standup", "args": {"n": 2}}, back="undo",
)  # fmt: skip

_ANSWERS: Final[dict[type, Any]] = {
    ask.CreateSchedules: views.BatchView(items=(views.BatchItem(status=201, schedule=SCHEDULE),)),
    ask.ListSchedules: views.SchedulePage(items=(SCHEDULE,), next="more"),
    ask.SuggestSchedules: views.Suggestions(items=()),
    ask.SuggestTimes: views.Suggestions(items=(views.Suggestion(name="in 2 hours", value="in 2 hours"),)),
    ask.SuggestZones: views.Suggestions(items=()),
    ask.SuggestCountries: views.Suggestions(items=()),
    ask.SuggestClosings: views.Suggestions(items=()),
    ask.ReadTime: views.ReadingView(trigger=CRON, timezone="UTC", words="daily", recurring=True, fires=()),
    ask.PreviewSchedule: PREVIEW,
    ask.PreviewTrigger: PREVIEW,
    ask.RunSchedule: RUN,
    ask.CheckRun: RunCheck(instances=("discord@a1",)),
    ask.ListRuns: views.RunPage(items=(RUN,)),
    ask.GetRun: RUN,
    ask.GetRunLog: LOG,
    ask.CancelRun: RUN,
    ask.RetryRun: RUN,
    ask.ListEvents: views.EventPage(items=(), next="1-0"),
    ask.ListAudit: views.AuditPage(items=(LINE,), next="2-1"),
    ask.GetAudit: LINE,
    ask.RevertAudit: views.AuditRevert(schedule=SCHEDULE),
    ask.GetGuildSettings: views.GuildSettings(guild_id="123"),
    ask.PutGuildSettings: views.GuildSettings(guild_id="123"),
    ask.UndoGuildSettings: views.GuildSettings(guild_id="123"),
    ask.NoteGuild: views.Done(),
    ask.ListGuilds: GUILDS,
    ask.GetGuild: GUILD,
    ask.GetGuildQuota: QUOTA,
    ask.PutGuildQuota: QUOTA,
    ask.PatchGuildQuota: QUOTA,
    ask.NewVerification: views.VerificationView(guild_id="1", code="ABCD2345", until="2026-11-21T09:00:00+00:00"),
    ask.VerifyGuild: GUILD,
    ask.SuspendGuild: GUILD,
    ask.ResumeGuild: GUILD,
    ask.GetRefusal: views.RefusalView(sentence="Full.", limit="schedules", used=20, allowed=20),
    ask.ListPresentGuilds: views.PresentGuilds(items=("12",), next="12"),
    ask.EraseGuild: views.Erasure(kind="guild", id="123", finished=True),
    ask.Export: views.ExportPart(text="{}", next=None, media_type="application/json", name="all.json"),
    ask.EraseUser: views.Erasure(kind="user", id="456", finished=False),
    ask.GetUserTimezone: views.UserTimezone(user_id="456", timezone="Europe/Berlin"),
    ask.NewCalendarLink: views.CalendarLink(
        guild_id="12", user_id=None, since="2026-11-21T09:00:00+00:00", url="/calendar/guild/12.ics?key=x"
    ),
    ask.GetCalendarLink: views.CalendarLink(guild_id=None, user_id="34", since="2026-11-21T09:00:00+00:00"),
    ask.EndCalendarLink: views.CalendarLink(guild_id="12", user_id=None),
    ask.PutUserTimezone: views.UserTimezone(user_id="456", timezone=None),
    ask.ListCalendars: closings.CalendarPage(items=(CALENDAR,)),
    ask.GetCalendar: CALENDAR,
    ask.PutCalendar: CALENDAR,
    ask.DeleteCalendar: CALENDAR,
    ask.ListHours: closings.HoursPage(items=(HOURS,)),
    ask.GetHours: HOURS,
    ask.PutHours: HOURS,
    ask.DeleteHours: HOURS,
    ask.ListBlackouts: closings.BlackoutPage(items=(BLACKOUT,)),
    ask.AddBlackout: BLACKOUT,
    ask.RemoveBlackout: BLACKOUT,
    ask.GetChain: CHAIN,
    ask.ListChains: chain.ChainPage(items=(CHAIN,)),
    ask.CheckChains: REPORT,
    ask.NewKey: KEY,
    ask.ListKeys: KeyPage(items=(KEY,), server="1" * 40),
    ask.RevokeKey: KEY,
    ask.RotateKey: KEY,
    ask.ListDead: views.DeadPage(items=(views.DeadLetter(at="2026-11-21T09:00:00+00:00", run=RUN),)),
    ask.ReplayDead: views.DeadChange(items=(views.DeadFate(id="run_1", fate="replayed", run="run_2"),)),
    ask.DropDead: views.DeadChange(items=(views.DeadFate(id="run_1", fate="dropped"),)),
    ask.NewSignIn: views.SignInLink(id="lnk_1", until="2026-11-21T09:05:00+00:00", path="/sign-in/link?code=x"),
    ask.ListHandlers: views.HandlerPage(items=(HANDLER,)),
    ask.GetHandler: HANDLER,
    ask.ListBans: views.BanPage(items=(BAN,)),
    ask.BanUser: BAN,
    ask.UnbanUser: BAN,
    ask.GetUpkeep: UPKEEP,
    ask.DrainCore: UPKEEP,
    ask.ResumeCore: views.Upkeep(),
    ask.SetMaintenance: UPKEEP,
    ask.DrainHandler: HANDLER,
    ask.ResumeHandler: HANDLER,
    ask.GetLag: LAG,
    ask.GetQueue: QUEUE,
    ask.GetStatus: STATUS,
}


def event(seq: int, kind: str = "run.created") -> Event:
    """An event of epoch 1."""
    return Event(epoch=1, seq=seq, at="2026-11-21T09:00:00+00:00", kind=kind, guild_id="123")


class FakeSessions:
    """Who is signed in, in memory.

    Attributes:
        guilds_here: the guilds that the bot is in, with their names.
        stale: sessions of which Discord has to be asked anew, by id.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nobody is signed in any more."""
        self.known: dict[str, Session] = {}
        self._count = 0
        self.links: set[str] = set()
        self.guilds_here: dict[str, str] = {"123": "Tea House"}
        self.stale: set[str] = set()

    async def by_token(self, token: str, agent: str, before: str) -> str | None:
        if token != "sz_test":
            return None
        return self._begin(Known(way="token", who="operator", name="operator", latest=9, agent=agent), before)

    async def by_link(self, code: str, agent: str, before: str) -> str:
        if code not in self.links:
            raise Gone("This link was used already.")
        self.links.discard(code)
        return self._begin(Known(way="link", who="operator", name="operator", latest=9, agent=agent), before)

    async def by_discord(self, who: str, name: str, guilds: TheirGuilds, agent: str, before: str) -> str:
        self.known.pop(before, None)
        return self.let_in(who, guilds.permissions, name, guilds.owned)

    def let_in(self, who: str, guilds: dict[str, int], name: str = "Anna", owned: tuple[str, ...] = ()) -> str:
        """Somebody has signed in with Discord; what their browser shows."""
        known = Known(way="discord", who=who, name=name, guilds=guilds, owned=owned, latest=9)
        return self._begin(known, "")

    def _begin(self, known: Known, before: str) -> str:
        self.known.pop(before, None)
        self._count += 1
        secret = f"secret-{self._count}-{known.who}"
        self.known[secret] = Session(
            digest=digest_of(secret), id=f"ses_{self._count}", begun=1, used=1, until=2, known=known,
            operates=known.way != "discord",
        )  # fmt: skip
        return secret

    async def find(self, secret: str) -> Session | None:
        return self.known.get(secret)

    def is_stale(self, session: Session) -> bool:
        return session.id in self.stale

    async def note_guilds(self, session: Session, guilds: TheirGuilds) -> Session:
        self.stale.discard(session.id)
        known = msgspec.structs.replace(session.known, guilds=guilds.permissions, owned=guilds.owned)
        fresh = msgspec.structs.replace(session, known=known)
        self.known = {secret: fresh if each.id == fresh.id else each for secret, each in self.known.items()}
        return fresh

    async def actor(self, session: Session, request: Any) -> Actor:
        return await self.actor_in(session, getattr(request, "guild_id", None))

    async def actor_in(self, session: Session, guild_id: str | None) -> Actor:
        if session.operates:
            return OPERATOR
        here = guild_id if guild_id in self.guilds_here and guild_id in session.known.guilds else None
        permissions = 0 if here is None else session.known.guilds[here]
        owner = here in session.known.owned
        return Actor(kind="member", id=session.known.who, guild_id=here, permissions=permissions, owner=owner)

    async def guilds(self, session: Session) -> list[GuildHere]:
        return [
            GuildHere(guild_id=id, name=name, manages=bool(session.known.guilds[id] & MANAGE_GUILD))
            for id, name in self.guilds_here.items()
            if id in session.known.guilds
        ]

    async def mine(self, session: Session) -> list[Session]:
        return [each for each in self.known.values() if each.known.holder == session.known.holder]

    async def end(self, session: Session, id: str | None = None) -> None:
        self.known = {secret: each for secret, each in self.known.items() if each.id != (id or session.id)}

    async def end_all(self, session: Session) -> None:
        holder = session.known.holder
        self.known = {secret: each for secret, each in self.known.items() if each.known.holder != holder}


class FakeDoor:
    """Answers every request with a fixed view of the right kind, or with what a test puts in.

    Attributes:
        asked: every request so far, with its actor.
        answers: by request type; an exception is raised, a function asked with the request.
        journal: what ``follow`` brings; ``tell`` adds to it.
        log: the pages that ``follow_log`` brings; ``log_more`` adds to it.
        sessions: who is signed in.
        following: how many streams are open; ``left`` is set when the last one is closed.
    """

    def __init__(self) -> None:
        self.sessions = FakeSessions()
        self.following = 0
        self.left = asyncio.Event()
        self._told = asyncio.Condition()
        self.reset()

    def reset(self) -> None:
        """Forget what was asked and put in."""
        self.asked: list[tuple[Actor, Any]] = []
        self.answers: dict[type, Any] = dict(_ANSWERS)
        self.journal: list[Event] = []
        self.log: list[views.RunLog] = []
        self.sessions.reset()

    @property
    def last(self) -> Any:
        """The newest request."""
        return self.asked[-1][1]

    async def handle(self, actor: Actor, request: Any) -> Any:
        self.asked.append((actor, request))
        answer = self.answers.get(type(request), SCHEDULE)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    async def calendar(self, whose: str, id: str, secret: str) -> str | None:
        self.asked.append((OPERATOR, (whose, id, secret)))
        return "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" if secret == "right" else None

    async def tell(self, *events: Event) -> None:
        """Append to the journal."""
        async with self._told:
            self.journal.extend(events)
            self._told.notify_all()

    async def follow(
        self, actor: Actor, after: str | None, *, kinds: tuple[str, ...] = (), guild_id: str | None = None
    ) -> AsyncIterator[Event]:
        place = len(self.journal) if after is None else int(after.rpartition("-")[2])
        self.following += 1
        self.left.clear()
        try:
            while True:
                async with self._told:
                    while len(self.journal) <= place:
                        await self._told.wait()
                    upcoming = self.journal[place]
                place += 1
                if not kinds or upcoming.kind in kinds:
                    yield upcoming
        finally:
            self.following -= 1
            if self.following == 0:
                self.left.set()

    async def log_more(self, *pages: views.RunLog) -> None:
        """Append to the log."""
        async with self._told:
            self.log.extend(pages)
            self._told.notify_all()

    async def follow_log(self, actor: Actor, id: str, after: int) -> AsyncIterator[views.RunLog]:
        self.asked.append((actor, (id, after)))
        place = 0
        self.following += 1
        self.left.clear()
        try:
            while True:
                async with self._told:
                    while len(self.log) <= place:
                        await self._told.wait()
                    page = self.log[place]
                place += 1
                yield page
                if page.ended:
                    return
        finally:
            self.following -= 1
            if self.following == 0:
                self.left.set()

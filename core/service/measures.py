"""The use cases about what guilds may use: limits that last or end, verifying, suspending. And their coming and going with the
ledger.

A change is one transaction with its audit line; the engine follows after the commit. Where there is more room than before,
runs that were put off to a later day are brought forward, some at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import structlog

from core.governor.measures import NOTHING, VERIFIED, ForATime, Mark, Measures, Stored, changed, ended, said
from core.governor.settings import FIRST_PLAN, OVERRIDES, GuildQuota, Limits
from core.governor.verdict import scope_of
from core.ledger.port import StoreClosed, StoreError, Transaction
from core.ledger.rows import EventRow
from core.service import access
from core.service.desk import Desk
from core.service.draft import MOST_ARGS
from core.service.effects import Effects
from core.service.forwarding import Forwarding
from core.service.refusal import Refusal
from core.service.rules import rules_change, when_rules_change
from core.service.shape import shaped
from core.service.suspicion import BY, Suspected, lifted, slowed
from core.service.triggers import moment_in
from core.service.usage import Usage, quota_for
from core.service.verification import Codes
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Invalid
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.views import GuildView, QuotaView, TemporaryQuota, VerificationView

log = structlog.get_logger("schedule_zero.measures")

MEASURES: Final = "measures"
LOOK_S: Final = 5.0
"""So soon a change by another core holds here, should its word of it be lost."""
LONGEST_LOOK_S: Final = 60.0
"""So soon it is noticed that somebody set the clock."""
MOST_FOR_A_TIME: Final = 20
_FROM_OUTSIDE: Final = frozenset({"http", "cli", "page", "zmq"})
SUSPICION: Final = "suspicion"
SUSPECTING: Final = Actor(kind="core", id=SUSPICION)
_WRONG_CODE: Final = "is not the code of this server, or too old; sign in at the dashboard for a new one"
_NO_CODE: Final = (
    "is not the code of this server, for none is good any more: one ends after 15 minutes, five wrong tries, or its use; "
    "sign in at the dashboard for a new one"
)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Stored).decode


class GuildMeasures:
    """What guilds may use."""

    def __init__(self, desk: Desk, usage: Usage) -> None:
        self._desk = desk
        self._usage = usage
        self._codes = Codes(desk)
        self._changed = asyncio.Event()
        self._followed = 0
        self.forwarding = Forwarding(desk)

    # what people ask for

    async def get(self, actor: Actor, request: ask.GetGuildQuota) -> QuotaView:
        """What a guild may use. Raises NotFound."""
        access.require_guild(actor, request.guild_id, change=False)
        return quota_for(actor, self._view(request.guild_id, self._measures.stored_of(request.guild_id)))

    async def put(self, actor: Actor, request: ask.PutGuildQuota) -> QuotaView:
        """Set all that lasts. Raises Forbidden, Invalid."""
        access.require_service(actor)
        wanted = self._limits(request.document)

        def set_all(before: Stored, _now: int) -> Stored:
            own = msgspec.structs.replace(wanted, plan=None)
            return msgspec.structs.replace(lifted(before), plan=wanted.plan, own=own)

        return await self._change_quota(actor, request, set_all)

    async def patch(self, actor: Actor, request: ask.PatchGuildQuota) -> QuotaView:
        """Set some of it, for a time or for good. Raises Forbidden, Invalid."""
        access.require_service(actor)
        wanted, reset = self._limits(request.changes), _limits_named(request.reset, "reset")
        _limits_named(request.end, "end")
        _require_one_meaning(request, wanted, reset)
        if request.until is None:

            def set_some(before: Stored, now: int) -> Stored:
                after = ended(changed(_running(lifted(before), now), said(wanted), reset=reset), request.end)
                plan = None if "plan" in reset else wanted.plan or before.plan
                return msgspec.structs.replace(after, plan=plan)

            return await self._change_quota(actor, request, set_some)
        until = await self._end_in(request)
        if wanted.plan is not None:
            raise Invalid.at("changes.plan", "a plan does not change for a time; leave it out, or leave out `until`")
        if reset or request.end or not said(wanted):
            raise Invalid.at("changes", 'says no limit that could hold for a time; write for example {"running": 50}')

        def set_for_a_time(before: Stored, now: int) -> Stored:
            running = _running(before, now).for_a_time
            if len(running) >= MOST_FOR_A_TIME:
                raise Conflict(f"There are {MOST_FOR_A_TIME} limits with an end for this guild; let some end first.")
            return msgspec.structs.replace(
                before, for_a_time=(*running, ForATime(wanted, until, in_whose_name(actor, request.by)))
            )

        return await self._change_quota(actor, request, set_for_a_time)

    async def slow_down(self, guild_id: str, suspected: Suspected, lasts: int) -> None:
        """A guild is suspected: it may use little for so long (microseconds), and hears of it. Raises StoreError."""
        effects = Effects()

        async def unit(tx: Transaction) -> None:
            effects.clear()
            now = self._desk.clock.now()
            limits = slowed(self._measures.quota_of(guild_id))

            def slow(before: Stored, now: int) -> Stored:
                running = tuple(each for each in lifted(before).for_a_time if each.until > now)
                return msgspec.structs.replace(before, for_a_time=(*running, ForATime(limits, now + lasts, BY)))

            await self._write(tx, effects, SUSPECTING, None, guild_id, Action.GUILD_SUSPECT, slow)
            facts = {
                "scope": scope_of(guild_id), "limit": SUSPICION, "rule": suspected.rule, "words": suspected.words,
                "until": now + lasts,
            }  # fmt: skip
            data = msgspec.json.encode(facts).decode()
            await tx.journal.append([EventRow(at=now, kind=EventKind.QUOTA_REACHED, guild_id=guild_id, data=data)])

        await self._desk.ledger.write(unit)
        for step in effects.steps:
            step()

    async def new_verification(self, actor: Actor, request: ask.NewVerification) -> VerificationView:
        """A code for who signed in and manages the guild. Raises Forbidden, NotFound, Conflict."""
        access.require_guild(actor, request.guild_id, change=True)
        if self._measures.stored_of(request.guild_id).verified is not None:
            raise Conflict("This server is verified already.")

        code, fresh = "", None

        async def work(tx: Transaction, _effects: Effects) -> VerificationView:
            nonlocal code, fresh
            code, until = await self._codes.new(tx, request.guild_id)
            line = self._desk.line(actor, Action.GUILD_CODE, request.guild_id, request.guild_id)
            await tx.notes.audit([line])
            fresh = VerificationView(guild_id=request.guild_id, until=spell(until))  # remembered without the code
            return fresh

        view = await self._desk.change(actor, request, VerificationView, work)
        if view is fresh:
            view.code = code
        return view

    async def verify(self, actor: Actor, request: ask.VerifyGuild) -> GuildView:
        """Give a guild the plan of verified ones. Raises Forbidden, NotFound, Invalid."""
        if request.code is None:
            access.require_service(actor)
        else:
            access.require_guild(actor, request.guild_id, change=True)

        async def try_code(tx: Transaction) -> Refusal | None:
            """A wrong try counts whatever comes of it; a right one uses the code up together with what it is for."""
            if request.code is None:
                return None
            tried = await self._codes.redeem(tx, request.guild_id, request.code)
            if tried == "right":
                return None
            return Refusal(Invalid.at("code", _NO_CODE if tried == "none" else _WRONG_CODE))

        def mark(before: Stored, now: int) -> Stored:
            better = self._measures.plan_of(request.guild_id) not in (FIRST_PLAN, None)
            plan = before.plan if better else VERIFIED
            why = "by an operator" if request.code is None else "by a code from the dashboard"
            return msgspec.structs.replace(
                before, plan=plan, verified=before.verified or Mark(now, in_whose_name(actor, request.by), why)
            )

        return await self._change_guild(
            actor, request, Action.GUILD_VERIFY, mark, EventKind.GUILD_VERIFIED, unless=try_code
        )

    async def suspend(self, actor: Actor, request: ask.SuspendGuild) -> GuildView:
        """Let a guild start nothing, until it is resumed. Saying so again can tell another reason. Raises Forbidden."""
        access.require_service(actor)

        def mark(before: Stored, now: int) -> Stored:
            fresh = Mark(now, in_whose_name(actor, request.by), request.why)
            was = before.suspended
            if was is not None:  # it began when it began; who says no other reason leaves the one that is told
                fresh = msgspec.structs.replace(fresh, at=was.at) if request.why else was
            return msgspec.structs.replace(before, suspended=fresh)

        return await self._change_guild(actor, request, Action.GUILD_SUSPEND, mark, EventKind.GUILD_SUSPENDED)

    async def resume(self, actor: Actor, request: ask.ResumeGuild) -> GuildView:
        """Let it start again. Raises Forbidden, Conflict."""
        access.require_service(actor)

        def unmark(before: Stored, _now: int) -> Stored:
            if before.suspended is None:
                raise Conflict(f"Server {request.guild_id} is not suspended, so there is nothing to resume.")
            return msgspec.structs.replace(before, suspended=None)

        return await self._change_guild(actor, request, Action.GUILD_RESUME, unmark, None)

    # coming and going with the ledger

    async def load(self) -> set[str]:
        """Read what the store says of every guild. Returns those that are different from what was known."""
        followed = self._followed
        stored = (await self._desk.reader.notes.all(MEASURES)).items()
        if followed != self._followed:
            return set()  # some changed here while they were read; word of that comes, and they are read again
        now = self._desk.clock.now()
        found = {guild: _running(_decode(text), now) for guild, text in stored}
        known = set(self._measures.guilds())
        different = {
            guild for guild in known | found.keys() if found.get(guild, NOTHING) != self._measures.stored_of(guild)
        }
        for guild in different:
            self._measures.put(guild, found.get(guild, NOTHING), now)
        return different

    async def keep(self) -> None:
        """Let limits end that have an end, and follow what other cores change, until cancelled.

        There may be more room at a start than there was at the end before: a change was committed as the process ended,
        a limit ended meanwhile, or the configuration is another one.
        """
        when_rules_change(self._desk, self._changed.set)
        await self.forwarding.everybody()
        while True:
            await self._until_next_end()
            try:
                await self.turn()
            except StoreClosed:
                return
            except StoreError as error:
                log.warning("the store refused; limits are looked at again later", error=str(error))

    async def turn(self) -> None:
        """Let end what has its time behind it, and take over what other cores changed."""
        different = self._measures.lapse(self._desk.clock.now())
        try:
            if self._desk.shared:
                different |= await self.load()
        finally:
            if different:
                self._desk.engine.consequences.measures_changed(different)
            for guild in different:
                self.forwarding.begin(guild)

    async def _until_next_end(self) -> None:
        end = self._measures.next_end()
        left = None if end is None else max(0.0, (end - self._desk.clock.now()) / 1e6)
        longest = LOOK_S if self._desk.shared else LONGEST_LOOK_S
        try:
            async with asyncio.timeout(longest if left is None else min(left, longest)):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()  # not before: a word that came while the last one was heeded counts

    # steps

    @property
    def _measures(self) -> Measures:
        return self._desk.engine.measures

    def _limits(self, document: dict[str, Any]) -> GuildQuota:
        """What was sent, checked. Raises Invalid."""
        wanted = shaped(document, GuildQuota)
        if wanted.plan is not None and wanted.plan not in self._measures.plans:
            raise Invalid.at("plan", f"{wanted.plan!r} is no plan; there are {', '.join(self._measures.plans)}")
        if isinstance(wanted.payload_bytes, int) and wanted.payload_bytes > MOST_ARGS:
            raise Invalid.at("payload_bytes", f"is more than the {MOST_ARGS:,} bytes that arguments may ever take")
        return wanted

    async def _end_in(self, request: ask.PatchGuildQuota) -> int:
        settings = await self._desk.facts.guild_settings(request.guild_id)
        now = self._desk.clock.now()
        until = moment_in(str(request.until), "until", now=now, timezone=settings.timezone, settings=settings)
        if until <= now:
            raise Invalid.at("until", "lies in the past; name a time to come")
        return until

    async def _change_quota(
        self, actor: Actor, request: ask.PutGuildQuota | ask.PatchGuildQuota, change: Callable[[Stored, int], Stored]
    ) -> QuotaView:
        async def work(tx: Transaction, effects: Effects) -> QuotaView:
            after = await self._write(tx, effects, actor, request.by, request.guild_id, Action.GUILD_QUOTA, change)
            return self._view(request.guild_id, after)

        view = await self._desk.change(actor, request, QuotaView, work)
        self.forwarding.begin(request.guild_id)
        return view

    async def _change_guild(
        self, actor: Actor, request: ask.VerifyGuild | ask.SuspendGuild | ask.ResumeGuild, action: Action,
        change: Callable[[Stored, int], Stored], kind: EventKind | None, *,
        unless: Callable[[Transaction], Awaitable[Refusal | None]] | None = None,
    ) -> GuildView:  # fmt: skip
        """``unless``: what refuses it in the transaction itself."""

        async def work(tx: Transaction, effects: Effects) -> GuildView | Refusal:
            refusal = None if unless is None else await unless(tx)
            if refusal is not None:
                return refusal
            before = self._measures.stored_of(request.guild_id)
            after = await self._write(tx, effects, actor, request.by, request.guild_id, action, change)
            if kind is not None and after != before:
                now = self._desk.clock.now()
                await tx.journal.append([EventRow(at=now, kind=kind, guild_id=request.guild_id)])
            return await self._usage.summary(actor, tx, request.guild_id, after)

        view = await self._desk.change(actor, request, GuildView, work)
        self.forwarding.begin(request.guild_id)
        return view

    async def _write(
        self, tx: Transaction, effects: Effects, actor: Actor, by: str | None, guild_id: str, action: Action,
        change: Callable[[Stored, int], Stored],
    ) -> Stored:  # fmt: skip
        now = self._desk.clock.now()
        text = await tx.notes.get(MEASURES, guild_id)
        before = NOTHING if text is None else _decode(text)
        after = change(before, now)
        written = None if after == NOTHING else _encode(after).decode()
        if written != text:
            rules_change(self._desk, tx)
            await tx.notes.put(MEASURES, {guild_id: written})
            await tx.notes.audit(
                [self._desk.line(actor, action, guild_id, guild_id, text, written, by=in_whose_name(actor, by))]
            )
        effects.steps.append(lambda: self._follow(guild_id, after))
        return after

    def _follow(self, guild_id: str, after: Stored) -> None:
        """It is committed: from now on it holds."""
        self._followed += 1
        self._measures.put(guild_id, after, self._desk.clock.now())
        self._desk.engine.consequences.measures_changed([guild_id])
        self._changed.set()

    def _view(self, guild_id: str, stored: Stored) -> QuotaView:
        """As it will be once this is stored."""
        as_it_will_be = self._measures.with_one(guild_id, stored, self._desk.clock.now())
        quota = as_it_will_be.granted(guild_id)
        return QuotaView(
            guild_id=guild_id, plan=as_it_will_be.plan_of(guild_id),
            limits=_plain({name: getattr(quota, name) for name in OVERRIDES}),
            origins=dict(as_it_will_be.origins(guild_id)) | _of_plan(stored), own=_plain(said(stored.own)),
            temporary=tuple(
                TemporaryQuota(limits=_plain(said(each.limits)), until=spell(each.until), by=each.by)
                for each in as_it_will_be.stored_of(guild_id).for_a_time
            ),
        )  # fmt: skip


def _running(stored: Stored, now: int) -> Stored:
    """The same without what has its end behind it."""
    return msgspec.structs.replace(stored, for_a_time=tuple(each for each in stored.for_a_time if each.until > now))


def _plain(limits: Mapping[str, object]) -> dict[str, object]:
    """Limits as a document has them: those of each schedule are what they say, without what they leave open."""
    return {
        name: {key: part for key, part in msgspec.structs.asdict(value).items() if part is not None}
        if isinstance(value, Limits)
        else value
        for name, value in limits.items()
    }


def _of_plan(stored: Stored) -> dict[str, str]:
    return {} if stored.plan is None else {"plan": "operator"}


def in_whose_name(actor: Actor, by: str | None) -> str:
    """Who is noted. Only the bot, and who is inside the process, is believed to speak for somebody else."""
    believed = by is not None and access.runs_service(actor) and actor.via not in _FROM_OUTSIDE
    return by if by is not None and believed else actor.who


def _require_one_meaning(request: ask.PatchGuildQuota, wanted: GuildQuota, reset: frozenset[str]) -> None:
    """Raises Invalid for what would be set and be as in the plan at once, and for a plan that is none."""
    if "plan" in request.changes and wanted.plan is None:
        raise Invalid.at(
            "changes.plan", "is never null; name a plan, or name plan in `reset` for the one it would have"
        )
    both = sorted(reset & request.changes.keys())
    if both:
        raise Invalid.at("reset", f"names {', '.join(both)}, which `changes` sets; leave it out of one of them")


def _limits_named(names: Iterable[str], field: str) -> frozenset[str]:
    """The names of limits in a field, checked. Raises Invalid."""
    known = {*OVERRIDES, "plan"}
    for name in names:
        if name not in known:
            raise Invalid.at(field, f"{name!r} is no limit; there are {', '.join(OVERRIDES)}, and plan")
    return frozenset(names)

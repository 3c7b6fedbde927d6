"""The quota governor: may this run start now, and on which handler?

Scopes are asked from the outside in: global → plan → guild → schedule → method → channel → handler. All are checked before any
is charged, so a refusal costs nothing. Time is always the caller's monotonic seconds; nothing here reads a clock or waits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from core.governor.activity import ACTIVE_S
from core.governor.adaptive import adaptive_of
from core.governor.guard import Crowd, Guard
from core.governor.limits import RateLimit, Scope
from core.governor.measures import Measured
from core.governor.own_scopes import OwnScope, OwnScopes, is_own, limits_schedules
from core.governor.settings import Capacity, MethodQuota
from core.governor.verdict import HANDLERS, Admit, Wait, scope_of, scope_of_schedule

HANDLERS_KEPT: Final = 64  # per method; processes come and go under new names
SHARE: Final = "share"
# A handler holds at most so many times the slots that are still free: alone three quarters, and however many hang, there
# is room for one more (dynamic thresholds; Choudhury and Hahne, 1998).
TIMES_FREE: Final = 3
LOOK_AGAIN_S: Final = 60.0
_NO_LIMITS: Final = Capacity()
_NO_QUOTA: Final = MethodQuota()

Whose = Callable[[str], tuple[str, str | None]]
"""Of a process: the handler it serves, and the one guild it works for, if it is one's alone."""

UnderWay = Callable[[str], Iterable[str]]
"""Of a guild: the schedule of each of its attempts under way."""


class _Place:
    """A method on one process: its limits there, and the guard it shares with others of its handler that are bound alike.

    Attributes:
        bound: the one guild the process works for; None: for all.
    """

    __slots__ = ("bound", "guard", "scope")

    def __init__(self, scope: Scope, guard: Guard, bound: str | None) -> None:
        self.scope = scope
        self.guard = guard
        self.bound = bound


class _Method:
    """A method's own scope, and a place for each process that has run it. ``guards``: by the guild they are bound to."""

    __slots__ = ("guards", "handlers", "name", "quota", "scope")

    def __init__(self, name: str, quota: MethodQuota, scope: Scope) -> None:
        self.name = name
        self.quota = quota
        self.scope = scope
        self.handlers: dict[str, _Place] = {}
        self.guards: dict[str | None, Guard] = {}


class _Path:
    """What one guild's runs of one method pass through, with the calls laid out that each start and end makes.

    ``each_schedule``: each of the guild's schedules has limits of its own, which stand between ``outer`` and the method's.
    ``barred``: the guild may not use the handler; nothing passes, whatever its own limits have room for.
    """

    __slots__ = ("checks", "each_schedule", "guild", "method", "outer", "releases", "scopes", "takes")

    def __init__(
        self, guild: str | None, outer: Sequence[Scope], method: _Method, *, each_schedule: bool, barred: Wait | None
    ) -> None:
        scopes = (*outer, method.scope)
        self.guild = guild
        self.scopes = scopes
        self.method = method
        self.each_schedule = each_schedule
        self.outer: tuple[Callable[[float], Wait | None], ...] = tuple(
            check for scope in outer for check in scope.checks
        )
        if barred is not None:
            around = [check for scope in outer if scope.name != barred.scope for check in scope.checks]
            self.outer = (*around, lambda _: barred)
        self.checks = (*self.outer, *method.scope.checks)
        self.takes = tuple(limit.take for scope in scopes for limit in scope.limits)
        self.releases = tuple(scope.running.release for scope in scopes)


class Governor:
    """Admits runs, and knows what is in use. One per core."""

    def __init__(
        self, measures: Measured, whose: Whose = lambda _: ("", None), under_way: UnderWay = lambda _: ()
    ) -> None:
        """Start with nothing in use.

        Args:
            measures: what everybody may use.
            whose: asked of each process once; without it all belong to one handler.
            under_way: asked where a guild's schedules have limits of their own from now on, for what runs of them is not
                counted before.
        """
        self._measures = measures
        self._whose = whose
        self._under_way = under_way
        self._crowds: dict[str, Crowd] = {}
        self._over_share: dict[str, None] = {}  # handlers found to hold their share, since anything was released
        self._dirty: dict[str, RateLimit] = {}
        self._kept: dict[str, tuple[float, float]] = {}  # by scope: since when so many seconds are spoken for
        self._paths: dict[str | None, dict[str, _Path]] = {}
        self._global = Scope("global", measures.global_, self._dirty)
        self._guilds: dict[str, Scope] = {}
        self._plans = self._new_plans({}, 0.0)
        self._methods: dict[str, _Method] = {}
        self.own = OwnScopes(lambda: self._measures, self._dirty)

    # one run

    def take(
        self, guild: str | None, method: str, candidates: Sequence[str], now: float, destination: str = "",
        schedule: str = "",
    ) -> Admit | Wait:  # fmt: skip
        """Charge one start to every scope on its way, if all of them have room.

        Args:
            guild: whose run it is; None: the operator's own, which has no plan and no guild limits.
            method: ``handler.method``.
            candidates: instances of the handler that could do it, best first.
            now: monotonic seconds.
            destination: the scope of where its message goes (``core.governor.sends``), where there is a limit for that.
            schedule: the schedule it is a run of.

        Returns:
            Admit with the first candidate that has room, or the outermost refusal, with nothing charged.
        """
        path = self._path(guild, method)
        mine = self._own_of(path, schedule, now) if path.each_schedule else None
        there = self.own.scope(destination, guild, now) if destination else None
        handler = self._check(path, candidates, now, mine, there)
        if isinstance(handler, Wait):
            return handler
        for take in path.takes:
            take(now)
        if mine is not None:
            mine.take(now)
        if there is not None:
            there.take(now)
        place = path.method.handlers[handler]
        for limit in place.scope.limits:
            limit.take(now)
        place.guard.take(guild, now)
        return Admit(handler)

    def explain(
        self, guild: str | None, method: str, candidates: Sequence[str], now: float, destination: str = "",
        schedule: str = "",
    ) -> Admit | Wait:  # fmt: skip
        """What ``take`` would answer, taking nothing."""
        path = self._path(guild, method)
        mine = self._own_of(path, schedule, now) if path.each_schedule else None
        there = self.own.scope(destination, guild, now) if destination else None
        handler = self._check(path, candidates, now, mine, there)
        return handler if isinstance(handler, Wait) else Admit(handler)

    def give_back(
        self, guild: str | None, method: str, handler: str, taken_at: float | None = None, destination: str = "",
        schedule: str = "",
    ) -> None:  # fmt: skip
        """The attempt was not committed: its start never happened.

        Args:
            taken_at: the ``now`` of its ``take``; without it, rates stay charged.
            destination: as of ``take``, and so is ``schedule``.
        """
        path, place = self._path_to(guild, method, handler)
        for scope in (*path.scopes, place.scope):
            for limit in scope.limits:
                limit.undo(taken_at)
        for name in (scope_of_schedule(schedule), destination):
            if (own := self.own.known(name)) is not None:
                own.undo(taken_at)
        place.guard.undo(guild, taken_at)

    def release(
        self, guild: str | None, method: str, handler: str, seat_seconds: float, now: float, *, schedule: str = "",
        ok: bool | None = None, took_s: float | None = None, taken_at: float = -math.inf, one_of_several: bool = False,
    ) -> list[str]:  # fmt: skip
        """An attempt ended after so many seconds. Returns the scopes that were full: who waits for them may try again.

        Args:
            schedule: as of ``take``.
            ok: whether it succeeded; False: it failed for a passing cause; None: its end says nothing of the handler.
            took_s: from its sending to its answer, where it was answered.
            taken_at: the ``now`` of its ``take``; without it, it is older than anything that is known.
            one_of_several: another process, which is well, does the same; that this one failed says nothing of the rest.
        """
        path = self._path(guild, method)
        freed = [name for release in path.releases if (name := release(seat_seconds, now)) is not None]
        if path.each_schedule:
            mine = self.own.known(scope_of_schedule(schedule))
            if mine is not None and (name := mine.release(seat_seconds, now)) is not None:
                freed.append(name)
        if self._over_share:  # whoever this one was, what is free is more
            freed += self._over_share
            self._over_share.clear()
        place = path.method.handlers.get(handler)
        if place is not None:
            if (name := place.scope.running.release(seat_seconds, now)) is not None:
                freed.append(name)
            if place.guard.ended(guild, ok, took_s, taken_at, now, one_of_several=one_of_several):
                freed.append(f"handler:{self._whose(handler)[0]}")
        return freed

    # across a restart

    def restore_running(self, guild: str | None, method: str, handler: str, schedule: str = "") -> None:
        """Count an attempt that the ledger holds open from before a restart."""
        path, place = self._path_to(guild, method, handler)
        for scope in (*path.scopes, place.scope):
            scope.running.used += 1
        mine = self._own_of(path, schedule, -math.inf) if path.each_schedule else None
        if mine is not None:
            mine.restore()
        place.guard.restore()

    def changed(self, now: float) -> dict[str, float]:
        """Rate state that changed since the last call, to be stored with the attempts of that transaction.

        Key: the scope. Value: the seconds that are spoken for; 0: nothing, the row may go.
        """
        rows = {scope: max(0.0, limit.tat - now) for scope, limit in self._dirty.items()}
        self._dirty.clear()
        return rows | dict.fromkeys(self.own.rested() - rows.keys(), 0.0)

    def rate_state(self, now: float) -> dict[str, float]:
        """All rate state that is not at rest, as ``changed`` has it."""
        state = {scope: left for scope, (at, seconds) in self._kept.items() if (left := at + seconds - now) > 0}
        for scope in self._scopes():
            if scope.rate is not None and scope.rate.tat > now:
                state[scope.name] = scope.rate.tat - now
        return state | {scope: tat - now for scope, tat in self.own.tats() if tat > now}

    def restore_rates(self, state: Mapping[str, float], now: float) -> None:
        """Go on from stored rate state; for a start, before anything is taken."""
        own = {scope: seconds for scope, seconds in state.items() if is_own(scope)}
        self.own.restore(own, now)
        self._kept |= {scope: (now, remaining) for scope, remaining in state.items() if scope not in own}
        for scope in self._scopes():
            self._resume(scope)

    # settings

    def remeasure(self, guild: str, now: float) -> None:
        """What a guild may use has changed, its plan perhaps, too. What runs stays counted, as in ``reconfigure``."""
        self._paths.pop(guild, None)
        old = self._guilds.get(guild)
        if old is not None:
            self._dirty.pop(old.name, None)
            fresh = self._guilds[guild] = self._new_scope(old.name, self._measures.quota_of(guild), old, now)
            if fresh.rate is not None:
                self._dirty[fresh.name] = fresh.rate
        self._recount_plans()
        self.own.remeasure(guild, now)
        self._recount_schedules(guild, now)

    def reconfigure(self, measures: Measured, now: float) -> None:
        """Go on under other settings. What runs stays counted, what is in use of a rate's burst stays in use."""
        self._measures = measures
        self._paths.clear()
        self._dirty.clear()
        self._global = self._new_scope("global", measures.global_, self._global, now)
        for guild, old in self._guilds.items():
            self._guilds[guild] = self._new_scope(old.name, measures.quota_of(guild), old, now)
        self._plans = self._new_plans(self._plans, now)
        self._recount_plans()
        for name, method in self._methods.items():
            quota = measures.methods.get(name, _NO_QUOTA)
            fresh = _Method(name, quota, self._new_scope(method.scope.name, quota, method.scope, now))
            limits = quota.per_handler or _NO_LIMITS
            for bound, guard in method.guards.items():
                fresh.guards[bound] = self._new_guard(guard.scope, guard.crowd, quota)
                fresh.guards[bound].follow(guard)
            for handler, place in method.handlers.items():
                scope = self._new_scope(place.scope.name, limits, place.scope, now)
                fresh.handlers[handler] = _Place(scope, fresh.guards[place.bound], place.bound)
            self._methods[name] = fresh
            for bound, guard in fresh.guards.items():
                if guard.adaptive is not None:  # where there was none before, nobody has counted
                    guard.adaptive.in_flight = self.in_flight(name, (bound,))
        self._dirty.update((scope.name, scope.rate) for scope in self._scopes() if scope.rate is not None)
        self.own.remeasure(None, now)
        for guild in self._guilds:
            self._recount_schedules(guild, now)

    # questions

    def guards(self, method: str) -> Iterator[tuple[str | None, Guard]]:
        """What stands before a method (``handler.method``): for the processes of all guilds (None), and those of one."""
        known = self._methods.get(method)
        return iter(()) if known is None else iter(known.guards.items())

    def use_of(self, guild: str) -> Scope | None:
        """A guild's own scope, with what is in use of it; None: it ran nothing here yet. To be looked at only."""
        return self._guilds.get(guild)

    def around(self, guild: str) -> Iterator[Scope]:
        """What a guild shares with others, with what is in use of it, from the outside in. To be looked at only."""
        yield self._global
        plan = self._plans.get(self._measures.plan_of(guild))
        if plan is not None:
            yield plan

    def in_flight(self, method: str, whose: Collection[str | None] | None = None) -> int:
        """How many attempts of a method are under way; ``whose``: only on processes bound to these guilds (None: free)."""
        known = self._methods.get(method)
        places = () if known is None else known.handlers.values()
        return sum(each.scope.running.used for each in places if whose is None or each.bound in whose)

    # the tree

    def _path(self, guild: str | None, method: str) -> _Path:
        try:
            return self._paths[guild][method]
        except KeyError:
            path = self._paths.setdefault(guild, {})[method] = self._new_path(guild, method)
            return path

    def _new_path(self, guild: str | None, name: str) -> _Path:
        method = self._methods.get(name)
        if method is None:
            quota = self._measures.methods.get(name, _NO_QUOTA)
            method = self._methods[name] = _Method(name, quota, self._new_scope(f"method:{name}", quota))
        scopes, barred = [self._global], None
        if guild is not None:
            scopes = [*self.around(guild)]
            if guild not in self._guilds:
                self._guilds[guild] = self._new_scope(scope_of(guild), self._measures.quota_of(guild))
            scopes.append(self._guilds[guild])
            handlers = self._measures.quota_of(guild).handlers
            if handlers is not None and name.partition(".")[0] not in handlers:
                barred = Wait(scope_of(guild), HANDLERS, 0, 0)
        each_schedule = limits_schedules(self._measures.quota_of(guild))
        return _Path(guild, scopes, method, each_schedule=each_schedule, barred=barred)

    def _new_plans(self, old: Mapping[str, Scope], now: float) -> dict[str, Scope]:
        """A scope for every plan whose guilds share limits."""
        return {
            name: self._new_scope(f"plan:{name}", plan.shared, old.get(name), now)
            for name, plan in self._measures.plans.items()
            if plan.shared is not None
        }

    def _recount_plans(self) -> None:
        """A plan counts what its guilds run now, whatever plan they had."""
        for name, scope in self._plans.items():
            runs = (each.running.used for guild, each in self._guilds.items() if self._measures.plan_of(guild) == name)
            scope.running.used = sum(runs)

    def _recount_schedules(self, guild: str, now: float) -> None:
        """What runs of each schedule of a guild, should they have limits of their own only since now."""
        if limits_schedules(self._measures.quota_of(guild)):
            self.own.recount(guild, Counter(self._under_way(guild)), now)

    def _new_scope(self, name: str, limits: Capacity, old: Scope | None = None, now: float = 0.0) -> Scope:
        scope = Scope(name, limits, self._dirty)
        if old is not None:
            scope.follow(old, now)
        self._resume(scope)
        return scope

    def _resume(self, scope: Scope) -> None:
        if scope.rate is not None and scope.name in self._kept:
            scope.rate.resume(*self._kept.pop(scope.name))

    def _path_to(self, guild: str | None, method: str, handler: str) -> tuple[_Path, _Place]:
        path = self._path(guild, method)
        return path, path.method.handlers.get(handler) or self._new_place(path.method, handler, -math.inf)

    def _own_of(self, path: _Path, schedule: str, now: float) -> OwnScope | None:
        """A schedule's own scope; None where it is not known whose run it is."""
        return self.own.scope(scope_of_schedule(schedule), path.guild, now) if schedule else None

    def _check(
        self, path: _Path, candidates: Sequence[str], now: float, mine: OwnScope | None, there: OwnScope | None
    ) -> str | Wait:
        """The first candidate with room. Else the outermost refusal; of the handlers' ones that which ends soonest.

        ``mine``: the schedule's own scope; ``there``: that of where its message goes.
        """
        checks = path.checks if mine is None else (*path.outer, mine.check, *path.method.scope.checks)
        for check in checks:
            wait = check(now)
            if wait is not None:
                return wait
        if there is not None and (wait := there.check(now)) is not None:
            return wait
        method, everything, refusals = path.method, self._global.running, []
        for name in candidates:
            place = method.handlers.get(name) or self._new_place(method, name, now)
            guard = place.guard
            wait = guard.check(path.guild, now) if guard.wary else None
            if wait is None and guard.crowd.held >= TIMES_FREE * (everything.allowed - everything.used):
                wait = self._share_refusal(name, guard.crowd, now)
            if wait is None:
                for check in place.scope.checks:
                    wait = check(now)
                    if wait is not None:
                        break
                else:
                    return name
            refusals.append(wait)
        if not refusals:
            return Wait(method.scope.name, HANDLERS, 0, 0)
        return min(refusals, key=lambda wait: math.inf if wait.until is None else wait.until)

    def _share_refusal(self, name: str, crowd: Crowd, now: float) -> Wait | None:
        """Whether a handler that holds most of the slots leaves the rest to others, because there are others."""
        active = (each is not crowd and (each.held or each.at + ACTIVE_S > now) for each in self._crowds.values())
        if not any(active):
            return None
        everything = self._global.running
        most = int(TIMES_FREE * (everything.allowed - everything.used + crowd.held) / (TIMES_FREE + 1))
        scope = f"handler:{self._whose(name)[0]}"
        self._over_share[scope] = None
        return Wait(scope, SHARE, crowd.held, most, now + LOOK_AGAIN_S)

    def _new_place(self, method: _Method, name: str, now: float) -> _Place:
        """A process's place. They come and go under new names, so those at rest make room."""
        if len(method.handlers) >= HANDLERS_KEPT:
            method.handlers = {name: each for name, each in method.handlers.items() if not each.scope.at_rest(now)}
            in_use = {each.bound for each in method.handlers.values()}
            method.guards = {
                bound: each for bound, each in method.guards.items() if bound in in_use or not each.at_rest(now)
            }
        handler, bound = self._whose(name)
        guard = method.guards.get(bound)
        if guard is None:
            crowd = self._crowds.setdefault(handler, Crowd())
            scope = f"handler:{handler}/{method.name.removeprefix(f'{handler}.')}"
            guard = method.guards[bound] = self._new_guard(scope, crowd, method.quota)
        limits = method.quota.per_handler or _NO_LIMITS
        scope_there = self._new_scope(f"handler:{name}/{method.name}", limits)
        place = method.handlers[name] = _Place(scope_there, guard, bound)
        return place

    def _new_guard(self, scope: str, crowd: Crowd, quota: MethodQuota) -> Guard:
        return Guard(scope, crowd, adaptive_of(quota.adaptive, quota.adaptive_min, quota.running))

    def _scopes(self) -> Iterator[Scope]:
        yield self._global
        yield from self._plans.values()
        yield from self._guilds.values()
        for method in self._methods.values():
            yield method.scope
            yield from (place.scope for place in method.handlers.values())

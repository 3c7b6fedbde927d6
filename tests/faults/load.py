"""The load: what several guilds ask for at once, some twenty to thirty runs a second.

Everything is asked with a key and repeated with the same key until it is acknowledged, as a careful client does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from random import Random
from typing import Any, TypeVar

from schedule_zero import instant
from schedule_zero.client import CoreClient
from schedule_zero.errors import Conflict, Gone, Invalid, NotFound, Unavailable
from schedule_zero.event import Event, EventKind
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import DateTrigger, IntervalTrigger
from tests.faults.asked import Asked, Call, Promise, Series, Single
from tests.faults.follower import Follower

T = TypeVar("T")
GUILDS = ("100000000000000001", "100000000000000002", "100000000000000003")
PROMISES: dict[str, Promise] = {
    "work": "succeeds", "grind": "succeeds", "stumble": "succeeds", "once": "once", "refuse": "fails", "echo": "succeeds",
}  # fmt: skip
PERSISTENT = {"max_attempts": 20, "initial": "PT0.2S", "maximum": "PT2S"}
SERIES: tuple[tuple[str, str, float, dict[str, Any]], ...] = (
    *[("work", "PT1S", 0.05 * place, {}) for place in range(12)],
    ("work", "PT2S", 0.4, {"catchup": "all", "overlap": "allow"}),
    ("grind", "PT2S", 0.3, {"catchup": "all", "overlap": "allow"}),
    ("once", "PT1S", 0.3, {"overlap": "allow"}),
    ("once", "PT2S", 1.0, {"overlap": "allow"}),
    ("stumble", "PT2S", 0.1, {"overlap": "skip"}),
    ("work", "PT3S", 2.0, {"overlap": "cancel_previous"}),
    ("work", "PT2S", 2.0, {"delivery": "at_most_once"}),
    ("echo", "PT1S", 0.0, {}),
    ("echo", "PT1S", 0.5, {"catchup": "all"}),
)
"""Method, every, seconds of work, policy."""
SINGLES = ("work", "grind", "once", "stumble", "refuse", "echo")
AHEAD = (300_000, 4_000_000)
"""How far ahead a single is due, microseconds."""
LAST = 4 * instant.SECOND
"""From the moment at which the load is stopped to the end of its series; longer than any of them pauses."""
UNKNOWN = ("there is no handler", "it has none")
"""What a core says of handlers that are not back yet, or all away."""
TOO_LATE = "lies in the past"
"""What a core says of a single that it heard of only now; nothing was acknowledged, and nothing is owed."""
MOST_ASKED = 12
PATIENCE = 300.0


class Load:
    """Asks until it is stopped. ``rate``: how much is asked by hand, in a second."""

    def __init__(self, client: CoreClient, follower: Follower, random: Random, *, rate: float = 8.0) -> None:
        self.asked = Asked()
        self._client = client
        self._random = random
        self._rate = rate
        self._number = 0
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: list[asyncio.Task[None]] = []
        self._callable: list[Series] = []
        self._watched: set[str] = set()
        self._caller = asyncio.create_task(self._ask_for_ever(), name="load")
        follower.on_event.append(self._perhaps_cancel)

    async def begin(self) -> None:
        """The series; the rest is asked for meanwhile and from now on."""
        for method, every, seconds, policy in SERIES:
            await self.series(method, every, seconds, policy)

    async def stop(self) -> None:
        """Ask for nothing more. Every series gets an end, soon, and everything asked gets its answer."""
        self._stopping = True
        await self._caller
        await asyncio.gather(*self._tasks, *self._failed)
        for series in self.asked.series:
            series.until = now() + LAST
            changes = {"until": instant.spell(series.until)}
            await self._asked(partial(self._client.patch_schedule, series.schedule_id, changes))

    async def close(self) -> None:
        """Drop whatever is being asked, because the stage is going."""
        tasks = [self._caller, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def single(self, method: str, due: int, seconds: float = 0.0, *, watched: bool = False) -> Single:
        """A schedule due once, acknowledged. ``watched``: nobody cancels it, for a scene goes by what becomes of it."""
        spec = self._spec(method, DateTrigger(at=instant.spell(due)), seconds, {})
        single = Single((await self.create(spec)).id, method, due, promise_of(spec))
        self.asked.singles.append(single)
        if watched:
            self._watched.add(single.schedule_id)
        return single

    # ── what is asked ────────────────────────────────────────────────────────────────────────────────────────

    async def series(
        self, method: str, every: str, seconds: float, policy: dict[str, Any], *, handler: str = "works"
    ) -> None:
        """A recurring schedule, acknowledged."""
        start = now() + instant.SECOND
        spec = self._spec(method, IntervalTrigger(every=every, start=instant.spell(start)), seconds, policy, handler)
        made = await self.create(spec)
        first = instant.parse(made.next_fire_times[0])
        series = Series(
            made.id, method, first, instant.parse_duration(every), promise_of(spec),
            cancels=policy.get("overlap") == "cancel_previous",
        )  # fmt: skip
        self.asked.series.append(series)
        if policy.get("overlap") == "allow":
            self._callable.append(series)

    async def _ask_for_ever(self) -> None:
        while not self._stopping:
            await asyncio.sleep(self._random.expovariate(self._rate))
            if len(self._tasks) >= MOST_ASKED:
                continue
            asking = self._call() if self._callable and self._random.random() < 0.25 else self._some_single()
            self._keep(asking)

    def _keep(self, asking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(asking)
        self._tasks.add(task)
        task.add_done_callback(self._asked_for)

    def _asked_for(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed.append(task)

    async def _some_single(self) -> None:
        method = self._random.choice(SINGLES)
        due = now() + self._random.randint(*AHEAD)
        try:
            await self.single(method, due, self._random.choice((0.0, 0.1, 0.5, 2.0)))
        except Invalid as error:
            if TOO_LATE not in error.sentence:
                raise

    async def _call(self) -> None:
        series, key = self._random.choice(self._callable), self._key()
        run = await self._asked(lambda: self._client.run_schedule(series.schedule_id, key=key))
        self.asked.calls.append(Call(run.id, series.schedule_id, series.promise))

    def _perhaps_cancel(self, event: Event) -> None:
        """Now and then somebody cancels what has just been given out."""
        if event.kind == EventKind.RUN_DISPATCHED and not self._stopping and self._random.random() < 0.02:
            assert event.run_id is not None
            if event.schedule_id not in self._watched:
                self._keep(self._cancel(event.run_id))

    async def _cancel(self, run_id: str) -> None:
        self.asked.stopped.add(run_id)
        try:
            await self._asked(lambda: self._client.cancel_run(run_id))
        except (Conflict, Gone, NotFound):
            return  # it has ended meanwhile

    # ── how it is asked ──────────────────────────────────────────────────────────────────────────────────────

    async def create(self, spec: ScheduleSpec) -> Schedule:
        """Any schedule, acknowledged."""
        key = self._key()
        return await self._asked(lambda: self._client.create_schedule(spec, idempotency_key=key))

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Repeat until it is answered: a core that was killed may have done it or not."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return await ask()
            except (Unavailable, Invalid) as error:
                away = isinstance(error, Unavailable) or any(words in error.sentence for words in UNKNOWN)
                if not away or time.monotonic() > until:
                    raise
                await asyncio.sleep(self._random.uniform(0.05, 0.3))

    def _key(self) -> str:
        self._number += 1
        return f"load-{self._number}"

    def _spec(
        self, method: str, trigger: Any, seconds: float, policy: dict[str, Any], handler: str = "works"
    ) -> ScheduleSpec:
        echo = method == "echo"
        return ScheduleSpec(
            handler="echo" if echo else handler, method=method, trigger=trigger, timezone="UTC",
            guild_id=self._random.choice(GUILDS), args={"value": "heard", "after": seconds} if echo else {"seconds": seconds},
            policy={"retry": PERSISTENT, "failure_threshold": 1000, **policy},
        )  # fmt: skip


def promise_of(spec: ScheduleSpec) -> Promise:
    """What a run of it has to come to."""
    return "once" if spec.policy.get("delivery") == "at_most_once" else PROMISES[spec.method]


def now() -> int:
    """The wall clock, microseconds."""
    return time.time_ns() // 1000

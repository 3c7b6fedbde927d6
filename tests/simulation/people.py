"""People who use the core through a simulated day, and remember what they were told."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from core.local import LocalClient
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.instant import parse, spell
from schedule_zero.requests import CreateSchedule, RunSchedule
from schedule_zero.schedule import After, Schedule, ScheduleSpec
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, Trigger
from tests.simulation.virtual import VirtualClock

TRIGGERS: tuple[Trigger, ...] = (
    IntervalTrigger(every="PT17M"),
    IntervalTrigger(every="PT41M"),
    IntervalTrigger(every="PT2H"),
    CronTrigger(expression="*/30 * * * *", timezone="Europe/Berlin"),
    CronTrigger(expression="0 * * * *", timezone="Asia/Kathmandu"),
    CronTrigger(expression="30 */3 * * *", timezone="America/New_York"),
)


class People:
    """Keeps the promises the core made: what was acknowledged."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._count = 0
        self.acknowledged: set[str] = set()
        self.guilds: dict[str, str | None] = {}
        self.deleted: set[str] = set()
        self.run_now: dict[str, str] = {}
        self.refusals: Counter[str] = Counter()
        self._pending: tuple[str, ScheduleSpec] | None = None

    async def use(self, client: LocalClient, clock: VirtualClock, *, calm: bool) -> None:
        """Do something every few minutes. A request whose answer a crash swallowed is repeated with its key."""
        while not calm:
            try:
                await self._once(client, clock)
            except ScheduleZeroError as refusal:  # an answer too: nothing was promised
                self.refusals[type(refusal).__name__] += 1
            await asyncio.sleep(self._random.uniform(60, 2400))

    async def _once(self, client: LocalClient, clock: VirtualClock) -> None:
        roll = self._random.random()
        known = sorted(self.acknowledged - self.deleted)
        if self._pending is not None or len(known) < 4 or (roll < 0.25 and len(known) < 8):
            await self._create(client, clock)
        elif roll < 0.40:
            await self._change_at_its_due_time(client, clock, self._random.choice(known))
        elif roll < 0.50:
            await self._run_now(client, self._random.choice(known))
        elif roll < 0.55:
            args = {"args": {"text": f"v{self._random.randint(1, 99)}"}}
            await client.patch_schedule(self._random.choice(known), args)
        elif roll < 0.62:
            await self._link(client, known)
        elif roll < 0.70:
            await client.patch_schedule(self._random.choice(known), {"trigger": self._trigger_json()})
        elif roll < 0.80:
            await client.pause_schedule(self._random.choice(known))
        elif roll < 0.93:
            for id in known:
                await client.resume_schedule(id)
        else:
            id = self._random.choice(known)
            await client.delete_schedule(id)
            self.deleted.add(id)

    async def _create(self, client: LocalClient, clock: VirtualClock) -> None:
        if self._pending is None:
            self._count += 1
            self._pending = (f"create-{self._count}", self._spec(clock))
        key, spec = self._pending
        answer = await client.send(CreateSchedule(spec=spec, idempotency_key=key))
        assert isinstance(answer, Schedule)
        self.acknowledged.add(answer.id)
        self.guilds[answer.id] = answer.guild_id
        self._pending = None

    async def _link(self, client: LocalClient, known: list[str]) -> None:
        """Let one run after another of its guild, or no more."""
        child = self._random.choice(known)
        others = [id for id in known if self.guilds[id] == self.guilds[child] and id != child]
        if others and self._random.random() < 0.8:
            link = self._after(self._random.choice(others))
            await client.add_link(child, link.schedule, when=link.when, delay=link.delay)
        elif others:
            await client.remove_link(child, self._random.choice(others))

    def _after(self, parent: str) -> After:
        rng = self._random
        return After(
            schedule=parent, when=rng.choice(["success", "failure", "any", "all"]),
            delay=rng.choice(["PT0S", "PT0S", "PT0S", "PT5M", "PT1H"]),
        )  # fmt: skip

    async def _change_at_its_due_time(self, client: LocalClient, clock: VirtualClock, id: str) -> None:
        """Another rule, or a pause, in the very moment in which the tick deals with the schedule."""
        fires = (await client.get_schedule(id)).next_fire_times
        if not fires or parse(fires[0]) - clock.now() > 7200 * 1_000_000:
            return
        await asyncio.sleep(max(0.0, (parse(fires[0]) - clock.now()) / 1e6 + self._random.uniform(-0.004, 0.008)))
        if self._random.random() < 0.5:
            await client.pause_schedule(id)
        else:
            await client.patch_schedule(id, {"trigger": self._trigger_json()})

    async def _run_now(self, client: LocalClient, id: str) -> None:
        self._count += 1
        key = f"run-{self._count}"
        run = await client.send(RunSchedule(id=id, idempotency_key=key))
        self.run_now[key] = run.id  # type: ignore[union-attr]

    def _spec(self, clock: VirtualClock) -> ScheduleSpec:
        rng = self._random
        trigger: Trigger = rng.choice(TRIGGERS)
        if rng.random() < 0.3:
            trigger = DateTrigger(at=spell(clock.now() + rng.randint(1, 7200) * 1_000_000))
        policy: dict[str, Any] = {
            "catchup": rng.choice(["once", "skip", "all"]), "overlap": rng.choice(["queue", "skip", "allow"]),
            "retry": {"max_attempts": rng.choice([1, 3, 5])}, "timeout": rng.choice(["PT5S", "PT30S"]),
        }  # fmt: skip
        method = rng.choice(["post", "post", "post", "once", "flaky"])
        guild_id = str(rng.randint(1, 3))
        alike = [id for id in sorted(self.acknowledged - self.deleted) if self.guilds[id] == guild_id]
        after = tuple(map(self._after, rng.sample(alike, min(len(alike), rng.choice([0, 1, 1, 2])))))
        return ScheduleSpec(
            handler="world", method=method, trigger=None if after and rng.random() < 0.6 else trigger, after=after,
            guild_id=guild_id, args={"text": "{parent.run_id|hello}" if after else "hello"}, policy=policy,
            timezone="Europe/Berlin",
        )  # fmt: skip

    def _trigger_json(self) -> dict[str, Any]:
        return {"type": "interval", "every": self._random.choice(["PT19M", "PT31M", "PT45M"])}

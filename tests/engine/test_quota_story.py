"""Calendar quotas under random deeds: every counter is what the runs' rows say, and none ever counts more than was allowed."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.engine.books import keys_in
from core.governor.settings import GovernorSettings, Limits, MethodQuota, Plan
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.rows import UsageKey
from schedule_zero.errors import Conflict
from schedule_zero.instant import spell
from schedule_zero.schedule import Schedule
from tests.engine.conftest import MakeLedger
from tests.engine.house import House

GUILDS = ("1", "2", None)
DEEDS = 300
ROOM = 7  # of a period, at the most
GOVERNOR = GovernorSettings(
    global_=Limits(runs_per_hour=ROOM), default_plan="small", methods={"hands.once": MethodQuota(runs_per_hour=3)},
    plans={"small": Plan(runs_per_day=5, shared=Limits(runs_per_hour=6), each_schedule=Limits(runs_per_hour=4))},
)  # fmt: skip
NOT_TRIED = "SELECT charged FROM runs WHERE charged IS NOT NULL AND NOT (ended IS NOT NULL AND attempt = 0)"
COUNTED = 'SELECT scope, "limit", period, used FROM usage'


@pytest.fixture
def make_ledger(tmp_path: Path) -> MakeLedger:
    """Rows that can be looked at from outside."""
    return lambda: StoredLedger(FileDriver(tmp_path / "ledger.sqlite3", synchronous="normal"))


class Story:
    """Does one random thing after another."""

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.chance = random.Random(seed)
        self.schedules: list[Schedule] = []
        self.waiting: list[str] = []

    async def begin(self) -> None:
        """Schedules of every kind that quotas know: guilds, methods, policies, by hand and by the clock."""
        for guild in GUILDS:
            for method in ("work", "once"):
                policy = {"overlap": "allow", "on_quota": self.chance.choice(["wait", "skip"])}
                self.schedules.append(await self.house.schedule(guild_id=guild, method=method, policy=policy))
            first = spell(self.house.clock.now() + 60_000_000)
            every = {"type": "interval", "every": self.chance.choice(["PT7M", "PT20M"]), "start": first}
            await self.house.client.create_schedules(
                [{"handler": "hands", "method": "work", "guild_id": guild, "trigger": every,
                  "policy": {"overlap": self.chance.choice(["allow", "queue"])}}]
            )  # fmt: skip

    async def deed(self) -> None:
        deeds: list[Callable[[], Awaitable[Any]]] = [
            self.run_one, self.run_one, self.run_one, self.cancel_one, self.rest_one, self.other_quota, self.later, self.hands,
        ]  # fmt: skip
        await self.chance.choice(deeds if self.chance.random() > 0.03 else [self.restart])()

    async def run_one(self) -> None:
        self.waiting.append((await self.house.run_now(self.chance.choice(self.schedules))).id)

    async def cancel_one(self) -> None:
        if self.waiting:
            try:
                await self.house.client.cancel_run(self.waiting.pop(self.chance.randrange(len(self.waiting))))
            except Conflict:
                pass  # it has ended

    async def rest_one(self) -> None:
        schedule = self.chance.choice(self.schedules)
        await self.house.client.pause_schedule(schedule.id)
        await self.house.client.resume_schedule(schedule.id)

    async def other_quota(self) -> None:
        limit = self.chance.choice(["runs_per_hour", "runs_per_day", "runs_per_month"])
        allowed = self.chance.choice([None, 2, 3, 5, ROOM])
        await self.house.client.change_guild_quota(self.chance.choice(["1", "2"]), {limit: allowed})
        await self.house.forwarded()

    async def later(self) -> None:
        self.house.pass_time(self.chance.choice([30, 600, 4000]))

    async def hands(self) -> None:
        self.house.hands.set_available(self.chance.random() < 0.6)

    async def restart(self) -> None:
        await self.house.kill()
        await self.house.open()


def looked_at(folder: Path) -> tuple[dict[UsageKey, int], dict[UsageKey, int]]:
    """At one moment: what every counter says, and what it has to say by the rows of the runs."""
    with closing(sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)) as store:
        store.execute("BEGIN")
        charged = Counter(key for (names,) in store.execute(NOT_TRIED) for key in keys_in(names))
        counters = {UsageKey(*row[:3]): row[3] for row in store.execute(COUNTED)}
    return {key: used for key, used in counters.items() if used}, dict(charged)


@pytest.mark.parametrize("seed", range(3))
async def test_after_every_deed_each_counter_is_what_the_rows_of_the_runs_say(
    build: Callable[..., Awaitable[House]], tmp_path: Path, seed: int
) -> None:
    house = await build(governor=GOVERNOR)
    story = Story(house, seed)
    await story.begin()
    met: set[tuple[str, str]] = set()
    for _ in range(DEEDS):
        await story.deed()
        counters, charged = looked_at(tmp_path)
        assert counters == charged
        assert max(counters.values(), default=0) <= ROOM
        met |= {(key.scope.partition(":")[0], key.limit) for key in counters}
    assert {kind for kind, _ in met} == {"global", "plan", "guild", "schedule", "method"}

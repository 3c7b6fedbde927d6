"""Aims: how a process is brought to a window, and killed there.

Every window is aimed at in two ways. One makes it wide from outside (Discord does not answer, SQLite's write lock is
taken) and kills at leisure; the other kills a random moment after a line of the log, wherever that turns out to be.
Neither decides what counts: `windows.py` does, afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Literal

import msgspec

from schedule_zero import instant
from schedule_zero.trigger import DateTrigger, IntervalTrigger
from tests.discord_server import world
from tests.process.accounts import Due
from tests.process.house import House, message
from tests.process.latch import Latch
from tests.process.life import PATIENCE, Life
from tests.process.windows import Target

CHANNEL = world.NEWS
NOTICES = world.VOICE
BYSTANDERS = (world.GENERAL, world.GENERAL, world.OTHER_GENERAL)
PEOPLE = (world.MEMBER, world.MODERATOR, world.OPERATOR)
LEAD = 700_000
"""Microseconds from the making of a reminder to its due time."""
OVERDUE = 10.0
"""Seconds after which a kill that was armed is given up."""


class Scene(msgspec.Struct):
    """One life that shall be killed while the target's firing is under way.

    Attributes:
        number: of the scene in its house; part of every text.
        dues: everything this scene made due.
        rejected: schedules that must fail, and be told of in the notices' channel.
    """

    house: House
    life: Life
    number: int
    random: Random
    dues: list[Due] = []
    rejected: list[str] = []

    @property
    def name(self) -> str:
        """Unlike any other scene's in this house."""
        return f"try {self.number:02}"

    async def target(self, *, alone: bool = False) -> Target:
        """A reminder, the only one in its channel, and bystanders due at the same instant unless it shall be `alone`.

        The first of a house is typed, `/remind me`; the others are made over HTTP.
        """
        text = f"{self.name} target"
        if self.number == 0:
            schedule = await self.house.remind("in 2 seconds", text, CHANNEL)
        else:
            owner = PEOPLE[self.number % len(PEOPLE)]
            schedule = await self.house.remind_at(self.house.now() + LEAD, text, CHANNEL, owner_id=owner)
        self.dues.append(Due(schedule.id, text))
        due = instant.parse(schedule.next_fire_times[0])
        if not alone:
            await self._bystanders(due)
        return Target(schedule_id=schedule.id, due=due, text=text, channel_id=CHANNEL)

    async def rejection(self, due: int) -> None:
        """A series that the bot may not carry out: it is blocked at once, and one notice tells of it."""
        spec = message(
            IntervalTrigger(every="PT1H", start=instant.spell(due)),
            f"{self.name} rejected",
            world.READ_ONLY,
            policy={"failure_threshold": 1},
        )
        self.rejected.append((await self.house.core.create_schedule(spec)).id)

    async def dead(self) -> None:
        """Wait for the kill that is armed; when its moment never came, kill now, and the try proves nothing."""
        try:
            await self.life.end(patience=OVERDUE)
        except TimeoutError:
            self.life.kill()
            await self.life.end()

    async def _bystanders(self, due: int) -> None:
        trigger = DateTrigger(at=instant.spell(due))
        texts = [f"{self.name} bystander {number}" for number in range(len(BYSTANDERS))]
        specs = [message(trigger, text, channel) for text, channel in zip(texts, BYSTANDERS, strict=True)]
        answers = await self.house.core.create_schedules([msgspec.to_builtins(spec) for spec in specs])
        for text, item in zip(texts, answers.items, strict=True):
            assert item.schedule is not None, item
            self.dues.append(Due(item.schedule.id, text))


Aim = Callable[[Scene], Awaitable[Target]]


# ── tick → commit ────────────────────────────────────────────────────────────────────────────────────────────


async def while_the_tick_waits_to_commit(scene: Scene) -> Target:
    target = await scene.target()
    async with Latch(scene.house.database):
        scene.life.kill_when_it_says('"tick commits"', delay=scene.random.uniform(0, 0.02))
        await scene.dead()
    return target


async def while_the_tick_commits(scene: Scene) -> Target:
    scene.life.kill_when_it_says('"tick commits"', delay=scene.random.uniform(0, 0.001))
    target = await scene.target()
    await scene.dead()
    return target


# ── commit → send ────────────────────────────────────────────────────────────────────────────────────────────


async def while_the_author_is_looked_up(scene: Scene) -> Target:
    """The attempt is committed, and the handler asks Discord for the member before it posts."""
    fault = await scene.house.discord.fault("GET /guilds/*/members/*", "hang")
    target = await scene.target()
    await scene.house.discord.wait_fault(fault.id, timeout=PATIENCE)
    scene.life.kill()
    await scene.dead()
    return target


async def after_the_tick(scene: Scene) -> Target:
    """Between the run's commit and its attempt's, or soon after."""
    scene.life.kill_when_it_says('"tick committed"', delay=scene.random.uniform(0, 0.002))
    target = await scene.target()
    await scene.dead()
    return target


# ── POST sent → answer ───────────────────────────────────────────────────────────────────────────────────────


async def _while_discord_is_silent(scene: Scene, when: Literal["before", "after"]) -> Target:
    fault = await scene.house.discord.fault(f"POST /channels/{CHANNEL}/messages", "hang", when=when)
    target = await scene.target()
    await scene.house.discord.wait_fault(fault.id, timeout=PATIENCE)
    await asyncio.sleep(scene.random.uniform(0, 0.05))
    scene.life.kill()
    await scene.dead()
    return target


async def before_discord_took_it(scene: Scene) -> Target:
    return await _while_discord_is_silent(scene, "before")


async def after_discord_took_it(scene: Scene) -> Target:
    return await _while_discord_is_silent(scene, "after")


# ── answer → outcome ─────────────────────────────────────────────────────────────────────────────────────────


async def while_the_outcome_waits_to_commit(scene: Scene) -> Target:
    discord, place = scene.house.discord, scene.life.place
    fault = await discord.fault(f"POST /channels/{CHANNEL}/messages", "hang", when="after")
    target = await scene.target()
    await discord.wait_fault(fault.id, timeout=PATIENCE)
    async with Latch(scene.house.database):
        await discord.act("clear_faults")
        await scene.life.says(f"posted to channel {CHANNEL}", after=place)
        await asyncio.sleep(scene.random.uniform(0, 0.03))
        scene.life.kill()
        await scene.dead()
    return target


async def while_the_outcome_commits(scene: Scene) -> Target:
    scene.life.kill_when_it_says(f"posted to channel {CHANNEL}", delay=scene.random.uniform(0, 0.003))
    target = await scene.target()
    await scene.dead()
    return target


# ── outcome → acknowledged ───────────────────────────────────────────────────────────────────────────────────


async def while_a_notice_is_told(scene: Scene) -> Target:
    """The notices are busy with an earlier event, whose message Discord has and does not confirm."""
    core, discord = scene.house.core, scene.house.discord
    await core.change_guild_settings(str(world.GUILD), {"channels": {"failures": str(NOTICES)}})
    fault = await discord.fault(f"POST /channels/{NOTICES}/messages", "hang", when="after")
    target = await scene.target()
    await scene.rejection(target.due)
    await discord.wait_fault(fault.id, timeout=PATIENCE)
    await scene.house.ended([target.schedule_id])
    scene.life.kill()
    await scene.dead()
    return target


async def after_the_outcome(scene: Scene) -> Target:
    """Alone, because the first outcome after its answer has to be its own."""
    delay = scene.random.uniform(0, 0.001)
    scene.life.kill_when_it_says(
        f"posted to channel {CHANNEL}", '"outcomes commit"', '"outcomes committed"', delay=delay
    )
    target = await scene.target(alone=True)
    await scene.dead()
    return target

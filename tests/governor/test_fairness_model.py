from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.governor.fairness import FairQueue, Waiting
from core.governor.governor import Governor
from core.governor.settings import GovernorSettings, GuildQuota, Limits, MethodQuota, Plan
from tests.governor.floor import Floor

SETTINGS = GovernorSettings(
    global_=Limits(running=7, rate="20/s", burst=12),
    plans={
        "small": Plan(running=2, rate="30/min", burst=4, shared=Limits(running=4, rate="2/s", burst=6)),
        "large": Plan(running=6, weight=2),
        "free": Plan(),
    },
    default_plan="small",
    guilds={"3": GuildQuota(plan="large"), "4": GuildQuota(plan="free"), "5": GuildQuota(plan="free")},
    methods={
        "web.post": MethodQuota(running=3, rate="3/s", per_handler=Limits(running=1, rate="1/s", burst=2)),
        "web.get": MethodQuota(per_handler=Limits(running=2)),
    },
)
RAISED = GovernorSettings(global_=Limits(running=9), plans={"small": Plan(running=3)}, default_plan="small")
GUILDS = [None, "1", "2", "3", "4", "5"]
METHODS = ["web.post", "web.get", "mail.send"]


def make(governor: GovernorSettings = SETTINGS, slots: int = 7) -> Floor:
    queue = FairQueue(slots, weight_of=lambda guild: governor.quota_of(guild).weight)
    return Floor(queue, Governor(governor), max(1, int(slots * 0.8)), handlers={"web": ["a", "b"], "mail": ["m", "n"]})


class Story:
    """Random things that happen on a floor. After each, whatever can start is started, and nothing may be left."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.floor = make()
        self.made = 0
        self.guilds = GUILDS

    def step(self) -> None:
        deeds = [self.arrive] * 6 + [self.end] * 5 + [self.pass_time] * 4
        rare = [self.withdraw, self.not_begun, self.fleet, self.others_wake]
        self.dice.choice(deeds + rare)()
        self.floor.drain()
        assert self.floor.overlooked() == []

    def arrive(self) -> None:
        for _ in range(self.dice.choice([1, 1, 2, 8])):
            self.made += 1
            method = self.dice.choice(METHODS)
            self.floor.put(
                Waiting(f"run_{self.dice.randrange(10**9):09}{self.made}", self.dice.choice(self.guilds), method,
                        method.partition(".")[0], self.dice.choice([0, 1, 1, 2]), self.dice.randrange(20))
            )  # fmt: skip

    def others_wake(self) -> None:
        """From now on other guilds have work; at times only one, which then need not leave room."""
        self.guilds = self.dice.sample(GUILDS, self.dice.choice([1, 1, 2, 6]))

    def end(self) -> None:
        if self.floor.running:
            self.floor.end(self.dice.choice(sorted(self.floor.running)))

    def not_begun(self) -> None:
        if self.floor.running:
            self.floor.not_begun(self.dice.choice(sorted(self.floor.running)))

    def withdraw(self) -> None:
        if self.floor.waiting:
            self.floor.withdraw(self.dice.choice(sorted(self.floor.waiting)))

    def fleet(self) -> None:
        """A handler loses all its processes, or some come; only the coming is announced."""
        handler = self.dice.choice(["web", "mail"])
        self.floor.handlers[handler] = self.dice.choice([[], ["a"], ["c", "a", "b"]])
        if self.floor.handlers[handler]:
            self.floor.queue.released(f"handler:{handler}")

    def pass_time(self) -> None:
        """Go where ``wake_at`` says something may start. Before that, nothing may."""
        pause = self.dice.choice([0.0, 0.05, 0.4, 2.0, 30.0, 700.0])
        wake_at = self.floor.queue.wake_at(self.floor.now)
        if wake_at is not None and wake_at <= self.floor.now + pause:
            self.floor.now = max(self.floor.now, wake_at - 1e-6)
            assert self.floor.overlooked() == []
            self.floor.now = wake_at
        else:
            self.floor.now += pause
            assert self.floor.overlooked() == []

    def finish(self) -> None:
        """All handlers stay, nothing new comes: everything has to start in the end."""
        self.floor.handlers = {"web": ["a", "b"], "mail": ["m", "n"]}
        for handler in self.floor.handlers:
            self.floor.queue.released(f"handler:{handler}")
        while self.floor.waiting or self.floor.running:
            self.floor.drain()
            assert self.floor.overlooked() == []
            assert self.floor.running or self.floor.queue.wake_at(self.floor.now) is not None
            for run_id in sorted(self.floor.running):
                self.floor.end(run_id)
            wake_at = self.floor.queue.wake_at(self.floor.now)
            if wake_at is not None:
                self.floor.now = max(self.floor.now, wake_at)
        assert self.floor.queue.waiting() == 0


@pytest.mark.slow
@given(st.randoms(use_true_random=False), st.integers(1, 120))
@settings(max_examples=80, deadline=None)
def test_nothing_that_may_start_is_overlooked_and_everything_parked_is_woken(dice: random.Random, steps: int) -> None:
    story = Story(dice)
    for _ in range(steps):
        story.step()
    story.finish()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_long_story_overlooks_nothing(seed: int) -> None:
    story = Story(random.Random(seed))
    for _ in range(800):
        story.step()
    story.finish()


@pytest.mark.parametrize("seed", range(4))
def test_after_other_settings_everything_is_tried_again(seed: int) -> None:
    story = Story(random.Random(seed))
    for step in range(300):
        if step % 40 == 39:
            story.floor.governor.reconfigure(RAISED if step % 80 == 39 else SETTINGS, story.floor.now)
            story.floor.queue.wake_all()
            story.floor.drain()
        story.step()
    story.finish()

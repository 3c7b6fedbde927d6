"""Governor and fair queue against slow and obvious models: whatever happens in whatever order, the promises hold.

``Story`` tells what may happen; ``Floor`` asks the model beside the governor at every start, and looks after each deed.
"""

from __future__ import annotations

import heapq
import random
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.governor.fairness import FairQueue, Waiting
from core.governor.lanes import DEBT_S, LEAD_S
from tests.governor.story import GUILDS, METHODS, PAUSES, SETTINGS, Story

pytestmark = pytest.mark.slow

OPERATIONS = 10_000
PLACES = st.integers(0, 30)
HANDLERS = ["web", "mail"]
FLEETS = ["", "a", "m", "cab", "nm"]
AWAY = [0.0, 1.0, 60.0]


class Whatever(RuleBasedStateMachine):
    """Any deeds in any order; what fails is told in as few of them as it takes."""

    @initialize()
    def open(self) -> None:
        self.story = Story()

    @rule(
        guild=st.sampled_from(GUILDS), method=st.sampled_from(METHODS), priority=st.sampled_from([1, 0, 2]),
        due=st.integers(0, 20), count=st.sampled_from([1, 1, 2, 8]),
    )  # fmt: skip
    def arrive(self, guild: str | None, method: str, priority: int, due: int, count: int) -> None:
        for _ in range(count):
            self.story.arrive(guild, method, priority, due)

    @rule(place=PLACES, ok=st.sampled_from([True, None, False]))
    def end(self, place: int, ok: bool | None) -> None:
        self.story.end(place, ok=ok)

    @rule(place=PLACES)
    def not_begun(self, place: int) -> None:
        self.story.not_begun(place)

    @rule(place=PLACES)
    def withdraw(self, place: int) -> None:
        self.story.withdraw(place)

    @rule()
    def commit(self) -> None:
        self.story.commit()

    @rule(handler=st.sampled_from(HANDLERS), processes=st.sampled_from(FLEETS))
    def fleet(self, handler: str, processes: str) -> None:
        self.story.fleet(handler, processes)

    @rule(handler=st.sampled_from(HANDLERS), ill=st.booleans())
    def fall_ill(self, handler: str, ill: bool) -> None:
        self.story.fall_ill(handler, ill=ill)

    @rule(pause=st.sampled_from(PAUSES))
    def pass_time(self, pause: float) -> None:
        self.story.pass_time(pause)

    @rule(number=st.integers(0, len(SETTINGS) - 1))
    def reconfigure(self, number: int) -> None:
        self.story.reconfigure(number)

    @rule(number=st.integers(0, len(SETTINGS) - 1), away_s=st.sampled_from(AWAY))
    def restart(self, number: int, away_s: float) -> None:
        self.story.restart(number, away_s)

    @invariant()
    def look(self) -> None:
        self.story.look()

    def teardown(self) -> None:
        self.story.finish()


TestWhatever: Any = Whatever.TestCase
TestWhatever.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


class Dice:
    """Deeds by dice. ``calm``: nothing but runs that come and go."""

    def __init__(self, seed: int, *, calm: bool = False) -> None:
        self.dice = random.Random(seed)
        self.story = Story()
        self.guilds = GUILDS
        self.crowded = 12 if calm else 40
        self.often = [self.arrive] * 6 + [self.end] * 6 + [self.pass_time] * 5 + [self.story.commit] * 2
        self.rare = [] if calm else [self.withdraw, self.not_begun, self.fleet, self.fall_ill, self.others]
        self.rarest = [] if calm else [self.restart, self.reconfigure]

    def tell(self, deeds: int) -> Story:
        """So many deeds, all looked over."""
        for number in range(deeds):
            self.dice.choice(self.often + self.rare + (self.rarest if number % 7 == 0 else []))()
            self.story.look()
        self.story.finish()
        return self.story

    def arrive(self) -> None:
        choice = self.dice.choice
        for _ in range(choice([1, 1, 2, 8]) if len(self.story.floor.waiting) < self.crowded else 0):
            self.story.arrive(choice(self.guilds), choice(METHODS), choice([0, 1, 1, 2]), self.dice.randrange(20))

    def end(self) -> None:
        self.story.end(self.dice.randrange(30), ok=self.dice.choice([True] * 6 + [None, False]))

    def pass_time(self) -> None:
        self.story.pass_time(self.dice.choice(PAUSES[:5] * 4 + PAUSES[5:]))

    def withdraw(self) -> None:
        self.story.withdraw(self.dice.randrange(30))

    def not_begun(self) -> None:
        self.story.not_begun(self.dice.randrange(30))

    def fleet(self) -> None:
        self.story.fleet(self.dice.choice(HANDLERS), self.dice.choice(FLEETS))

    def fall_ill(self) -> None:
        self.story.fall_ill(self.dice.choice(HANDLERS), ill=self.dice.random() < 0.5)

    def others(self) -> None:
        """From now on other guilds have work; at times only one, which then need not leave room."""
        self.guilds = self.dice.sample(GUILDS, self.dice.choice([1, 1, 2, 6]))

    def restart(self) -> None:
        self.story.restart(self.dice.randrange(len(SETTINGS)), self.dice.choice(AWAY))

    def reconfigure(self) -> None:
        self.story.reconfigure(self.dice.randrange(len(SETTINGS)))


@pytest.mark.parametrize("seed", range(4))
def test_ten_thousand_operations_keep_every_promise_and_leave_nothing_in_use(seed: int) -> None:
    print(f"seed {seed}")
    Dice(seed).tell(OPERATIONS // 4)


def test_operations_under_one_configuration_exceed_no_limit_in_any_window() -> None:
    print("seed 7")
    story = Dice(7, calm=True).tell(OPERATIONS // 2)
    assert len(story.starts) > OPERATIONS // 20


LONGEST_S = 20.0


@pytest.mark.parametrize("seed", range(3))
def test_no_guild_starves_however_long_the_runs_of_others_are(seed: int) -> None:
    """While a guild waits, each other one is given at most what a guild may be behind, what it may be ahead, and a run."""
    print(f"seed {seed}")
    dice, queue, others, now = random.Random(seed), FairQueue(4), 6, 0.0
    longest = {f"guild{number}": dice.choice([0.01, 0.2, 2.0, LONGEST_S]) for number in range(others + 1)}
    given: dict[str, dict[str, float]] = {guild: dict.fromkeys(longest, 0.0) for guild in longest}
    for guild in longest:
        queue.put(Waiting(f"{guild}-0", guild, f"{guild}.do", guild, 1, 0))
    ends: list[tuple[float, int, Waiting, float]] = []
    numbers = count(1)
    for _ in range(OPERATIONS):
        while len(ends) < 4 and (entry := queue.next(now)) is not None:
            guild = str(entry.guild)
            run_s = longest[guild] * dice.uniform(0.1, 1.0)
            number = next(numbers)
            heapq.heappush(ends, (now + run_s, number, entry, run_s))
            given[guild] = dict.fromkeys(longest, 0.0)
            for waiting in given.keys() - {guild}:
                given[waiting][guild] += run_s
                assert given[waiting][guild] <= DEBT_S + LEAD_S + 4 * LONGEST_S
            queue.put(Waiting(f"{guild}-{number}", guild, entry.method, guild, 1, number))
        now, _, entry, run_s = heapq.heappop(ends)
        queue.finished(entry, run_s)

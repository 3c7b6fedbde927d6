"""`kill -9` in every window of a firing: each due time has its one message afterwards, whatever was interrupted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from tests.process import aims
from tests.process.conftest import FIGURES
from tests.process.house import House
from tests.process.ring import Ring
from tests.process.windows import Window

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(240)]

KILLS = 5
TRIES = 14
AWAY = 600.0
"""Seconds the bot stays away where Discord shall have forgotten every nonce (it remembers for 180 in these tests)."""


Check = Callable[[], Awaitable[None]]


@pytest.fixture
def ring(house: House, tmp_path: Path, random: Random) -> Ring:
    """Kills in a house of their own."""
    return Ring(house, tmp_path / "copies", random)


@pytest.fixture
def check(ring: Ring, record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Check:
    """The accounts, after everything; the figures go into the report."""

    async def finish() -> None:
        await ring.finish()
        record_property(FIGURES, f"{request.node.name}: {ring.figures}")
        assert ring.accounts.balanced, ring.accounts.words

    return finish


async def test_killed_between_tick_and_commit_every_message_comes_once(ring: Ring, check: Check) -> None:
    ways = [aims.while_the_tick_commits, aims.while_the_tick_waits_to_commit]
    await ring.until(Window.TICK_TO_COMMIT, KILLS, ways, bound=TRIES)
    await check()


async def test_killed_between_commit_and_send_every_message_comes_once(ring: Ring, check: Check) -> None:
    ways = [aims.after_the_tick, aims.while_the_author_is_looked_up]
    await ring.until(Window.COMMIT_TO_SEND, KILLS, ways, bound=TRIES)
    await check()


async def test_killed_between_post_and_answer_every_message_comes_once(ring: Ring, check: Check) -> None:
    ways = [aims.after_discord_took_it, aims.before_discord_took_it]
    await ring.until(Window.SENT_TO_ANSWER, KILLS, ways, bound=TRIES)
    await check()


async def test_killed_between_answer_and_outcome_every_message_comes_once(ring: Ring, check: Check) -> None:
    ways = [aims.while_the_outcome_commits, aims.while_the_outcome_waits_to_commit]
    await ring.until(Window.ANSWER_TO_OUTCOME, KILLS, ways, bound=TRIES)
    await check()


async def test_killed_between_outcome_and_acknowledgement_every_message_comes_once(ring: Ring, check: Check) -> None:
    ways = [aims.after_the_outcome, aims.while_a_notice_is_told]
    await ring.until(Window.OUTCOME_TO_ACKNOWLEDGED, KILLS, ways, bound=TRIES)
    await check()


async def test_killed_and_kept_down_beyond_the_nonces_time_every_message_comes_once(ring: Ring, check: Check) -> None:
    ways = [aims.after_discord_took_it, aims.after_discord_took_it, aims.before_discord_took_it]
    await ring.until(Window.SENT_TO_ANSWER, KILLS, ways, bound=TRIES, away=AWAY)
    await check()

"""`kill -9` in every window of a firing: each due time has its one message afterwards, whatever was interrupted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from schedule_zero.run import RunState
from tests.discord_server import world
from tests.process import aims
from tests.process.conftest import FIGURES
from tests.process.house import House
from tests.process.life import PATIENCE
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


async def test_where_nobody_can_know_nothing_is_repeated_and_one_notice_offers_to_post_again(house: House) -> None:
    """The answer was lost, the nonce has run out, and the bot may not read the channel's history."""
    channel, discord = world.NO_HISTORY, house.discord
    life = await house.start()
    await house.core.change_guild_settings(str(world.GUILD), {"channels": {"failures": str(world.NEWS)}})
    fault = await discord.fault(f"POST /channels/{channel}/messages", "hang", when="after")
    made = await house.post(house.now() + aims.LEAD, "tea", channel)
    await discord.wait_fault(fault.id, timeout=PATIENCE)
    life.kill()
    await life.end()
    await discord.act("clear_faults")
    house.ahead = AWAY
    await discord.act("advance_clock", seconds=AWAY)

    await house.start()
    await house.ended([made.id])
    run = (await house.core.list_runs(schedule_id=made.id)).items[0]
    assert (run.state, run.reason) == (RunState.FAILED, "unknown")
    await discord.wait_messages(channel_id=world.NEWS, contains=made.id, timeout=PATIENCE)
    (notice,) = await discord.history(world.NEWS)
    assert notice["components"][0]["components"][0]["label"] == "Post again"
    assert len(await discord.history(channel)) == 1

"""Two real cores on one database: who is signed in, banned or limited at one is so at the other, and so is a drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from core.ledger.buckets import bucket_of
from schedule_zero.routes import PREFIX
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import DateTrigger
from tests.discord_server import world
from tests.discord_server.process import DiscordProcess
from tests.postgres import database_url, databases
from tests.process.pair import Core, Pair, until
from tests.web.signing import csrf_in

__all__ = ["database_url", "databases"]  # fixtures

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(240)]

GUILDS = [str(number) for number in range(100, 112)]
"""Enough that each core works for some."""


@pytest.fixture
async def pair(tmp_path: Path, discord: DiscordProcess, database_url: str) -> AsyncIterator[Pair]:
    """Both, each at work for its part."""
    async with Pair(tmp_path, discord, database_url) as made:
        yield made


class Browser:
    """Somebody's browser, which shows its cookies to both cores: they differ in their ports alone."""

    def __init__(self) -> None:
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def sign_in(self, core: Core, user_id: int) -> None:
        """The whole way through Discord, and back to that core."""
        async with self.http.get(f"{core.address}/sign-in/discord?next=/account", allow_redirects=False) as led:
            there = led.headers["Location"]
        async with self.http.get(f"{there}&as={user_id}") as answer:
            assert (answer.status, answer.url.path) == (200, "/account")

    async def account(self, core: Core) -> str:
        """The page that says who one is; empty: one is led to where one signs in."""
        async with self.http.get(f"{core.address}/account", allow_redirects=False) as answer:
            return await answer.text() if answer.status == 200 else ""

    async def settings_status(self, core: Core) -> tuple[int, str]:
        """What comes of reading a server's settings there."""
        async with self.http.get(f"{core.address}{PREFIX}/guilds/{world.GUILD}/settings") as answer:
            return answer.status, await answer.text()

    async def sign_out(self, core: Core) -> None:
        """Press the button there."""
        form = {"csrf": csrf_in(await self.account(core))}
        async with self.http.post(f"{core.address}/sign-out", data=form) as answer:
            assert answer.status == 200


async def begin(core: Core, **fields: str) -> list[Run]:
    """A run in each of the guilds, asked for at that core."""
    runs = []
    for guild_id in GUILDS:
        trigger = DateTrigger(at="2099-01-01T00:00:00Z")
        spec = ScheduleSpec(handler="echo", method="echo", trigger=trigger, guild_id=guild_id, **fields)  # type: ignore[arg-type]
        runs.append(await core.client.run_schedule((await core.client.create_schedule(spec)).id))
    return runs


async def all_are(core: Core, runs: list[Run], state: RunState) -> None:
    """Until all of them are so, as that core tells it."""

    async def are() -> bool:
        return {(await core.client.get_run(run.id)).state for run in runs} == {state}

    await until(are)


async def wait_for(pair: Pair, runs: list[Run], limit: str) -> None:
    """Until the core that works for each says that it waits for this."""
    left = {run.id for run in runs}

    async def wait() -> bool:
        for id, core in [(id, core) for id in left for core in (pair.first, pair.second)]:
            why = (await core.client.get_run(id)).why
            if why is not None and why.limit == limit:
                left.discard(id)
        return not left

    await until(wait)


def test_the_guilds_belong_to_more_than_one_bucket() -> None:
    assert len({bucket_of(guild_id) for guild_id in GUILDS}) > 8


async def test_who_signed_in_at_one_core_is_known_at_the_other_and_signed_out_at_both(pair: Pair) -> None:
    async with Browser() as browser:
        await browser.sign_in(pair.first, world.MEMBER)
        for core in (pair.first, pair.second):
            assert "You are <strong>Mia</strong>" in await browser.account(core)
        async with Browser() as thief:  # what the browser showed is good no more, also where it is kept
            thief.http.cookie_jar.update_cookies({each.key: each.value for each in browser.http.cookie_jar})
            assert "Mia" in await thief.account(pair.first)
            await browser.sign_out(pair.second)
            for core in (pair.first, pair.second):
                assert await browser.account(core) == ""
                assert await thief.account(core) == ""


async def test_who_is_banned_at_one_core_is_refused_at_the_other_and_nothing_of_theirs_starts_at_either(
    pair: Pair,
) -> None:
    await pair.first.client.note_guild(str(world.GUILD), "Tea House")
    async with Browser() as browser:
        await browser.sign_in(pair.second, world.MEMBER)
        assert (await browser.settings_status(pair.second))[0] == 200
        await pair.first.client.ban_user(str(world.MEMBER), "spam")
        assert "may not use this service any more (spam)" in (await browser.settings_status(pair.first))[1]

        async def refused() -> bool:
            return (await browser.settings_status(pair.second))[0] == 403

        await until(refused)
        await all_are(pair.second, await begin(pair.first, owner_id=str(world.MEMBER)), RunState.CANCELLED)
        await pair.second.client.unban_user(str(world.MEMBER))

        async def welcome() -> bool:
            return (await browser.settings_status(pair.first))[0] == 200

        await until(welcome)


async def test_what_is_drained_at_one_core_gives_out_nothing_at_either_until_the_other_lets_it(pair: Pair) -> None:
    await pair.first.client.drain_core()

    async def drained() -> bool:
        return (await pair.second.client.upkeep()).drained is not None

    await until(drained)
    runs = await begin(pair.second)
    await wait_for(pair, runs, "drained")
    await pair.second.client.resume_core()
    await all_are(pair.first, runs, RunState.SUCCEEDED)


async def test_a_limit_set_at_one_core_holds_at_the_one_that_works_for_the_guild(pair: Pair) -> None:
    for guild_id in GUILDS:
        await pair.first.client.change_guild_quota(guild_id, {"running": 0})

    async def known() -> bool:
        found = [(await pair.second.client.guild_quota(guild_id)).limits["running"] for guild_id in GUILDS]
        return set(found) == {0}

    await until(known)
    runs = await begin(pair.first)
    await wait_for(pair, runs, "running")
    await asyncio.gather(
        *(pair.second.client.change_guild_quota(guild_id, {}, reset=["running"]) for guild_id in GUILDS)
    )
    await all_are(pair.first, runs, RunState.SUCCEEDED)

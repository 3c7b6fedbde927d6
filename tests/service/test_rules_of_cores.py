"""What all cores keep in memory: what one of two changes the other hears at once, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from core.governor.measures import NOTHING
from core.governor.settings import GovernorSettings
from core.ledger.notes import Notes
from core.service import guilds, keys, measures, upkeep
from schedule_zero.errors import Invalid
from tests.engine.house import House
from tests.engine.test_cluster import Join, join, shared_out
from tests.postgres import database_url, databases
from tests.service.people import ADMIN, OWNER, as_

__all__ = ["database_url", "databases", "join"]  # fixtures

GUILD = "1"


@pytest.fixture
async def pair(join: Join, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[House, House]]:
    """Two cores on one database, of which none looks by itself within the time of a test."""
    for room in (guilds, keys, measures, upkeep):
        monkeypatch.setattr(room, "LOOK_S", 3600.0)
    first, second = await join(governor=GovernorSettings()), await join(governor=GovernorSettings())
    await shared_out(first, second)
    keeping = []
    for house in (first, second):
        service = house.service
        ways = (
            service.measures.keep(), service.keys.keep(), service.upkeep.keep(service.bans.load),
            service.guilds.keep_zones(),
        )  # fmt: skip
        keeping += [asyncio.create_task(way) for way in ways]
    await asyncio.sleep(0)
    yield first, second
    for task in keeping:
        task.cancel()
    await asyncio.gather(*keeping, return_exceptions=True)


@pytest.mark.slow
async def test_what_one_core_changes_the_other_hears_without_looking(pair: tuple[House, House]) -> None:
    first, second = pair
    await first.client.change_guild_quota(GUILD, {"running": 7})
    await second.until(lambda: second.engine.measures.quota_of(GUILD).running == 7)
    await second.client.suspend_guild(GUILD)
    await first.until(lambda: first.engine.measures.suspended(GUILD) is not None)
    await second.client.ban_user("anna")
    await first.until(lambda: "anna" in first.engine.dispatcher.banned)
    await first.client.unban_user("anna")
    await second.until(lambda: "anna" not in second.engine.dispatcher.banned)
    await first.client.change_guild_settings(GUILD, {"timezone": "Asia/Kathmandu"})
    await second.until(lambda: second.engine.entitler.clocks_of(GUILD).zone.key == "Asia/Kathmandu")
    await first.client.drain_core()
    await second.until(lambda: second.engine.dispatcher.held)
    await second.client.resume_core()
    await first.until(lambda: not first.engine.dispatcher.held)
    key = await first.client.new_key("eve", "operator")
    await second.until(lambda: key.id in {row.id for row in second.service.keyring.rows()})
    await second.client.revoke_key(key.id)
    await first.until(
        lambda: {row.revoked is None for row in first.service.keyring.rows() if row.id == key.id} == {False}
    )


@pytest.mark.slow
async def test_five_wrong_codes_are_five_whichever_core_is_asked(pair: tuple[House, House]) -> None:
    first, second = pair
    code = (await as_(first, OWNER).new_verification(GUILD)).code
    tries = [(house, f"WRONG{number}") for number in range(4) for house in pair]
    refused = await asyncio.gather(
        *(as_(house, ADMIN).verify_guild(GUILD, text) for house, text in tries), return_exceptions=True
    )
    assert sum("or too old" in str(each) for each in refused) == 4
    assert sum("none is good any more" in str(each) for each in refused) == 4
    with pytest.raises(Invalid, match="none is good any more"):
        await as_(second, ADMIN).verify_guild(GUILD, code)
    assert first.engine.measures.stored_of(GUILD) == NOTHING


@pytest.mark.parametrize(
    ("load", "change", "holds"),
    [
        (
            lambda house: house.service.bans.load(), lambda house: house.client.ban_user("anna"),
            lambda house: "anna" in house.engine.dispatcher.banned,
        ),
        (
            lambda house: house.service.measures.load(), lambda house: house.client.suspend_guild(GUILD),
            lambda house: house.engine.measures.suspended(GUILD) is not None,
        ),
        (
            lambda house: house.service.upkeep.load(), lambda house: house.client.drain_core(),
            lambda house: house.engine.dispatcher.held,
        ),
    ],
    ids=["ban", "limit", "drain"],
)  # fmt: skip
async def test_what_is_changed_while_it_is_read_again_holds(
    house: House, monkeypatch: pytest.MonkeyPatch, load: Callable[[House], Any], change: Callable[[House], Any],
    holds: Callable[[House], bool],
) -> None:  # fmt: skip
    begun, go_on = asyncio.Event(), asyncio.Event()
    for name in ("all", "get"):
        monkeypatch.setattr(Notes, name, _held(getattr(Notes, name), begun, go_on))
    reading = asyncio.create_task(load(house))
    await begun.wait()
    await change(house)
    go_on.set()
    await reading
    assert holds(house)


def _held(read: Callable[..., Any], begun: asyncio.Event, go_on: asyncio.Event) -> Callable[..., Any]:
    """The first to read gets what there was, and gets it late."""

    async def late(notes: Notes, *asked: str) -> Any:
        found = await read(notes, *asked)
        if type(notes) is Notes and not begun.is_set():
            begun.set()
            await go_on.wait()
        return found

    return late


@pytest.mark.slow
async def test_word_that_comes_while_the_last_word_is_heeded_is_heeded_next(
    pair: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    reading, go, real = asyncio.Event(), asyncio.Event(), Notes.all

    async def late(notes: Notes, kind: str) -> dict[str, str]:
        found = await real(notes, kind)
        if kind == measures.MEASURES and notes is second.ledger.reader.notes and not reading.is_set():
            reading.set()
            await go.wait()
        return found

    monkeypatch.setattr(Notes, "all", late)
    await first.client.change_guild_quota(GUILD, {"running": 7})
    await reading.wait()
    heard = asyncio.Event()
    membership = second.ledger.membership
    assert membership is not None
    membership.on_rules(heard.set)
    await first.client.suspend_guild("2")
    await heard.wait()
    go.set()
    await second.until(lambda: second.engine.measures.suspended("2") is not None)

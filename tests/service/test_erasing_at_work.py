"""A guild is erased while people, and the core, are at work for it: nothing new is made, and no run is left over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.service.errands import Errand
from schedule_zero.closings import CalendarDays
from schedule_zero.errors import Conflict, NotFound
from schedule_zero.transport.curve import new_pair
from schedule_zero.trigger import CronTrigger
from tests.engine.house import House

Build = Callable[..., Awaitable[House]]
GUILD = "200000000000000002"
DAILY = CronTrigger(expression="0 9 * * *")


async def begun(house: House, upto: int) -> Errand:
    """The erasure of the guild, begun, and carried on up to a part of it."""
    await house.service._erasing._begin(Errand(what="erase_guild", subject=GUILD, since=0, by="operator:operator"))
    errand = msgspec.json.decode(str(await house.ledger.reader.notes.get("errand", f"guild:{GUILD}")), type=Errand)
    while errand.phase < upto:
        after = await house.service._erasing._guild_on(errand)
        assert after is not None
        errand = after
    return errand


@pytest.mark.parametrize(("upto", "restarted"), [(0, False), (2, True), (4, False)])
async def test_while_a_guild_is_erased_nothing_new_is_made_for_it(build: Build, upto: int, restarted: bool) -> None:
    house = await build(run=False)
    schedule = await house.schedule(DAILY, guild_id=GUILD)
    await house.service.errands.load()
    await begun(house, upto)
    if restarted:
        await house.service.errands.load()
    makes: list[Callable[[], Awaitable[Any]]] = [
        lambda: house.schedule(DAILY, guild_id=GUILD),
        lambda: house.client.change_guild_settings(GUILD, {"timezone": "Asia/Tokyo"}),
        lambda: house.client.put_calendar(GUILD, "off", CalendarDays(dates=("12-24",))),
        lambda: house.client.new_key("far", "handler", guild_id=GUILD, public=new_pair().public),
    ]
    if not upto:
        makes.append(lambda: house.client.run_schedule(schedule.id))
    for make in makes:
        with pytest.raises(Conflict, match="Everything of this server is being erased"):
            await make()
    await house.schedule(DAILY, guild_id="2")
    await house.client.note_guild(GUILD, "A")
    assert await house.service.errands.see_through(f"guild:{GUILD}")
    assert (await house.client.list_schedules(guild_id=GUILD)).items == ()
    assert (await house.schedule(DAILY, guild_id=GUILD)).state == "active"


async def test_what_was_made_all_the_same_leaves_no_run_without_its_schedule(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(run=False)
    await house.schedule(DAILY, guild_id=GUILD)
    await begun(house, 2)
    with monkeypatch.context() as late:
        late.setattr(type(house.service._desk), "_require_none_erased", _nothing)
        run = await house.run_now(await house.schedule(DAILY, guild_id=GUILD))
    assert await house.service.errands.see_through(f"guild:{GUILD}")
    with pytest.raises(NotFound):
        await house.client.get_run(run.id)
    for ended in (False, True):
        assert await house.ledger.reader.erasure.runs_of_guild(GUILD, 9, ended=ended) == []
    house.run()
    assert (await house.client.status()).waiting == 0


async def _nothing(*_: Any) -> None:
    return None

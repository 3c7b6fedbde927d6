"""/admin dead replay, find and shards: looking over all servers, and acting only after asking."""

from __future__ import annotations

import pytest

from schedule_zero import Reject
from schedule_zero.run import RunState
from tests.cogs import stage as stages
from tests.cogs.stage import Stage, labels, said, texts
from tests.engine.conftest import Build
from tests.engine.house import House


@pytest.fixture
async def run(build: Build, staged: stages.Staged) -> tuple[House, Stage]:
    """A core run by Alice."""
    house = await build()
    return house, await stages.run_by_alice(await staged(house), house.client)


async def died(house: House, guild_id: str, name: str) -> str:
    """A run that failed for good, with an error."""
    house.fail_with(Reject("no such table"))
    schedule = await house.schedule(guild_id=guild_id, name=name)
    ended = await house.ended((await house.run_now(schedule)).id)
    assert ended.state is RunState.FAILED
    return ended.id


async def test_dead_letters_are_run_again_only_after_a_press(run: tuple[House, Stage]) -> None:
    house, stage = run
    await died(house, stage.guild_id, "backup")
    await died(house, stage.guild_id, "report")
    await died(house, "77", "elsewhere")
    result = await stage.alice.slash(stage.general, "admin dead replay", guild="Tea house")
    assert result.response is not None
    assert "Run 2 again?" in texts(result.response)
    assert labels(result.response) == ["Run 2 again"]
    assert len((await house.client.list_dead(any_guild=True)).items) == 3, "nothing was done yet"
    await stage.alice.click(result.response, label="Run 2 again")
    assert "**2** run again" in texts(result.response)
    assert [letter.run.guild_id for letter in (await house.client.list_dead(any_guild=True)).items] == ["77"]
    lines = (await house.client.list_audit(any_guild=True, action="dead.replay")).items
    assert {line.actor for line in lines} == {f"discord:{stage.alice.id}"}


async def test_by_handler_all_servers_are_meant(run: tuple[House, Stage]) -> None:
    house, stage = run
    await died(house, stage.guild_id, "backup")
    await died(house, "77", "elsewhere")
    result = await stage.alice.slash(stage.general, "admin dead replay", handler="hands")
    assert "Run 2 again?" in texts(result.response)
    assert "Nothing that fits" in await said(stage, "admin dead replay", handler="nobody")


async def test_what_cannot_be_run_again_says_why(run: tuple[House, Stage]) -> None:
    house, stage = run
    run_id = await died(house, stage.guild_id, "backup")
    schedule_id = (await house.client.get_run(run_id)).schedule_id
    await house.client.delete_schedule(schedule_id)
    result = await stage.alice.slash(stage.general, "admin dead replay", item=schedule_id)
    assert result.response is not None
    await stage.alice.click(result.response, label="Run 1 again")
    assert "**1** not done" in texts(result.response)
    assert "- 1: its schedule is deleted" in texts(result.response)


async def test_everything_at_once_and_what_is_no_id_are_refused(run: tuple[House, Stage]) -> None:
    _, stage = run
    assert "Say which: a `guild`, a `handler` or an `item`" in await said(stage, "admin dead replay")
    assert "is no id of a schedule" in await said(stage, "admin dead replay", item="backup")
    assert "is no id of a run" in await said(stage, "admin find run", id="backup")


async def test_a_schedule_is_found_in_any_server_and_its_words_are_not_shown(run: tuple[House, Stage]) -> None:
    house, stage = run
    await died(house, "77", "backup")
    listed = await said(stage, "admin find item", text="backup")
    assert "**backup** · active · `hands.work` · server `77`" in listed
    (schedule,) = (await house.client.list_schedules(any_guild=True)).items
    one = await said(stage, "admin find item", text=schedule.id)
    assert "**Last runs**\n- ❌ failed" in one
    assert "no such table" in one
    assert "Nothing fits." in await said(stage, "admin find item", text="nothing like that")


async def test_a_run_is_found_with_what_it_belongs_to(run: tuple[House, Stage]) -> None:
    house, stage = run
    shown = await said(stage, "admin find run", id=await died(house, "77", "backup"))
    assert "❌ failed" in shown
    assert "**Server** `77` · **Work** `hands.work`" in shown
    assert "**backup**" in shown
    assert "There is no run" in await said(stage, "admin find run", id="run_00000000000000000000")


async def test_a_server_is_found_by_the_beginning_of_its_name(run: tuple[House, Stage]) -> None:
    _, stage = run
    assert f"**Tea house** `{stage.guild_id}` · trusted" in await said(stage, "admin find guild", text="tea")
    assert "Nothing fits." in await said(stage, "admin find guild", text="coffee")


async def test_shards_say_how_late_they_are_and_how_many_servers_they_have(run: tuple[House, Stage]) -> None:
    _, stage = run
    shown = await said(stage, "admin shards")
    assert "1 of 1 shards are this process's." in shown
    assert "Shard 0: " in shown
    assert "1 server" in shown


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("admin dead replay", {"handler": "hands"}),
        ("admin find item", {"text": "x"}),
        ("admin find run", {"id": "run_00000000000000000000"}),
        ("admin find guild", {"text": "x"}),
        ("admin shards", {}),
        ("admin drain on", {}),
        ("admin maintenance", {"message": "x"}),
        ("admin guild suspend", {"guild": "x"}),
        ("admin governor set", {"guild": "x", "limit": "running", "value": "1"}),
    ],
)
async def test_an_administrator_who_is_no_operator_does_nothing(
    run: tuple[House, Stage], command: str, options: dict[str, str]
) -> None:
    _, stage = run
    refused = await stage.bob.slash(stage.general, command, **options)
    assert texts(refused.response) == "This is for those who run the service, in their own server."

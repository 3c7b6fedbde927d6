"""What people see and do on the pages, asked as SimCord's page asks it."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.playground import simcord_internals
from tests.playground.conftest import Start, Started
from tests.playground.visitor import Visitor

pytestmark = pytest.mark.slow

SIMCORDS_POLL = 0.5  # seconds between two looks of a page in a browser; a visitor here looks all the time


async def test_a_post_shows_without_a_reload_within_a_second(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    await started.post("by itself")
    await visitor.sees("by itself", within=1.0 - SIMCORDS_POLL)


async def test_an_edit_and_a_deletion_show_too(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    message = started.bot.get_partial_messageable(started.channel("general")).get_partial_message(
        await started.post("first")
    )
    await message.edit(content="second")
    await visitor.sees("second")
    await message.delete()
    await started.post("third")
    await visitor.sees("third")
    assert visitor.texts == ["third"]


async def test_a_direct_message_shows_on_that_persons_page(started: Started) -> None:
    visitor = await Visitor(started.site, "dm-kim").open()
    kim = await started.bot.fetch_user(int(visitor.page["viewerId"]))
    await kim.send("between us")
    await visitor.sees("between us")
    assert (await Visitor(started.site, "dm-max").open()).texts == []


async def test_an_option_is_completed_while_it_is_typed(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    assert await visitor.type("note", "when", "tea") == ["tea in 10 minutes", "tea tomorrow at 9"]


async def test_a_deferred_answer_is_edited_in_place_and_seen_by_its_asker_alone(started: Started) -> None:
    ada = await Visitor(started.site, "general").open("Ada")
    kim = await Visitor(started.site, "general").open("Kim")
    await ada.run("note", when="coffee at noon")
    await ada.sees("noted: coffee at noon")
    await started.post("for all")
    await kim.sees("for all")
    assert kim.texts == ["for all"]


async def test_buttons_and_forms_work(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    await visitor.run("panel")
    await visitor.press(await visitor.sees("panel"), "Press")
    await visitor.press(await visitor.sees("pressed"), "Write")
    form = visitor.page["modal"]
    (row,) = form["payload"]["components"]
    (field,) = row["components"]
    await visitor.act("modal_submit", modal_handle=form["handle"], values={field["custom_id"]: "by hand"})
    await visitor.sees("written: by hand")


async def test_a_form_stays_until_it_was_given_up(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    await visitor.run("panel")
    await visitor.press(await visitor.sees("panel"), "Write")
    form = visitor.page["modal"]["handle"]
    for given_up, left in (({}, form), ({"modal_handle": "another"}, form), ({"modal_handle": form}, None)):
        await visitor.act("refresh", **given_up)
        assert ((await visitor.look())["modal"] or {}).get("handle") == left


async def test_a_button_from_before_a_restart_works(start: Start) -> None:
    visitor = await Visitor((await start()).site, "general").open()
    await visitor.run("panel")
    visitor = await Visitor((await start()).site, "general").open()
    await visitor.press(await visitor.sees("panel"), "Press")
    await visitor.sees("pressed")


async def test_a_file_can_be_given_to_a_command(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    told = visitor.envelope("run_command", **await visitor.command("weigh"), options={"file": {"upload": 0}})
    assert (await visitor.upload(told, "file", "plan.txt", b"12345")).status == 200
    await visitor.sees("plan.txt has 5 bytes")


async def test_people_can_write_and_be_read(started: Started) -> None:
    ada = await Visitor(started.site, "general").open("Ada")
    kim = await Visitor(started.site, "general").open("Kim")
    await ada.act("send_message", content="hello", target_id=None, reply_to_id=None)
    await kim.sees("hello")


async def test_a_bot_that_does_not_answer_holds_up_nobody_else_and_is_given_up_in_the_end(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert simcord_internals.FIRST_ANSWER == 3.0  # seconds; Discord documentation, "Interactions"
    monkeypatch.setattr(simcord_internals, "FIRST_ANSWER", 0.4)
    visitor = await Visitor(started.site, "general").open()
    other = await Visitor(started.site, "lighthouse").open()
    silence = asyncio.create_task(visitor.run("silent"))
    await started.bot.silenced.get()
    await other.run("note", when="tea")
    await other.sees("noted: tea")
    assert not silence.done()
    async with asyncio.timeout(10):
        assert (await silence)["acknowledgement"] == "unacknowledged"


async def test_two_people_in_one_channel_may_act_at_once(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simcord_internals, "FIRST_ANSWER", 0.2)
    ada = await Visitor(started.site, "general").open("Ada")
    kim = await Visitor(started.site, "general").open("Kim")
    slow = asyncio.create_task(ada.run("silent"))
    await started.bot.silenced.get()
    receipt = await kim.act("send_message", content="meanwhile", target_id=None, reply_to_id=None)
    assert receipt["settlement"] == "settled"
    await slow
    await ada.sees("meanwhile")


async def test_an_answer_from_any_task_of_the_process_reaches_the_playground(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    waiting = asyncio.create_task(visitor.run("silent"))
    interaction = await started.bot.silenced.get()
    # The engine's tasks know nothing of the context a command runs in.
    elsewhere = contextvars.Context()
    await asyncio.create_task(interaction.response.send_message("from elsewhere"), context=elsewhere)
    await waiting
    await asyncio.create_task(interaction.edit_original_response(content="and again"), context=elsewhere)
    await visitor.sees("and again")


async def test_a_page_hidden_for_long_catches_up_when_it_is_looked_at(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    env = started.env
    page = env.previews[0]._pages[visitor.page["context"]["id"]]
    page.last_activity -= 200
    await started.post("missed")
    async with asyncio.timeout(10):
        while env._dirty.is_set():  # until the publication that leaves it out has begun
            await asyncio.sleep(0.01)
    await visitor.sees("missed")


async def test_a_command_registered_while_a_page_is_open_is_offered_there(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()

    @app_commands.command(description="New")
    async def fresh(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("fresh")

    started.bot.tree.add_command(fresh)
    await started.bot.tree.sync()
    async with asyncio.timeout(10):
        while "fresh" not in (await visitor.ask("GET", "/commands")).text:  # as a browser asks
            await asyncio.sleep(0.02)
    await visitor.look()
    await visitor.run("fresh")
    await visitor.sees("fresh")


async def test_opening_pages_for_ever_closes_the_longest_unused(started: Started) -> None:
    first = await Visitor(started.site, "general").open()
    last = first
    for _ in range(40):
        last = await Visitor(started.site, "general").open()
    assert (await last.ask("GET", "/state")).status == 200
    assert (await first.ask("GET", "/state")).status == 410


async def test_staff_channels_are_shown_to_staff(started: Started) -> None:
    seen = {path: await Visitor(started.site, path).open() for path in ("general", "staff", "lighthouse")}
    names = {path: [one["name"] for one in visitor.page["viewers"]] for path, visitor in seen.items()}
    assert names == {
        "general": ["Ada (admin)", "Max (moderator)", "Kim"],
        "staff": ["Ada (admin)", "Max (moderator)"],
        "lighthouse": ["Kim", "Ada (admin)"],
    }

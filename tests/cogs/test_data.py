"""``/data``: what is kept comes as a file to the person alone; what is erased takes the right words."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest
import simcord

from cogs import data
from schedule_zero import requests as ask
from schedule_zero.errors import Forbidden
from tests.cogs.stage import Stage, labels, said, texts


def _said(result: simcord.InteractionResult) -> str:
    assert result.response is not None
    assert result.ephemeral
    return texts(result.response)


def _field(modal: Any) -> str:
    (label,) = modal["components"]
    return str(label["component"]["custom_id"])


async def test_a_persons_file_comes_to_them_alone(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "data export", format="csv")
    assert "Everything that is kept of you and not deleted, as csv." in _said(result)
    assert result.response is not None
    (file,) = result.response.attachments
    assert file.filename == "all.csv"
    assert (await file.read()) == b"first, second"
    first, second = stage.world.of(ask.Export)
    assert (first.user_id, first.guild_id, first.format, first.secrets) == (str(stage.bob.id), None, "csv", False)
    assert second.cursor == "sch_1"


async def test_it_can_be_had_in_private(stage: Stage) -> None:
    result = await stage.bob.user.slash("data export")
    assert "as json" in _said(result)


async def test_the_servers_file_is_asked_for_in_ones_own_name(stage: Stage) -> None:
    await said(stage, "data export", scope="server")
    assert {request.guild_id for request in stage.world.of(ask.Export)} == {stage.guild_id}
    assert stage.world.last_actor(ask.Export).id == str(stage.alice.id)
    stage.world.refuse[ask.Export] = Forbidden("Exporting a server's data takes the permission Manage Server.")
    refused = await stage.bob.slash(stage.general, "data export", scope="server")
    assert _said(refused) == "Exporting a server's data takes the permission Manage Server."


async def test_a_file_that_discord_does_not_take_is_refused_in_words(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_largest", lambda _: 1 << 20)
    stage.world.exported = ("x" * (1 << 20), "y")
    refused = _said(await stage.bob.slash(stage.general, "data export"))
    assert refused.startswith("The file is larger than the 1 MB that Discord takes here; `format: csv` is smaller")


async def test_only_the_right_words_erase(stage: Stage) -> None:
    shown = await stage.bob.slash(stage.general, "data erase")
    assert shown.modal is not None
    result = await stage.bob.submit_modal(shown, {_field(shown.modal): "erase it"})
    assert "Nothing was erased: to confirm it, type `erase my data`." in _said(result)
    assert stage.world.of(ask.EraseUser) == []
    assert result.response is not None
    assert labels(result.response) == ["Back to the form"]
    again = await stage.bob.click(result.response, label="Back to the form")
    assert again.modal is not None
    done = await stage.bob.submit_modal(again, {_field(again.modal): "  Erase  my DATA "})
    assert "Your reminders, your time zone" in _said(done)
    (request,) = stage.world.of(ask.EraseUser)
    assert request.user_id == str(stage.bob.id)
    assert stage.world.last_actor(ask.EraseUser).id == str(stage.bob.id)


async def test_only_a_servers_owner_is_asked_to_confirm(stage: Stage) -> None:
    refused = await stage.alice.slash(stage.general, "data erase", scope="server")
    assert refused.modal is None
    assert _said(refused) == "Only the owner of a server can have everything of it erased."
    owner = stage.env.create_user("olga")
    guild = stage.env.create_guild("Olga's  House", owner=owner)
    channel, olga = guild.create_text_channel("general"), guild.add_member(owner)
    shown = await olga.slash(channel, "data erase", scope="server")
    assert shown.modal is not None
    told = asyncio.create_task(stage.bot.wait_for("guild_available", timeout=30.0))
    done = await olga.submit_modal(shown, {_field(shown.modal): "olga's house"})
    assert (await told).id == guild.id, "the core hears again what the server is called"
    assert "it goes on by itself" in _said(done)
    (request,) = stage.world.of(ask.EraseGuild)
    assert request.guild_id == str(guild.id)
    assert stage.world.last_actor(ask.EraseGuild).owner


async def test_in_private_there_is_no_server_to_erase(stage: Stage) -> None:
    for command in ("data erase", "data export"):
        assert (
            _said(await stage.bob.user.slash(command, scope="server"))
            == f"`/{command}` works in servers the bot is in."
        )


def test_the_group_asks_for_no_permission() -> None:
    assert data.data.default_permissions is None
    assert isinstance(data.data, discord.app_commands.Group)


async def test_a_calendar_link_is_made_shown_once_and_ended(served: Stage) -> None:
    async def asked(**options: str) -> str:
        return _said(await served.bob.slash(served.general, "data calendar", **options))

    assert "There is no link of what is yours." in await asked()
    first = await asked(action="new")
    assert f"/calendar/user/{served.bob.id}.ics?key=" in first
    assert "Only you see it, and only now." in first
    assert "There is a link of what is yours since <t:" in await asked()
    assert await asked(action="new") != first
    assert "Who has the link of what is yours gets nothing by it any more." in await asked(action="end")
    assert "There is no link of what is yours." in await asked()
    assert "takes Manage Server and Manage Messages" in await asked(action="new", scope="server")
    own = _said(await served.alice.slash(served.general, "data calendar", action="new", scope="server"))
    assert f"/calendar/guild/{served.guild_id}.ics?key=" in own


async def test_what_is_said_of_a_link_names_the_command_that_ends_that_very_link(served: Stage) -> None:
    async def asked(**options: str) -> str:
        return _said(await served.alice.slash(served.general, "data calendar", **options))

    assert "`/data calendar action:end`" in await asked(action="new")
    assert "`/data calendar action:end scope:server`" in await asked(action="new", scope="server")
    assert "`/data calendar action:end scope:server` ends it" in await asked(scope="server")
    assert "Who has the link of this server gets nothing" in await asked(action="end", scope="server")
    assert "There is a link of what is yours" in await asked()
    assert await asked(action="end", scope="server") == (
        "There is no link of this server. That of what is yours ends by `/data calendar action:end`."
    )
    await asked(action="end")
    assert "There is no link of what is yours. That of this server ends by" in await asked(action="end")

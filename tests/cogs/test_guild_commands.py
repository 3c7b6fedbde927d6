"""What people see of /timezone, /settings, /status and /help."""

from __future__ import annotations

import simcord

from schedule_zero import requests as ask
from tests.cogs.stage import Stage, texts


def _said(result: simcord.InteractionResult) -> str:
    assert result.response is not None
    assert result.ephemeral
    return texts(result.response)


async def test_everybody_sets_their_own_zone_anywhere(stage: Stage) -> None:
    # Complaint 6: the bot assumes UTC.
    assert "Yours: not set" in _said(await stage.bob.slash(stage.general, "timezone show"))
    assert "**Europe/Berlin**" in _said(await stage.bob.user.slash("timezone set", tz="Europe/Berlin"))
    shown = _said(await stage.bob.slash(stage.general, "timezone show"))
    assert "Yours: **Europe/Berlin**" in shown
    assert "This server's: **UTC**" in shown
    reminder = await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    assert "· Europe/Berlin" in _said(reminder)
    assert "zone is not set" not in _said(reminder)


async def test_a_reminder_set_without_a_zone_says_how_to_set_one(stage: Stage) -> None:
    assert "Your own time zone is not set; /timezone set makes times yours." in _said(
        await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    )


async def test_settings_show_marks_the_defaults(stage: Stage) -> None:
    # Complaint 7: no guild default zone.
    assert "**Time zone**: UTC (default)" in _said(await stage.alice.slash(stage.general, "settings show"))
    changed = await stage.alice.slash(stage.general, "settings timezone", tz="Asia/Tokyo")
    assert "**Time zone**: Asia/Tokyo" in _said(changed)
    assert stage.world.of(ask.PutGuildSettings)[0].guild_id == stage.guild_id


async def test_channels_change_only_what_is_named(stage: Stage) -> None:
    log = stage.guild.create_text_channel("log")
    await stage.alice.slash(stage.general, "settings channels", failures=stage.general)
    shown = _said(await stage.alice.slash(stage.general, "settings channels", log=log))
    assert f"**failures**: <#{stage.general.id}>" in shown
    assert f"**log**: <#{log.id}>" in shown
    assert "**review**: not set" in shown
    assert stage.world.settings[stage.guild_id].channels.failures == str(stage.general.id)
    await stage.alice.slash(stage.general, "settings channels")
    assert len(stage.world.of(ask.PutGuildSettings)) == 2


async def test_a_channel_for_notices_the_bot_cannot_use_is_refused(stage: Stage) -> None:
    closed = stage.channel_without("send_messages")
    result = await stage.alice.slash(stage.general, "settings channels", failures=closed)
    assert _said(result) == f"The bot lacks Send Messages in `failures`, <#{closed.id}>."
    assert stage.world.of(ask.PutGuildSettings) == []


async def test_status_names_every_part(stage: Stage) -> None:
    words = _said(await stage.bob.slash(stage.general, "status"))
    assert "The core **accepts and fires** (version 0.1.0)." in words
    assert "✅ discord: ok" in words
    assert "⚠️ store: slow" in words
    assert "Incidents since the start: 0." in words


async def test_help_lists_every_command_and_explains_times(stage: Stage) -> None:
    words = _said(await stage.bob.slash(stage.general, "help"))
    for command in stage.bot.tree.walk_commands():
        if not hasattr(command, "commands"):
            assert f"`/{command.qualified_name}`" in words
    assert "every weekday at 9" in _said(await stage.bob.slash(stage.general, "help", topic="times"))
    assert "`/remind me when [text]" in _said(await stage.bob.slash(stage.general, "help", topic="/remind"))
    assert _said(await stage.bob.slash(stage.general, "help", topic="tea")).startswith("There is no topic 'tea'.")
    choices = await stage.bob.autocomplete(stage.general, "help", "topic", "re")
    assert [choice["value"] for choice in choices] == ["repeat", "remind"]

"""What people see of /timezone, /settings, /status and /help."""

from __future__ import annotations

import simcord

from schedule_zero import requests as ask
from tests.cogs.stage import Stage, said, scheduled, texts


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


async def test_another_persons_zone_is_shown_only_if_the_core_lets_it_be_seen(stage: Stage) -> None:
    stage.world.zones[str(stage.alice.id)] = "Asia/Tokyo"
    hidden = _said(await stage.bob.slash(stage.general, "timezone show", member=stage.alice))
    assert hidden == "They do not share a time zone."
    assert stage.world.last_actor(ask.GetUserTimezone).id == str(stage.bob.id)
    own = await stage.alice.slash(stage.general, "timezone show", member=stage.alice)
    assert "Yours: **Asia/Tokyo**" in _said(own)


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


async def test_a_channel_for_notices_can_be_taken_away_again(stage: Stage) -> None:
    log = stage.guild.create_text_channel("log")
    await stage.alice.slash(stage.general, "settings channels", failures=stage.general, log=log)
    shown = _said(await stage.alice.slash(stage.general, "settings channels", clear="log", default=log))
    assert "**log**: not set" in shown
    assert f"**default**: <#{log.id}>" in shown
    assert f"**failures**: <#{stage.general.id}>" in shown
    both = await stage.alice.slash(stage.general, "settings channels", clear="log", log=log)
    assert _said(both) == "`log` is both set and cleared; leave one of them out."
    assert "<#" not in _said(await stage.alice.slash(stage.general, "settings channels", clear="all"))


async def test_channels_are_changed_one_by_one_so_that_two_people_do_not_undo_each_other(stage: Stage) -> None:
    await stage.alice.slash(stage.general, "settings channels", failures=stage.general)
    (request,) = stage.world.of(ask.PutGuildSettings)
    assert request.changes == {"channels": {"failures": str(stage.general.id)}}


async def test_a_channel_that_is_not_cached_is_asked_for_before_it_is_refused(stage: Stage) -> None:
    log = stage.guild.create_text_channel("log")
    guild = stage.bot.get_guild(stage.guild.id)
    assert guild is not None
    guild._remove_channel(guild.get_channel(log.id))  # type: ignore[arg-type]
    assert f"**log**: <#{log.id}>" in _said(await stage.alice.slash(stage.general, "settings channels", log=log))


async def test_a_channel_for_notices_the_bot_cannot_use_is_refused(stage: Stage) -> None:
    closed = stage.channel_without("send_messages")
    result = await stage.alice.slash(stage.general, "settings channels", failures=closed)
    assert _said(result) == f"The bot lacks Send Messages in <#{closed.id}>; allow it there, or pick another one."
    assert stage.world.of(ask.PutGuildSettings) == []


async def test_status_counts_in_words_that_fit_before_the_first_tick(served: Stage) -> None:
    words = await said(served, "status")
    assert "0 schedules, 0 due, 0 waiting, 0 runs done.\nNo tick yet, lag " in words
    await scheduled(served)
    assert "1 schedule, " in await said(served, "status")


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

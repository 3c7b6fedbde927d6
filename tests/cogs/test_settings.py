"""What people see of /settings, with a real core: options, menus, Undo, what is refused, and who sees answers."""

from __future__ import annotations

from typing import Any

import discord
import pytest
import simcord

from cogs.settings.pickers import RolePicker
from cogs.settings.words import LANGUAGES
from core.timing.locales import ORDERS
from schedule_zero.views import GuildSettings
from tests.cogs.stage import Stage, labels, offered, said, scheduled, texts


async def stands(stage: Stage) -> GuildSettings:
    return await stage.bot.core.guild_settings(stage.guild_id)


async def shown(stage: Stage, command: str, **options: Any) -> Any:
    result = await stage.alice.slash(stage.general, command, **options)
    assert result.response is not None
    return result.response


def menus(message: Any) -> dict[str, list[str]]:
    """The menus of a card by their field, and the ids picked in each."""
    return {
        part["custom_id"].partition(":")[2]: [str(each["id"]) for each in part.get("default_values", [])]
        for part in _walk(message.components)
        if part["type"] in (6, 8)
    }


def _walk(components: Any) -> Any:
    for component in components:
        yield component
        yield from _walk(component.get("components") or [])


async def test_show_has_a_line_for_every_setting_and_marks_the_defaults(served: Stage) -> None:
    fresh = await said(served, "settings show")
    lines = [line for line in fresh.split("\n") if line.startswith("- **")]
    assert len(lines) == 21
    assert [line for line in lines if "(default)" not in line] == [line for line in lines if "not set (" in line]
    await served.bot.core.change_guild_settings(served.guild_id, {"mentions": {"max": 3}, "policy": {"dst": "literal"}})
    words = await said(served, "settings show")
    assert "- **Most in one message**: 3\n" in words
    assert "- **Roles**: `managers`, only those who manage here, if Discord lets them, too (default)" in words
    assert "- **Clock change**: `literal`, a time the clocks skip is left out, one they repeat comes twice\n" in words


async def test_everything_that_can_be_set_together_fits_on_one_card(served: Stage) -> None:
    ids = [str(10**17 + number) for number in range(25)]
    await served.bot.core.change_guild_settings(
        served.guild_id,
        {
            "timezone": "America/Argentina/ComodRivadavia", "locale": "es-419", "retention": {"history_days": 30},
            "channels": dict.fromkeys(("default", "log", "review", "failures"), ids[0]) | {"allow": ids, "deny": []},
            "roles": {"manager": ids, "member": ids}, "mentions": {"roles": "listed", "listed": ids},
        },
    )  # fmt: skip
    words = await said(served, "settings show")
    assert "**Answers and history**" in words
    assert words.endswith("everything is kept (default)")
    assert words.count(" and 17 more") == 4


@pytest.mark.parametrize(
    ("command", "options", "line", "field", "value"),
    [
        ("settings locale", {"locale": "de"}, "**Language**: German (`de`)", "locale", "de"),
        ("settings format", {"clock": 12}, "**Clock**: 12 h", "hour24", False),
        ("settings format", {"default_time": "7:30"}, "none is given**: 07:30", "default_time", "07:30"),
        (
            "settings replies",
            {"ephemeral": "off"},
            "for everybody in the channel; not secrets, refusals and what is one person's own",
            "ephemeral",
            False,
        ),
        ("settings timezone", {"tz": "tokyo"}, "**Time zone**: Asia/Tokyo", "timezone", "Asia/Tokyo"),
    ],
)
async def test_one_thing_is_set_said_and_taken_back(
    served: Stage, command: str, options: dict[str, Any], line: str, field: str, value: Any
) -> None:
    before = await stands(served)
    card = await shown(served, command, **options)
    assert f"{line}\n" in texts(card) + "\n"
    assert getattr(await stands(served), field) == value
    pressed = await served.alice.click(card, label="Undo")
    assert pressed.response is not None
    assert ": taken back" in texts(pressed.response)
    assert await stands(served) == before
    assert labels(pressed.response) == ["Undo"]
    again = await served.alice.click(pressed.response, label="Undo")
    assert again.response is not None
    assert getattr(await stands(served), field) == value


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        ("settings format", {"clock": 12, "default_time": "07:30"}),
        ("settings policy", {"catchup": "all", "dst": "literal", "month_end": "last"}),
        ("settings retention", {"days": 7, "delete_on_leave": True}),
        ("settings mentions", {"everyone": "off", "roles": "off", "max": 0}),
    ],
)
async def test_reset_goes_back_to_the_defaults_and_not_together_with_something_else(
    served: Stage, command: str, sent: dict[str, Any]
) -> None:
    before = await stands(served)
    assert ": set" in await said(served, command, **sent)
    assert await stands(served) != before
    both = await said(served, command, reset=True, **sent)
    assert both == f"`reset` sets all of it back, and `{_first(sent)}` sets some of it; leave one of them out."
    assert ": set" in await said(served, command, reset=True)
    assert await stands(served) == before
    assert "as it was already" in await said(served, command, reset=True)
    assert "###" in await said(served, command)


def _first(sent: dict[str, Any]) -> str:
    return {"clock": "hour24", "days": "history_days"}.get(next(iter(sent)), next(iter(sent)))


async def test_a_language_is_offered_by_name_and_heeded_when_a_date_is_read(served: Stage) -> None:
    assert ("German (de)", "de") in await offered(served, "settings locale", "locale", "ger")
    assert (await offered(served, "settings locale", "locale", ""))[-1] == ("none: ask what 03/04 means", "none")
    assert set(LANGUAGES) == set(ORDERS)
    asked = await said(served, "schedule message", when="03/04", channel=served.general, text="x")
    assert "can be read in more than one way" in asked
    await said(served, "settings locale", locale="en-us")
    made = await said(served, "schedule message", when="03/04", channel=served.general, text="x")
    assert "Wednesday March 4 2026 at 09:00" in made
    await said(served, "settings locale", locale="none")
    assert (await stands(served)).locale is None
    wrong = await said(served, "settings locale", locale="klingon")
    assert wrong == "`locale`: 'klingon' is no language of Discord's; write one such as en-GB, en-US or de"


async def test_the_clock_is_heeded_in_what_is_said(served: Stage) -> None:
    await said(served, "settings format", clock=12)
    assert "every day at 6:30pm" in await said(
        served, "schedule message", when="every day at 18:30", channel=served.general, text="x"
    )
    wrong = await said(served, "settings format", default_time="9 o'clock")
    assert wrong == '`default_time`: has to be a time of day such as 09:00, not "9 o\'clock"'


async def test_the_defaults_of_schedules_are_those_of_new_ones(served: Stage) -> None:
    old = await scheduled(served, "every month on the 31st at 9", name="old")
    words = await said(served, "settings policy", month_end="skip", catchup="all")
    assert "**End of month**: `skip`, a day a month lacks is left out\n" in words
    new = await scheduled(served, "every month on the 31st at 9", name="new")
    assert (new.policy.month_end, new.policy.catchup) == ("skip", "all")
    assert (await served.bot.core.get_schedule(old.id)).policy.month_end == "clamp"
    assert {time[8:10] for time in new.next_fire_times} == {"31"}


# ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_roles_are_added_by_option_and_picked_or_taken_away_in_menus(served: Stage) -> None:
    crew, team = served.guild.create_role("crew"), served.guild.create_role("team")
    await said(served, "settings roles", manager=crew)
    card = await shown(served, "settings roles", manager=team, member=crew)
    assert f"**Managers**: <@&{crew.id}>, <@&{team.id}>\n**May schedule**: <@&{crew.id}>" in texts(card)
    assert menus(card) == {"roles.manager": [str(crew.id), str(team.id)], "roles.member": [str(crew.id)]}
    picked = await served.alice.select(card, [team], custom_id="szroles1:roles.manager")
    assert picked.response is not None
    assert f"**Managers**: <@&{team.id}>\n" in texts(picked.response)
    assert menus(picked.response)["roles.manager"] == [str(team.id)]
    emptied = await served.alice.select(card, [], custom_id="szroles1:roles.manager")
    assert emptied.response is not None
    assert "**Managers**: nobody beside" in texts(emptied.response)
    assert (await stands(served)).roles.manager == ()
    undone = await served.alice.click(emptied.response, label="Undo")
    assert undone.response is not None
    assert (await stands(served)).roles.manager == (str(team.id),)
    both = await said(served, "settings roles", member=crew, clear="member")
    assert both == "`member` is both set and cleared; leave one of them out."
    await said(served, "settings roles", clear="all")
    assert "roles" in (await stands(served)).defaults


async def test_a_role_that_was_deleted_is_named_as_gone_and_is_in_no_menu(served: Stage) -> None:
    crew = served.guild.create_role("crew")
    await served.bot.core.change_guild_settings(served.guild_id, {"roles": {"manager": ["12345", str(crew.id)]}})
    card = await shown(served, "settings roles")
    assert f"**Managers**: a role that is gone (`12345`), <@&{crew.id}>" in texts(card)
    assert menus(card)["roles.manager"] == [str(crew.id)]


async def test_everybody_may_be_let_schedule_but_not_manage(served: Stage) -> None:
    everybody = served.guild.roles["@everyone"]
    assert "**May schedule**: everybody" in await said(served, "settings roles", member=everybody)
    refused = await said(served, "settings roles", manager=everybody)
    assert refused == "`manager`: everybody cannot manage here; choose a role that some people have"


async def test_somebody_else_picks_nothing(served: Stage) -> None:
    crew = served.guild.create_role("crew")
    card = await shown(served, "settings roles", manager=crew)
    message = await served.bot.get_partial_messageable(served.general.id).send(view=_card_with_a_menu([crew], served))
    pressed = await served.bob.select(message, [], custom_id="szroles1:roles.manager")
    assert pressed.followups[0].content == "Changing the server's settings takes the permission Manage Server."
    assert (await stands(served)).roles.manager == (str(crew.id),)
    assert card is not None


async def test_a_menu_of_another_version_says_so(served: Stage) -> None:
    view = _card_with_a_menu([], served, version="9")
    message = await served.bot.get_partial_messageable(served.general.id).send(view=view)
    pressed = await served.alice.select(message, [], custom_id="szroles9:roles.manager")
    assert pressed.response is not None
    assert "comes from another version of the bot" in pressed.response.content


def _card_with_a_menu(roles: list[Any], stage: Stage, version: str = "1") -> discord.ui.LayoutView:
    view = discord.ui.LayoutView(timeout=None)
    guild = stage.bot.get_guild(stage.guild.id)
    assert guild is not None
    menu = RolePicker.of(
        "roles.manager", "pick", [role for role in guild.roles if role.id in {each.id for each in roles}]
    )
    menu.item.custom_id = f"szroles{version}:roles.manager"
    view.add_item(discord.ui.ActionRow(menu))
    return view


async def test_roles_of_managers_work_with_everybodys_schedules_through_commands_and_buttons(served: Stage) -> None:
    crew = served.guild.create_role("crew", permissions=discord.Permissions(manage_messages=False))
    carol = served.guild.add_member(served.env.create_user("carol"), roles=[crew])
    made = await scheduled(served, name="standup")
    await said(served, "settings roles", manager=crew)
    shown_ = await served.alice.slash(served.general, "schedule show", item="standup")
    assert shown_.response is not None
    card = await served.post(view=await _public_card(served, made.id))
    refused = await served.bob.click(card, label="Pause")
    assert "There is no schedule" in refused.followups[0].content
    pressed = await carol.click(card, label="Pause")
    assert pressed.response is not None
    assert (await served.bot.core.get_schedule(made.id)).state == "paused"


async def _public_card(stage: Stage, id: str) -> Any:
    from cogs.cards import schedule_card

    return schedule_card(await stage.bot.core.get_schedule(id), "Schedule")


async def test_mentions_are_listed_by_option_and_by_menu(served: Stage) -> None:
    crew, team = served.guild.create_role("crew"), served.guild.create_role("team")
    card = await shown(served, "settings mentions", listed=crew)
    assert f"**Roles**: `listed`, only those listed, by everybody who may schedule\n**Listed**: <@&{crew.id}>" in texts(
        card
    )
    await served.alice.select(card, [crew, team], custom_id="szroles1:mentions.listed")
    assert (await stands(served)).mentions.listed == (str(crew.id), str(team.id))
    both = await said(served, "settings mentions", listed=crew, roles="off")
    assert both == "`listed` names a role that may be mentioned, and `roles` is `off`; leave one of them out."
    words = await said(served, "settings mentions", roles="managers")
    assert "; not heeded while roles is `managers`" in words


async def test_listed_roles_may_be_mentioned_without_the_right_of_discord_and_others_not(served: Stage) -> None:
    crew, team = served.guild.create_role("crew"), served.guild.create_role("team")
    moderator = served.guild.create_role("moderators", permissions=discord.Permissions(manage_messages=True))
    dave = served.guild.add_member(served.env.create_user("dave"), roles=[moderator])

    async def mention(role: Any) -> str:
        result = await dave.slash(
            served.general,
            "schedule message",
            when="in 2 hours",
            channel=served.general,
            text="x",
            mentions=role.mention,
        )
        assert result.response is not None
        return texts(result.response)

    assert "needs the right Mention Everyone" in await mention(crew)
    await said(served, "settings mentions", listed=crew)
    assert "Scheduled" in await mention(crew)
    assert "needs the right Mention Everyone" in await mention(team)
    await said(served, "settings mentions", max=0)
    assert await mention(crew) == "`mentions`: 1 mentions are too many; this server's settings allow none in a message"


async def test_where_schedules_post_is_chosen_by_option_and_by_menu_and_a_closed_channel_is_refused(
    served: Stage,
) -> None:
    news = served.guild.create_text_channel("news")
    card = await shown(served, "settings channels", allow=news)
    assert f"**Only in**: <#{news.id}>" in texts(card)
    refused = await said(served, "schedule message", when="in 2 hours", channel=served.general, text="x")
    assert refused == f"`channel`: this server's settings let schedules post in <#{news.id}> only."
    assert "Scheduled" in await said(served, "schedule message", when="in 2 hours", channel=news, text="x")
    await served.alice.select(card, [], custom_id="szchannels1:channels.allow")
    picked = await served.alice.select(card, [served.general], custom_id="szchannels1:channels.deny")
    assert picked.response is not None
    assert menus(picked.response) == {"channels.allow": [], "channels.deny": [str(served.general.id)]}
    refused = await said(served, "schedule message", when="in 2 hours", channel=served.general, text="x")
    assert refused == f"`channel`: this server's settings let no schedule post in <#{served.general.id}>."
    both = await said(served, "settings channels", allow=served.general)
    assert both == f"`deny`: <#{served.general.id}> stands in allow as well; leave it out of one of them"
    await said(served, "settings channels", clear="deny")
    assert "Scheduled" in await said(served, "schedule message", when="in 2 hours", channel=served.general, text="x")


async def test_the_operators_time_bounds_the_history(served: Stage) -> None:
    refused = await said(served, "settings retention", days=31)
    assert refused == "`days`: is more than the 30 days that the operator keeps anything"
    words = await said(served, "settings retention", days=1, delete_on_leave=True)
    assert "**History**: 1 day\n**When the bot leaves**: everything of this server is deleted some days later" in words


# ── who sees answers ──────────────────────────────────────────────────────────────────────────────────────────


async def answer(stage: Stage, command: str, who: simcord.MemberActor | None = None, **options: Any) -> Any:
    return await (who or stage.alice).slash(stage.general, command, **options)


async def test_answers_are_for_everybody_where_the_server_wants_it_and_refusals_never(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    assert (await answer(served, "schedule list")).ephemeral
    await said(served, "settings replies", ephemeral="off")
    for command in ("schedule list", "job list", "calendar agenda", "chain check"):
        assert not (await answer(served, command)).ephemeral, command
    assert not (await answer(served, "schedule show", item=made.id)).ephemeral
    for command in ("settings show", "timezone show", "remind list", "help", "status"):
        assert (await answer(served, command)).ephemeral, command
    refused = await answer(served, "schedule show", item="nothing like it")
    assert "nothing like it" in refused.followups[0].content
    assert refused.followups[0].ephemeral
    tested = await answer(served, "schedule run_now", item=made.id, test=True)
    assert tested.ephemeral
    await said(served, "settings replies", ephemeral="on")
    assert (await answer(served, "schedule list")).ephemeral


async def test_tokens_and_logs_are_never_for_everybody(jobs: Stage) -> None:
    await said(jobs, "settings replies", ephemeral="off")
    assert (await answer(jobs, "job token", scope="reports")).ephemeral
    assert (await answer(jobs, "job log", run="run_00000000000000000099")).ephemeral


async def test_the_answer_to_a_form_is_seen_by_those_who_see_that_of_its_command(served: Stage) -> None:
    await said(served, "settings replies", ephemeral="off")
    opened = await answer(served, "schedule message", when="in 2 hours", channel=served.general)
    field = opened.modal["components"][0]["component"]["custom_id"]
    sent = await served.alice.submit_modal(opened, {field: "tea"})
    assert sent.response is not None
    assert "Scheduled" in texts(sent.response)
    assert not sent.ephemeral


async def test_what_was_set_elsewhere_counts_from_the_second_command_on(served: Stage) -> None:
    await answer(served, "schedule list")
    await served.bot.core.change_guild_settings(served.guild_id, {"ephemeral": False})
    assert (await answer(served, "schedule list")).ephemeral
    assert not (await answer(served, "schedule list")).ephemeral
    await served.bot.core.change_guild_settings(served.guild_id, {"ephemeral": None})
    await answer(served, "schedule list")
    assert (await answer(served, "schedule list")).ephemeral


async def test_nobody_without_manage_server_changes_anything(served: Stage) -> None:
    moderator = served.guild.create_role("m", permissions=discord.Permissions(manage_guild=True))
    dave = served.guild.add_member(served.env.create_user("dave"), roles=[moderator])
    crew = served.guild.create_role("crew")
    result = await dave.slash(served.general, "settings roles", manager=crew)
    assert result.response is not None
    assert "takes the permission Manage Messages as well: nobody gives what they do not hold" in texts(result.response)
    result = await dave.slash(served.general, "settings mentions", listed=crew)
    assert result.response is not None
    assert "takes the permission Mention Everyone: nobody gives what they do not hold" in texts(result.response)

"""What people see of /schedule."""

from __future__ import annotations

import re
from datetime import timedelta

import discord
import msgspec
import pytest
import simcord

from cogs.schedule import changes
from schedule_zero import requests as ask
from schedule_zero.errors import Conflict, Unavailable
from tests.bot.fake_core import START
from tests.cogs.stage import Stage, labels, said, scheduled, texts

FIRST = "sch_00000000000000000001"


async def _scheduled(stage: Stage, text: str = "Standup!", **options: object) -> simcord.InteractionResult:
    channel = options.pop("channel", stage.general)
    return await stage.alice.slash(
        stage.general, "schedule message", when="every weekday at 9", channel=channel, text=text, **options
    )


def _said(result: simcord.InteractionResult) -> str:
    assert result.response is not None
    return texts(result.response)


async def test_a_message_is_saved_for_the_guild_in_its_authors_name(stage: Stage) -> None:
    # Complaint 10: "five times" and "until a date" are wanted.
    result = await _scheduled(stage, name="standup", count=5, tz="Europe/Berlin")
    spec = stage.world.of(ask.CreateSchedule)[0].spec
    assert (spec.guild_id, spec.owner_id, spec.name, spec.count) == (stage.guild_id, str(stage.alice.id), "standup", 5)
    assert spec.args == {"channel_id": str(stage.general.id), "content": "Standup!"}
    assert (spec.timezone, spec.metadata) == ("Europe/Berlin", {})
    words = _said(result)
    assert "Scheduled: standup" in words
    assert "> Standup!" in words
    assert "Europe/Berlin, 5 times" in words
    assert f"<#{stage.general.id}>" in words
    assert words.count(":F> (<t:") == 5


async def test_without_text_a_form_asks_for_it(stage: Stage) -> None:
    shown = await stage.alice.slash(stage.general, "schedule message", when="every weekday at 9", channel=stage.general)
    assert shown.modal is not None
    field = shown.modal["components"][0]["component"]["custom_id"]
    result = await stage.alice.submit_modal(shown, {field: "Standup!"})
    assert "Scheduled: Standup!" in _said(result)


@pytest.mark.parametrize(
    ("denied", "words"),
    [
        (("send_messages",), "The bot lacks Send Messages in <#"),
        (("view_channel",), "The bot lacks View Channel and Send Messages in <#"),
    ],
)
async def test_a_channel_without_the_bots_rights_is_refused_with_their_names(
    stage: Stage, denied: tuple[str, ...], words: str
) -> None:
    result = await _scheduled(stage, channel=stage.channel_without(*denied))
    assert _said(result).startswith(words)
    assert stage.world.of(ask.CreateSchedule) == []


async def test_a_channel_the_caller_may_not_write_in_is_refused(stage: Stage) -> None:
    muted = discord.PermissionOverwrite(send_messages=False)
    closed = stage.guild.create_text_channel("announcements", overwrites={stage.alice: muted})
    assert _said(await _scheduled(stage, channel=closed)).startswith("You lack Send Messages in <#")


async def test_a_channel_that_was_deleted_meanwhile_is_refused(stage: Stage) -> None:
    doomed = stage.guild.create_text_channel("doomed")
    shown = await stage.alice.slash(stage.general, "schedule message", when="every weekday at 9", channel=doomed)
    assert shown.modal is not None
    stage.env.backend.delete_channel(doomed.id)
    field = shown.modal["components"][0]["component"]["custom_id"]
    result = await stage.alice.submit_modal(shown, {field: "Standup!"})
    assert _said(result).startswith("`channel` was deleted meanwhile; pick another one.")
    assert "Standup!" in _said(result)


async def test_mentions_are_kept_as_a_list_and_need_the_right(stage: Stage) -> None:
    # Complaint 16: mass mentions through the bot.
    crew = stage.guild.create_role("crew")
    await _scheduled(stage, mentions=f"{stage.bob.mention} <@&{crew.id}> @everyone")
    assert stage.world.of(ask.CreateSchedule)[0].spec.args["mentions"] == [
        f"<@{stage.bob.id}>",
        f"<@&{crew.id}>",
        "@everyone",
    ]
    helper = stage.guild.create_role("helper", permissions=discord.Permissions(manage_messages=True))
    carol = stage.guild.add_member(stage.env.create_user("carol"), roles=[helper])
    for mentions, words in (
        ("@everyone", "`mentions`: mentioning everyone needs the right Mention Everyone"),
        (f"<@&{crew.id}>", "`mentions`: mentioning @crew needs the right Mention Everyone"),
        ("everybody", "`mentions` holds 'everybody'"),
    ):
        result = await carol.slash(
            stage.general, "schedule message", when="in 2 hours", channel=stage.general, text="x", mentions=mentions
        )
        assert _said(result).startswith(words)


async def test_members_without_manage_messages_do_not_see_the_group(stage: Stage) -> None:
    assert "schedule message" in stage.alice.available_commands(stage.general)
    assert not [name for name in stage.bob.available_commands(stage.general) if name.startswith("schedule")]


async def test_list_filters_by_channel_owner_state_and_text(stage: Stage) -> None:
    other = stage.guild.create_text_channel("other")
    await _scheduled(stage, "one")
    await _scheduled(stage, "two", channel=other)
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="Bob's own reminder")
    everything = _said(await stage.alice.slash(stage.general, "schedule list"))
    assert "**one**" in everything
    assert "**two**" in everything
    assert "Bob's own reminder" not in everything
    there = _said(await stage.alice.slash(stage.general, "schedule list", channel=other))
    assert "**two**" in there
    assert "**one**" not in there
    nobodys = await stage.alice.slash(stage.general, "schedule list", owner=stage.bob, state="active", search="one")
    assert "Nothing fits" in _said(nobodys)


async def test_list_is_sorted_as_asked_and_stays_so_while_turning_pages(stage: Stage) -> None:
    for number, name in enumerate("blackdifghje"):
        await _scheduled(stage, name, name=name)
        known = stage.world.schedules[f"sch_{number + 1:020d}"]
        due = (START + timedelta(hours=number * 5 % 12)).isoformat()
        stage.world.schedules[known.id] = msgspec.structs.replace(known, next_fire_times=(due,))
    stage.world.schedules[FIRST] = msgspec.structs.replace(stage.world.schedules[FIRST], state="paused")
    first = await stage.alice.slash(stage.general, "schedule list", sort="name")
    assert first.response is not None
    assert _names(texts(first.response)) == "abcdefghij"
    await stage.alice.click(first.response, label="Next ▶")
    assert _names(texts(first.response)) == "kl"
    soonest = sorted("lackdifghje", key=lambda name: "blackdifghje".index(name) * 5 % 12)
    assert _names(_said(await stage.alice.slash(stage.general, "schedule list", sort="next"))) == "".join(soonest[:10])
    assert _names(_said(await stage.alice.slash(stage.general, "schedule list", sort="newest"))) == "ejhgfidkca"
    assert _names(_said(await stage.alice.slash(stage.general, "schedule list", sort="oldest"))) == "blackdifgh"
    assert _names(_said(await stage.alice.slash(stage.general, "schedule list"))) == "lackdifghj"


def _names(words: str) -> str:
    return "".join(re.findall(r"^- \*\*(\w)\*\*", words, re.MULTILINE))


async def test_show_has_rule_times_owner_revision_and_the_last_runs(stage: Stage) -> None:
    await _scheduled(stage)
    await stage.alice.slash(stage.general, "schedule run_now", item=FIRST)
    words = _said(await stage.alice.slash(stage.general, "schedule show", item="Standup"))
    assert r"cron 0 9 \* \* MON-FRI · UTC" in words
    assert f"`{FIRST}` · revision 1 · <@{stage.alice.id}>" in words
    assert "**Last runs**\n- succeeded · due" in words


async def test_an_exact_name_wins_over_names_that_contain_it(stage: Stage) -> None:
    for name in ("standup retro", "standup", "my standup"):
        await _scheduled(stage, name, name=name)
    assert "Schedule: standup\n" in _said(await stage.alice.slash(stage.general, "schedule show", item="standup"))
    several = _said(await stage.alice.slash(stage.general, "schedule show", item="stand"))
    assert several == "3 schedules fit 'stand'. Pick one from the suggestions of `item`."
    assert "Schedule: my standup" in _said(await stage.alice.slash(stage.general, "schedule show", item="my"))


async def test_the_name_of_what_is_over_never_means_another_schedule(stage: Stage) -> None:
    for name in ("standup", "standup retro"):
        await _scheduled(stage, name, name=name)
    stage.world.schedules[FIRST] = msgspec.structs.replace(stage.world.schedules[FIRST], state="done")
    await stage.alice.slash(stage.general, "schedule delete", item="standup")
    states = {schedule.name: schedule.state for schedule in stage.world.schedules.values()}
    assert states == {"standup": "deleted", "standup retro": "active"}


async def test_preview_of_a_saved_schedule_and_of_words(stage: Stage) -> None:
    await _scheduled(stage)
    saved = _said(await stage.alice.slash(stage.general, "schedule preview", item=FIRST, n=3))
    assert "`Mon 2027-03-01 09:00` · `09:00Z`" in saved
    assert len([line for line in saved.splitlines() if line.startswith("`")]) == 3
    words = await stage.alice.slash(stage.general, "schedule preview", repeat="every day at 9", n=50)
    assert len([line for line in _said(words).splitlines() if line.startswith("`")]) == 50
    later = await stage.alice.slash(
        stage.general, "schedule preview", **{"when": "every day at 9", "from": "in a year", "tz": "Asia/Tokyo"}
    )
    assert later.response is not None
    assert stage.world.of(ask.PreviewTrigger)[-1].after.startswith("2028-02-29")
    nothing = await stage.alice.slash(stage.general, "schedule preview")
    assert _said(nothing) == "Give `item`, or a time in `when` or `repeat`."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"when": "tomorrow at 9"}, "`item` has its own time, so `when` says nothing here; leave one of them out."),
        (
            {"repeat": "every day at 9"},
            "`item` has its own time, so `repeat` says nothing here; leave one of them out.",
        ),
        ({"tz": "Asia/Tokyo"}, "`item` has its own time zone, and `tz` is only what `from` is read in;"),
    ],
)
async def test_a_preview_of_a_schedule_refuses_what_it_would_not_heed(
    stage: Stage, options: dict[str, str], words: str
) -> None:
    await _scheduled(stage)
    assert _said(await stage.alice.slash(stage.general, "schedule preview", item=FIRST, **options)).startswith(words)


async def test_the_preview_of_what_rests_says_that_nothing_of_it_comes(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    assert "Nothing of this comes" not in await said(served, "schedule preview", item="standup")
    paused = await served.alice.slash(served.general, "schedule pause", item="standup")
    assert paused.response is not None
    told = "**State**: paused. Nothing of this comes until it is resumed."
    assert told in await said(served, "schedule preview", item="standup")
    pressed = await served.alice.click(paused.response, label="Preview")
    assert told in texts(pressed.followups[0])
    await said(served, "schedule pause", item="standup", until="tomorrow at 9")
    assert "(<t:1767344400:R>). Nothing of this comes before that." in await said(
        served, "schedule preview", item=made.id
    )


async def test_to_pause_what_is_paused_or_resume_what_is_active_does_nothing_and_says_so(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    assert "### It is active already: standup" in await said(served, "schedule resume", item="standup")
    assert "### Paused: standup" in await said(served, "schedule pause", item="standup")
    assert "### It is paused already: standup" in await said(served, "schedule pause", item="standup")
    assert (await served.bot.core.get_schedule(made.id)).revision == 2


async def test_a_page_beyond_the_last_names_the_last(stage: Stage) -> None:
    await _scheduled(stage)
    words = _said(await stage.alice.slash(stage.general, "schedule list", page=99))
    assert "### Schedules, page 1" in words
    assert "-# There is no page 99; this is the last." in words


async def test_a_list_names_the_zone_of_each_time(served: Stage) -> None:
    await scheduled(served, name="standup", tz="Asia/Tokyo")
    assert " · every day at 09:00 · Asia/Tokyo · " in await said(served, "schedule list")
    await said(served, "remind me", when="every day at 9", text="tea", tz="Europe/Berlin")
    assert " · every day at 09:00 · Europe/Berlin · " in await said(served, "remind list")


async def test_pause_until_resume_delete_and_undo(stage: Stage) -> None:
    await _scheduled(stage)
    paused = await stage.alice.slash(stage.general, "schedule pause", item=FIRST, until="in 2 hours")
    assert "**State**: paused until <t:" in _said(paused)
    assert paused.response is not None
    assert labels(paused.response) == ["Resume", "Preview", "Refresh", "Delete", "Undo"]
    assert "Resumed: " in _said(await stage.alice.slash(stage.general, "schedule resume", item=FIRST))
    assert "Deleted: " in _said(await stage.alice.slash(stage.general, "schedule delete", item=FIRST))
    choices = await stage.alice.autocomplete(stage.general, "schedule undo", "token", "del")
    assert [choice["name"] for choice in choices] == ["Deleted: Standup!"]
    undone = await stage.alice.slash(stage.general, "schedule undo", token=choices[0]["value"])
    assert "Taken back: " in _said(undone)
    assert stage.world.schedules[FIRST].state == "active"
    again = await stage.alice.slash(stage.general, "schedule undo", token=choices[0]["value"])
    assert _said(again) == "It is too late to undo this."


async def test_run_now_tells_the_outcome_or_how_far_it_is(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "WATCHED", 0.5)
    await _scheduled(stage)
    assert "succeeded · due" in _said(await stage.alice.slash(stage.general, "schedule run_now", item=FIRST))
    stage.world.finish_runs = False
    running = await stage.alice.slash(stage.general, "schedule run_now", item=FIRST)
    assert "waiting · due" in _said(running)
    stage.world.refuse[ask.RunSchedule] = Conflict("This schedule is blocked; resume it first.")
    blocked = await stage.alice.slash(stage.general, "schedule run_now", item=FIRST)
    assert _said(blocked) == "This schedule is blocked; resume it first."


async def test_a_test_run_shows_the_message_to_the_person_who_asks_and_runs_nothing(stage: Stage) -> None:
    await _scheduled(stage, "**Standup**, @everyone!", mentions="@everyone")
    before = len(stage.general.history())
    result = await stage.alice.slash(stage.general, "schedule run_now", item=FIRST, test=True)
    assert f"**Where**: <#{stage.general.id}>\n**May mention**: @everyone" in _said(result)
    assert [(note.content, note.ephemeral) for note in result.followups] == [("**Standup**, @everyone!", True)]
    posts = [request.json for request in stage.env.http_requests if request.path.startswith("/webhooks/")]
    assert {str(post["allowed_mentions"]) for post in posts if post} == {"{'parse': []}"}
    assert stage.world.of(ask.RunSchedule) == []
    assert len([message for message in stage.general.history() if not message.flags.ephemeral]) <= before


async def test_a_test_run_of_other_work_is_refused(stage: Stage) -> None:
    await _scheduled(stage)
    work = msgspec.structs.replace(stage.world.schedules[FIRST], handler="webhook", method="post", args={"url": "x"})
    stage.world.schedules[FIRST] = work
    result = await stage.alice.slash(stage.general, "schedule run_now", item=FIRST, test=True)
    assert _said(result) == "`test` shows what a message will look like, and this schedule does other work."


async def test_running_now_never_moves_the_times(stage: Stage) -> None:
    await _scheduled(stage)
    kept = await stage.alice.slash(stage.general, "schedule run_now", item=FIRST, keep_anchor=True)
    assert "succeeded · due" in _said(kept)
    moved = await stage.alice.slash(stage.general, "schedule run_now", item=FIRST, keep_anchor=False)
    assert _said(moved) == "Running a schedule now never moves its times; leave `keep_anchor` out."
    assert len(stage.world.runs) == 1


async def test_a_run_that_cannot_be_watched_is_shown_as_it_was_begun(stage: Stage) -> None:
    await _scheduled(stage)
    stage.world.refuse[ask.GetRun] = Unavailable("The core is not there.")
    assert "waiting · due" in _said(await stage.alice.slash(stage.general, "schedule run_now", item=FIRST))


async def test_a_discord_that_does_not_answer_is_told_as_such(stage: Stage) -> None:
    hidden = stage.guild.create_text_channel("fetched")
    guild = stage.bot.get_guild(stage.guild.id)
    assert guild is not None
    guild._remove_channel(guild.get_channel(hidden.id))  # type: ignore[arg-type]
    stage.env.inject_error("GET", "/channels/*", status=503, times=None)
    result = await _scheduled(stage, channel=hidden)
    assert _said(result).startswith("Discord does not answer the bot at the moment")


async def test_the_same_interaction_never_saves_twice(stage: Stage) -> None:
    await _scheduled(stage)
    key = stage.world.of(ask.CreateSchedule)[0].idempotency_key
    assert key is not None
    assert key.startswith("interaction:")

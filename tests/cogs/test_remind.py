"""What people see of /remind."""

from __future__ import annotations

from unittest.mock import AsyncMock

import discord

from cogs import drafts
from schedule_zero import requests as ask
from schedule_zero.errors import Invalid, QuotaExceeded, ReadingOffer
from tests.bot.fake_core import START
from tests.cogs.stage import Stage, custom_ids, labels, texts

TEN_SECONDS = int(START.timestamp()) + 10


async def test_a_reminder_is_deferred_first_and_answered_by_one_ephemeral_card(stage: Stage) -> None:
    # Complaint 17 (the application did not respond) and 21 (confirmations clutter the channel).
    result = await stage.bob.slash(stage.general, "remind me", when="in 10 seconds", text="tea")
    assert stage.answers() == [("callback", 5), ("edit", None)]
    assert result.ephemeral
    assert result.response is not None
    words = texts(result.response)
    assert "Reminder set: tea" in words
    assert f"<t:{TEN_SECONDS}:F> (<t:{TEN_SECONDS}:R>)" in words
    assert "· UTC" in words
    assert "fires at 09:00 also after the clock change" in words
    assert labels(result.response) == ["Pause", "Preview", "Refresh", "Delete", "Undo"]
    assert all(len(custom_id) <= 100 for custom_id in custom_ids(result.response))


async def test_public_shows_the_card_to_everybody(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="in 10 seconds", text="tea", public=True)
    assert not result.ephemeral


async def test_a_card_pings_nobody_whatever_the_text_says(stage: Stage) -> None:
    text = f"@everyone <@{stage.alice.id}> <@&{stage.guild.id}>"
    result = await stage.bob.slash(stage.general, "remind me", when="in 10 seconds", text=text, public=True)
    assert result.response is not None
    assert "> @everyone" in texts(result.response)
    (edit,) = [request.json for request in stage.env.http_requests if request.method == "PATCH"]
    assert edit is not None
    assert edit["allowed_mentions"] == {"parse": []}


async def test_a_refusal_is_for_its_reader_alone_even_of_a_public_command(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="blorp", text="tea", public=True)
    assert [(note.ephemeral, note.content[:24]) for note in result.followups] == [(True, "`when`: 'blorp' cannot b")]
    assert stage.general.history() == [] or all(message.flags.ephemeral for message in stage.general.history())


async def test_a_reminder_comes_here_where_both_may_write(stage: Stage) -> None:
    await stage.bob.slash(stage.general, "remind me", when="in 10 seconds", text="tea")
    spec = stage.world.of(ask.CreateSchedule)[0].spec
    assert (spec.handler, spec.method) == ("discord", "send_message")
    assert spec.args == {"channel_id": str(stage.general.id), "content": "tea"}
    assert (spec.guild_id, spec.owner_id) == (stage.guild_id, str(stage.bob.id))
    assert spec.metadata["kind"] == "reminder"
    assert spec.metadata["origin"] == str(stage.general.id)
    actor = stage.world.last_actor(ask.CreateSchedule)
    assert (actor.kind, actor.id, actor.guild_id) == ("member", str(stage.bob.id), stage.guild_id)


async def test_a_reminder_comes_as_a_direct_message_where_the_bot_may_not_write(stage: Stage) -> None:
    closed = stage.channel_without("send_messages")
    await stage.bob.slash(closed, "remind me", when="in 10 seconds", text="tea")
    spec = stage.world.of(ask.CreateSchedule)[0].spec
    assert (spec.method, spec.args) == ("send_dm", {"user_id": str(stage.bob.id), "content": "tea"})


async def test_nobody_speaks_through_the_bot_where_they_may_not_speak(stage: Stage) -> None:
    muted = discord.PermissionOverwrite(send_messages=False)
    closed = stage.guild.create_text_channel("announcements", overwrites={stage.bob: muted})
    result = await stage.bob.slash(closed, "remind me", when="in 10 seconds", text="tea", deliver="here")
    assert result.response is not None
    assert "You lack Send Messages in this channel" in result.response.content
    await stage.bob.slash(closed, "remind me", when="in 10 seconds", text="tea")
    assert [request.spec.method for request in stage.world.of(ask.CreateSchedule)] == ["send_dm"]


async def test_here_without_the_right_is_refused_with_the_rights_name(stage: Stage) -> None:
    closed = stage.channel_without("send_messages")
    result = await stage.bob.slash(closed, "remind me", when="in 10 seconds", text="tea", deliver="here")
    assert result.response is not None
    assert "The bot lacks Send Messages in this channel" in result.response.content
    assert stage.world.of(ask.CreateSchedule) == []


async def test_in_a_direct_message_a_reminder_belongs_to_no_guild(stage: Stage) -> None:
    result = await stage.bob.user.slash("remind me", when="in 10 seconds", text="tea")
    assert result.response is not None
    spec = stage.world.of(ask.CreateSchedule)[0].spec
    assert (spec.guild_id, spec.method) == (None, "send_dm")
    assert "origin" not in spec.metadata
    assert stage.world.last_actor(ask.CreateSchedule).permissions == 0


async def test_until_ends_the_series_at_one_moment(stage: Stage) -> None:
    await stage.bob.slash(
        stage.general, "remind me", when="tomorrow at 9", repeat="every weekday at 9", until="in a year", text="tea"
    )
    spec = stage.world.of(ask.CreateSchedule)[0].spec
    assert spec.trigger.expression == "0 9 * * MON-FRI"
    assert spec.until.startswith("2028-02-29T09:00")
    result = await stage.bob.slash(
        stage.general, "remind me", when="every weekday at 9", until="every weekday at 9", text="tea"
    )
    assert result.response is not None
    assert "`until` must be one moment" in result.response.content


async def test_a_refusal_by_the_core_is_its_sentence(stage: Stage) -> None:
    stage.world.refuse[ask.CreateSchedule] = QuotaExceeded("This server has 20 schedules.", retry_after=60)
    result = await stage.bob.slash(stage.general, "remind me", when="in 10 seconds", text="tea")
    assert result.response is not None
    assert result.response.content.startswith("This server has 20 schedules. Free again <t:")


async def test_an_unreadable_time_is_answered_with_what_to_write(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="blorp", text="tea")
    assert result.response is not None
    assert result.response.content.startswith(
        "`when`: 'blorp' cannot be read as a time; write for example 'in 2 hours'"
    )


async def test_a_text_that_is_too_long_is_refused_with_both_numbers(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="in 10 seconds", text="x" * 2_001)
    assert result.response is not None
    assert result.response.content == "`text` has 2,001 characters; a Discord message holds at most 2,000."
    assert stage.world.of(ask.CreateSchedule) == []
    await stage.bob.slash(stage.general, "remind me", when="in 10 seconds", text="x" * 2_000)
    assert len(stage.world.of(ask.CreateSchedule)) == 1


async def test_a_line_break_can_be_typed_in_the_option(stage: Stage) -> None:
    # Complaint 20: no line breaks in slash options.
    await stage.bob.slash(stage.general, "remind me", when="in 10 seconds", text=r"tea\nand cake")
    assert stage.world.of(ask.CreateSchedule)[0].spec.args["content"] == "tea\nand cake"


# ── the form ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_text_a_form_asks_for_it(stage: Stage) -> None:
    shown = await stage.bob.slash(stage.general, "remind me", when="in 10 seconds")
    assert shown.modal is not None
    assert stage.world.of(ask.CreateSchedule) == []
    result = await stage.bob.submit_modal(shown, {_field(shown.modal): "tea\nand cake"})
    assert result.response is not None
    assert result.ephemeral
    assert "Reminder set: tea and cake" in texts(result.response)
    assert stage.world.of(ask.CreateSchedule)[0].spec.args["content"] == "tea\nand cake"


async def test_an_unreadable_time_is_refused_before_the_form_is_filled_in(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="blorp")
    assert result.modal is None
    assert result.response is not None
    assert result.response.ephemeral
    assert "cannot be read" in result.response.content


async def test_a_text_typed_into_the_form_comes_back_with_a_refusal(stage: Stage) -> None:
    shown = await stage.bob.slash(stage.general, "remind me", when="in 10 seconds")
    assert shown.modal is not None
    stage.world.refuse[ask.CreateSchedule] = QuotaExceeded("This server has 20 schedules.")
    result = await stage.bob.submit_modal(shown, {_field(shown.modal): "a long and thoughtful text"})
    assert result.response is not None
    assert result.response.content == (
        "This server has 20 schedules.\nYour text:\n```\na long and thoughtful text\n```"
    )


async def test_a_form_left_blank_is_told_what_to_do_and_gets_no_text_back(stage: Stage) -> None:
    shown = await stage.bob.slash(stage.general, "remind me", when="in 10 seconds")
    assert shown.modal is not None
    result = await stage.bob.submit_modal(shown, {_field(shown.modal): "  "})
    assert result.response is not None
    assert result.response.content == "`text` is empty; write what the message should say."


# ── readings ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_ambiguous_time_offers_its_readings_and_one_press_saves(stage: Stage) -> None:
    # Complaint 8: the parser guesses.
    result = await stage.bob.slash(stage.general, "remind me", when="at 5", text="tea")
    assert result.response is not None
    assert "'at 5' could be morning or afternoon" in texts(result.response)
    assert labels(result.response) == ["today at 05:00", "today at 17:00"]
    await stage.bob.click(result.response, label="today at 17:00")
    assert "Reminder set: tea" in texts(result.response)
    assert [request.when for request in stage.world.of(ask.ReadTime)] == ["at 5", "today at 17:00"]


async def test_a_reading_chosen_before_the_text_leads_to_the_form(stage: Stage) -> None:
    offered = await stage.bob.slash(stage.general, "remind me", when="at 5")
    assert offered.response is not None
    shown = await stage.bob.click(offered.response, label="today at 17:00")
    assert shown.modal is not None
    assert labels(offered.response) == []
    result = await stage.bob.submit_modal(shown, {_field(shown.modal): "tea"})
    assert result.response is not None
    assert "Reminder set: tea" in texts(result.response)


async def test_readings_switch_themselves_off_when_their_time_is_over(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="at 5", text="tea")
    assert result.response is not None
    await stage.env.advance_time(601)
    assert labels(result.response) == []


async def test_the_end_of_the_readings_leaves_the_saved_card_alone(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="at 5", text="tea")
    assert result.response is not None
    await stage.bob.click(result.response, label="today at 17:00")
    await stage.env.advance_time(700)
    assert "Reminder set: tea" in texts(result.response)
    assert labels(result.response) == ["Pause", "Preview", "Refresh", "Delete", "Undo"]


async def test_readings_can_be_pressed_again_when_nothing_came_of_the_first_press(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="at 5", text="tea")
    assert result.response is not None
    stage.world.refuse[ask.CreateSchedule] = QuotaExceeded("This server has 20 schedules.")
    pressed = await stage.bob.click(result.response, label="today at 17:00")
    assert pressed.followups[0].content == "This server has 20 schedules.\nYour text:\n```\ntea\n```"
    del stage.world.refuse[ask.CreateSchedule]
    await stage.bob.click(result.response, label="today at 17:00")
    assert "Reminder set: tea" in texts(result.response)


async def test_a_double_click_on_a_reading_saves_one_reminder() -> None:
    begun: list[str] = []
    first, second = AsyncMock(), AsyncMock()
    offers = (ReadingOffer("today at 17:00", None, "today at 17:00", None),)

    async def go_on(_interaction: object, text: str) -> None:
        begun.append(text)
        await readings.choose(second, text)  # the second press comes while the first is being carried out

    readings = drafts.Readings(first, Invalid("'at 5' could be both", readings=offers), go_on)
    await readings.choose(first, "today at 17:00")
    assert begun == ["today at 17:00"]
    second.response.defer.assert_awaited_once_with()


async def test_only_the_person_who_asked_may_choose_a_reading(stage: Stage) -> None:
    # Whoever presses owns what is saved: another person's text would go out in their name.
    result = await stage.bob.slash(stage.general, "remind me", when="at 5", text="tea", public=True)
    assert result.response is not None
    pressed = await stage.alice.click(result.response, label="today at 17:00")
    assert pressed.response is not None
    assert pressed.ephemeral
    assert pressed.response.content == f"Only <@{stage.bob.id}>, who asked for this, can choose here."
    assert stage.world.schedules == {}
    await stage.bob.click(result.response, label="today at 17:00")
    assert [schedule.owner_id for schedule in stage.world.schedules.values()] == [str(stage.bob.id)]


# ── list, show, delete ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_list_holds_ones_own_reminders_a_page_at_a_time(stage: Stage) -> None:
    # Complaint 19: lists break when they are long.
    for number in range(12):
        await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text=f"tea {number}")
    await stage.alice.slash(stage.general, "remind me", when="in 2 hours", text="not Bob's")
    result = await stage.bob.slash(stage.general, "remind list")
    assert result.response is not None
    first = texts(result.response)
    assert "tea 0" in first
    assert "tea 9" in first
    assert "tea 10" not in first
    assert "not Bob's" not in first
    assert labels(result.response) == ["Next ▶"]
    await stage.bob.click(result.response, label="Next ▶")
    assert "tea 11" in texts(result.response)
    assert labels(result.response) == ["◀ Back"]
    await stage.bob.click(result.response, label="◀ Back")
    assert "tea 0" in texts(result.response)


async def test_the_list_can_be_narrowed_and_keeps_it_while_turning_pages(stage: Stage) -> None:
    for number in range(11):
        await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text=f"tea {number}")
    await stage.bob.user.slash("remind me", when="in 2 hours", text="cake in private")
    listed = await stage.bob.slash(stage.general, "remind list", scope="here", search="tea", filter="active")
    assert listed.response is not None
    assert len(custom_ids(listed.response)) == 2
    await stage.bob.click(listed.response, label="Next ▶")
    assert "tea 10" in texts(listed.response)
    private = await stage.bob.user.slash("remind list", scope="here")
    assert private.response is not None
    assert "cake in private" in texts(private.response)
    assert "tea" not in texts(private.response)
    empty = await stage.bob.slash(stage.general, "remind list", filter="blocked")
    assert empty.response is not None
    assert "Nothing fits" in texts(empty.response)


async def test_a_page_beyond_the_last_shows_the_last(stage: Stage) -> None:
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    result = await stage.bob.slash(stage.general, "remind list", page=7)
    assert result.response is not None
    assert "page 1" in texts(result.response)
    assert "-# There is no page 7; this is the last." in texts(result.response)


async def test_show_takes_an_id_or_a_text_that_fits_only_one(stage: Stage) -> None:
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="cake")
    by_id = await stage.bob.slash(stage.general, "remind show", item="sch_00000000000000000001")
    by_text = await stage.bob.slash(stage.general, "remind show", item="cake")
    several = await stage.bob.slash(stage.general, "remind show", item="sch_")
    nothing = await stage.bob.slash(stage.general, "remind show", item="coffee")
    assert by_id.response is not None
    assert "Reminder: tea" in texts(by_id.response)
    assert by_text.response is not None
    assert "Reminder: cake" in texts(by_text.response)
    assert several.response is not None
    assert several.response.content.startswith("2 reminders fit 'sch_'.")
    assert nothing.response is not None
    assert nothing.response.content.startswith("No reminder fits 'coffee'.")


async def test_a_deleted_reminder_can_be_had_back_with_one_press(stage: Stage) -> None:
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    result = await stage.bob.slash(stage.general, "remind delete", item="tea")
    assert result.response is not None
    assert labels(result.response) == ["Undo"]
    await stage.bob.click(result.response, label="Undo")
    assert "Taken back: tea" in texts(result.response)
    assert stage.world.schedules["sch_00000000000000000001"].state == "active"


async def test_show_and_delete_know_nothing_of_a_servers_schedules(stage: Stage) -> None:
    # The core shows a server's schedules to its members; what staff write in their channels is not for /remind.
    staff = await stage.alice.slash(
        stage.general, "schedule message", when="every weekday at 9", channel=stage.general, text="for staff alone"
    )
    assert staff.response is not None
    (schedule,) = stage.world.schedules
    for who in (stage.bob, stage.alice):
        for command in ("remind show", "remind delete"):
            result = await who.slash(stage.general, command, item=schedule)
            assert result.response is not None
            assert result.response.content.startswith(f"No reminder fits '{schedule}'.")
            assert "staff" not in texts(result.response)
    assert stage.world.schedules[schedule].state == "active"


async def test_somebody_elses_reminder_is_shown_to_those_who_moderate_alone(stage: Stage) -> None:
    carol = stage.guild.add_member(stage.env.create_user("carol"))
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    (reminder,) = stage.world.schedules
    refused = await carol.slash(stage.general, "remind show", item=reminder)
    assert refused.response is not None
    assert refused.response.content.startswith(f"No reminder fits '{reminder}'.")
    shown = await stage.alice.slash(stage.general, "remind show", item=reminder)
    assert shown.response is not None
    assert "Reminder: tea" in texts(shown.response)


async def test_the_exact_text_of_a_reminder_wins_over_longer_ones(stage: Stage) -> None:
    for text in ("tea time", "Tea", "tea"):
        await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text=text)
    await stage.bob.slash(stage.general, "remind delete", item="tea")
    states = [(schedule.args["content"], schedule.state) for schedule in stage.world.schedules.values()]
    assert states == [("tea time", "active"), ("Tea", "active"), ("tea", "deleted")]
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="Tea")
    several = await stage.bob.slash(stage.general, "remind delete", item="Tea")
    assert several.response is not None
    assert several.response.content.startswith("2 reminders fit 'Tea'.")


def _field(modal: dict[str, object]) -> str:
    components = modal["components"]
    assert isinstance(components, list)
    return str(components[0]["component"]["custom_id"])

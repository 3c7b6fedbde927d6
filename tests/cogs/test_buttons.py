"""Buttons under cards and reminders: they outlive the process, and never act on what the card no longer shows."""

from __future__ import annotations

import discord
import msgspec
import simcord

from cogs.buttons import CardButton
from cogs.cards import card as make_card
from cogs.reminders import buttons_for
from schedule_zero import requests as ask
from schedule_zero.errors import NotFound
from schedule_zero.run import RunState
from schedule_zero.trigger import TextTrigger
from tests.bot.fake_core import make_run
from tests.cogs.stage import Stage, labels, make_bot, texts

FIRST = "sch_00000000000000000001"
LOST = "run_00000000000000000099"


async def _reminder(stage: Stage) -> simcord.ResponseMessage:
    result = await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    assert result.response is not None
    return result.response


async def test_pause_resume_delete_and_undo_are_one_press_each(stage: Stage) -> None:
    card = await _reminder(stage)
    for label, state in (("Pause", "paused"), ("Resume", "active"), ("Delete", "deleted"), ("Undo", "active")):
        result = await stage.bob.click(card, label=label)
        assert result.followups == []
        assert stage.world.schedules[FIRST].state == state
    assert "Taken back: tea" in texts(card)


async def test_preview_comes_beside_the_card(stage: Stage) -> None:
    card = await _reminder(stage)
    result = await stage.bob.click(card, label="Preview")
    assert "Preview: tea" in texts(result.followups[0])
    assert "Reminder set: tea" in texts(card)


async def test_a_stale_press_refreshes_the_card_and_changes_nothing(stage: Stage) -> None:
    card = await _reminder(stage)
    await stage.bob.slash(stage.general, "remind delete", item=FIRST)
    before = stage.world.schedules[FIRST]
    result = await stage.bob.click(card, label="Pause")
    assert stage.world.schedules[FIRST] == before
    assert "**State**: deleted" in texts(card)
    assert [note.content for note in result.followups] == [
        "This card was older than the schedule, so nothing was done; it shows the schedule as it is now."
    ]


async def test_buttons_work_after_a_restart(stage: Stage) -> None:
    # Complaint 18: buttons dead after a restart.
    card = await _reminder(stage)
    await stage.env.restart_bot(make_bot(stage.world))
    await stage.bob.click(card, label="Pause")
    assert stage.world.schedules[FIRST].state == "paused"


async def test_somebody_elses_press_is_refused_to_them_alone(stage: Stage) -> None:
    # Complaint 15: anyone can delete any item.
    result = await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea", public=True)
    assert result.response is not None
    carol = stage.guild.add_member(stage.env.create_user("carol"))
    pressed = await carol.click(result.response, label="Delete")
    assert [(note.content, note.ephemeral) for note in pressed.followups] == [
        ("This schedule is somebody else's; its buttons take the right Manage Messages in this server.", True)
    ]
    assert stage.world.schedules[FIRST].state == "active"
    await stage.alice.click(result.response, label="Delete")
    assert stage.world.schedules[FIRST].state == "deleted"


async def test_a_stale_button_of_a_notice_shows_the_schedule_to_those_who_may_act_on_it_alone(stage: Stage) -> None:
    made = await stage.alice.slash(
        stage.general, "schedule message", when="every weekday at 9", channel=stage.general, text="for staff alone"
    )
    assert made.response is not None
    for verb in ("resume", "refresh", "preview"):
        view = discord.ui.View(timeout=None)
        view.add_item(CardButton("Press", verb, FIRST, 77))
        notice = await stage.post("a schedule is blocked", view=view)
        refused = await stage.bob.click(notice, label="Press")
        assert ["somebody else's" in note.content for note in refused.followups] == [True]
        shown = await stage.alice.click(notice, label="Press")
        assert "for staff alone" in texts(shown.followups[0])


async def test_a_button_of_another_version_says_so(stage: Stage) -> None:
    sent = await stage.post(view=make_card("Old", buttons=[CardButton("Pause", "pause", FIRST, 1, version="0")]))
    pressed = await stage.bob.click(sent, label="Pause")
    assert pressed.response is not None
    assert pressed.response.content == "This button comes from another version of the bot; use the command instead."


async def test_what_nobody_foresaw_is_answered_with_a_code_and_logged(stage: Stage) -> None:
    card = await _reminder(stage)
    stage.world.refuse[ask.GetSchedule] = ZeroDivisionError("secret detail")
    pressed = await stage.bob.click(card, label="Refresh")
    (_, code) = stage.bot.incidents.recent[-1]
    assert pressed.followups[0].content == (
        f"Something went wrong here; look before you try again. The operator finds it as `{code}`."
    )
    assert "secret" not in pressed.followups[0].content


# ── under a reminder that came ───────────────────────────────────────────────────────────────────────────────


async def _delivered(stage: Stage) -> discord.Message:
    await _reminder(stage)
    return await stage.post(f"<@{stage.bob.id}> tea", view=buttons_for(FIRST))


async def test_done_takes_the_buttons_away_and_leaves_the_series_alone(stage: Stage) -> None:
    message = await _delivered(stage)
    await stage.bob.click(message, label="Done")
    shown = stage.general.last_message
    assert shown is not None
    assert shown.components == []
    assert shown.content.startswith(f"<@{stage.bob.id}> tea\n-# Done <t:")
    assert stage.world.schedules[FIRST].state == "active"


async def test_snooze_makes_a_linked_one_shot_and_leaves_the_series_alone(stage: Stage) -> None:
    # Complaint 14: snooze without disturbing the series.
    message = await _delivered(stage)
    result = await stage.bob.click(message, label="20 min")
    original, snoozed = stage.world.of(ask.CreateSchedule)
    assert snoozed.spec.trigger == TextTrigger("in 20 minutes")
    assert (snoozed.spec.args, snoozed.spec.owner_id) == (original.spec.args, str(stage.bob.id))
    assert snoozed.spec.metadata["snooze_of"] == FIRST
    assert stage.world.schedules[FIRST].revision == 1
    assert "Snoozed: tea" in texts(result.followups[0])
    assert labels(result.followups[0])[-1] == "Undo"
    shown = stage.general.last_message
    assert shown is not None


async def test_pressing_snooze_twice_makes_one_and_says_the_same(stage: Stage) -> None:
    message = await _delivered(stage)
    await stage.bob.click(message, label="1 h")
    await message.edit(view=buttons_for(FIRST))
    await stage.env.advance_time(7)
    again = await stage.bob.click(message, label="1 h")
    assert len(stage.world.schedules) == 2
    assert "Snoozed: tea" in texts(again.followups[0])
    shown = stage.general.last_message
    assert shown is not None
    assert shown.components == []


async def test_the_other_snooze_button_of_a_snoozed_message_closes_it_and_makes_nothing(stage: Stage) -> None:
    message = await _delivered(stage)
    await stage.bob.click(message, label="1 h")
    await message.edit(view=buttons_for(FIRST))
    other = await stage.bob.click(message, label="20 min")
    assert other.followups[0].content == (
        "This reminder was snoozed already; `/remind list` shows when it comes again."
    )
    assert len(stage.world.schedules) == 2
    shown = stage.general.last_message
    assert shown is not None
    assert shown.components == []
    assert "-# Snoozed" in shown.content


async def test_only_the_person_who_set_a_reminder_may_press(stage: Stage) -> None:
    message = await _delivered(stage)
    pressed = await stage.alice.click(message, label="Done")
    assert pressed.followups[0].content == f"Only <@{stage.bob.id}>, who set this reminder, can do that."
    stage.world.refuse[ask.GetSchedule] = NotFound("There is no schedule.")
    pressed = await stage.alice.click(message, label="Done")
    assert pressed.followups[0].content == "Only the person who set this reminder can do that."


async def test_done_works_when_the_reminder_is_no_longer_kept(stage: Stage) -> None:
    message = await _delivered(stage)
    stage.world.refuse[ask.GetSchedule] = NotFound("There is no schedule.")
    snoozed = await stage.bob.click(message, label="1 h")
    assert "no longer kept" in snoozed.followups[0].content
    await stage.bob.click(message, label="Done")
    shown = stage.general.last_message
    assert shown is not None
    assert "Done <t:" in shown.content


async def test_resume_on_a_notice_answers_beside_it(stage: Stage) -> None:
    await _reminder(stage)
    blocked = msgspec.structs.replace(stage.world.schedules[FIRST], state="blocked", revision=4)
    stage.world.schedules[FIRST] = blocked
    view = discord.ui.View(timeout=None)
    view.add_item(CardButton("Resume", "resume", FIRST, 4))
    notice = await stage.post("tea is blocked", view=view)
    pressed = await stage.bob.click(notice, label="Resume")
    assert "Resumed: tea" in texts(pressed.followups[0])
    assert stage.world.schedules[FIRST].state == "active"


async def _lost(stage: Stage, *others: CardButton) -> discord.Message:
    """A notice of a message whose fate is unknown, with the buttons of the rest of its digest."""
    if FIRST not in stage.world.schedules:
        await _reminder(stage)
    stage.world.runs[LOST] = make_run(LOST, FIRST, RunState.FAILED, reason="unknown")
    stage.world.finish_runs = False
    view = discord.ui.View(timeout=None)
    for button in (CardButton("Post again", "again", LOST), *others):
        view.add_item(button)
    return await stage.post("fate unknown", view=view)


async def test_post_again_is_one_new_run_however_often_it_is_pressed(stage: Stage) -> None:
    for _ in range(2):
        pressed = await stage.alice.click(await _lost(stage), label="Post again")
        assert pressed.followups[0].content.startswith("It is posted again: waiting")
        shown = stage.general.last_message
        assert shown is not None
        assert shown.components == []
    assert len(stage.world.runs) == 2


async def test_post_again_pressed_by_a_second_moderator_says_that_it_was_posted(stage: Stage) -> None:
    notice = await _lost(stage)
    await stage.alice.click(notice, label="Post again")
    helpers = stage.guild.create_role("helpers", permissions=discord.Permissions(manage_messages=True))
    carol = stage.guild.add_member(stage.env.create_user("carol"), roles=[helpers])
    pressed = await carol.click(await _lost(stage), label="Post again")
    assert pressed.followups[0].content == (
        "It was posted again already, so nothing was done now; `/schedule show` has the last runs."
    )
    shown = stage.general.last_message
    assert shown is not None
    assert shown.components == []
    assert len(stage.world.runs) == 2


async def test_post_again_of_a_deleted_schedule_says_what_to_do_and_keeps_the_button(stage: Stage) -> None:
    notice = await _lost(stage)
    await stage.alice.slash(stage.general, "schedule delete", item=FIRST)
    pressed = await stage.alice.click(notice, label="Post again")
    assert pressed.followups[0].content == "The schedule of this run is deleted; bring it back first."
    assert _ids(stage.general.last_message) == [f"sz1:again:{LOST}:"]


async def test_post_again_leaves_the_other_buttons_of_a_digest(stage: Stage) -> None:
    other = "run_00000000000000000098"
    notice = await _lost(stage, CardButton("Post again", "again", other), CardButton("Resume", "resume", FIRST, 1))
    stage.world.runs[other] = make_run(other, FIRST, RunState.FAILED, reason="unknown")
    await stage.alice.click(notice, custom_id=f"sz1:again:{LOST}:")
    assert _ids(stage.general.last_message) == [f"sz1:again:{other}:", f"sz1:resume:{FIRST}:1"]
    await stage.alice.click(notice, custom_id=f"sz1:again:{other}:")
    assert _ids(stage.general.last_message) == [f"sz1:resume:{FIRST}:1"]
    assert [request.id for request in stage.world.of(ask.RetryRun)] == [LOST, other]


def _ids(message: discord.Message | None) -> list[str]:
    assert message is not None
    rows = (row for row in message.components if isinstance(row, discord.ActionRow))
    return [button.custom_id or "" for row in rows for button in row.children]

"""What people see of /audit, on a real core: who changed what, and the way back."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import discord
import pytest
import simcord

from cogs import audit as audit_cog
from cogs.audit import Wanted
from cogs.audit_lines import line_card, who
from cogs.buttons import CUSTOM_ID, CardButton
from cogs.cards import card as make_card
from schedule_zero.views import AuditLine
from tests.cogs.stage import Stage, labels, scheduled, texts
from tests.engine.house import House


@pytest.fixture
def carol(served: Stage) -> simcord.MemberActor:
    """Who may view the audit log, and manages messages and the server."""
    rights = discord.Permissions(view_audit_log=True, manage_messages=True, manage_guild=True)
    role = served.guild.create_role("chiefs", permissions=rights)
    return served.guild.add_member(served.env.create_user("carol"), roles=[role])


@pytest.fixture
def dora(served: Stage) -> simcord.MemberActor:
    """Who may view the audit log, and nothing else."""
    role = served.guild.create_role("auditors", permissions=discord.Permissions(view_audit_log=True))
    return served.guild.add_member(served.env.create_user("dora"), roles=[role])


async def listed(stage: Stage, who: simcord.MemberActor, **options: Any) -> Any:
    """The card of /audit list."""
    result = await who.slash(stage.general, "audit list", **options)
    assert result.response is not None
    assert result.ephemeral
    return result.response


async def opened(who: simcord.MemberActor, card: Any, number: str) -> Any:
    """The card behind a number."""
    pressed = await who.click(card, label=number)
    return pressed.followups[-1]


async def test_a_list_says_who_did_what_to_what_and_from_where(
    served: Stage, house: House, carol: simcord.MemberActor
) -> None:
    made = await scheduled(served, name="standup")
    await served.alice.slash(served.general, "settings timezone", tz="Asia/Tokyo")
    await house.client.pause_schedule(made.id)
    words = texts(await listed(served, carol))
    assert "Changes, page 1" in words
    paused, settings, created, joined = [line for line in words.split("\n") if line.startswith("**")]
    assert paused.endswith(" operator paused a schedule: **standup** (by itself)")
    assert settings.endswith(f" <@{served.alice.id}> changed the server's settings")
    assert created.endswith(f" <@{served.alice.id}> made a schedule: **standup**")
    assert created.startswith("**3** <t:")
    assert " noted that the bot is in the server" in joined


async def test_a_number_shows_what_is_different_and_undo_takes_it_back(
    served: Stage, carol: simcord.MemberActor
) -> None:
    await served.alice.slash(served.general, "settings timezone", tz="Asia/Tokyo")
    card = await opened(carol, await listed(served, carol), "1")
    words = texts(card)
    assert "Changed the server's settings" in words
    assert f"**Who**: <@{served.alice.id}>" in words
    assert "- timezone: nothing → Asia/Tokyo" in words
    assert labels(card) == ["Undo"]
    assert "are as they were" in texts((await carol.click(card, label="Undo")).response)
    assert (await served.bot.core.guild_settings(served.guild_id)).timezone == "UTC"
    again = await opened(carol, await listed(served, carol), "1")
    assert "Took a change of the server's settings back" in texts(again)


async def test_later_the_button_says_revert_and_the_schedule_is_shown_as_it_is(
    served: Stage, house: House, carol: simcord.MemberActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await scheduled(served, name="standup")
    await served.alice.slash(served.general, "schedule pause", item=made.id)
    now = house.clock.now()
    monkeypatch.setattr(house.clock, "now", lambda: now + 3_600_000_000)
    card = await opened(carol, await listed(served, carol), "1")
    assert labels(card) == ["Revert"]
    shown = (await carol.click(card, label="Revert")).response
    assert "Taken back: standup" in texts(shown)
    assert "Undo" in labels(shown)
    assert (await served.bot.core.get_schedule(made.id)).state == "active"


async def test_what_was_changed_again_has_no_way_back_and_an_old_button_says_so(
    served: Stage, carol: simcord.MemberActor
) -> None:
    await served.alice.slash(served.general, "settings timezone", tz="Asia/Tokyo")
    old = await opened(carol, await listed(served, carol), "1")
    await served.alice.slash(served.general, "settings timezone", tz="Europe/Rome")
    assert labels(await opened(carol, await listed(served, carol), "2")) == []
    pressed = await carol.click(old, label="Undo")
    assert pressed.followups[-1].content.startswith("These settings have been changed again since then")


async def test_without_the_right_nothing_is_read_by_command_or_by_button(
    served: Stage,
) -> None:
    made = await scheduled(served, name="standup")
    for command in ("audit list", "audit export"):
        for member in (served.bob, served.alice):
            refused = await member.slash(served.general, command)
            assert refused.response is not None
            assert texts(refused.response) == "Reading who changed what takes the permission View Audit Log."
    (line, *_) = (await served.bot.core.list_audit(guild_id=served.guild_id)).items
    buttons = [
        CardButton("1", "change", line.id),
        CardButton("Next", "audit", "1.", ".."),
        CardButton("U", "take_back", line.id),
    ]
    card = await served.post(view=make_card("Changes", buttons=buttons))
    for label in ("1", "Next", "U"):
        pressed = await served.bob.click(card, label=label)
        assert pressed.followups[-1].content == "Reading who changed what takes the permission View Audit Log."
    assert (await served.bot.core.get_schedule(made.id)).state == "active"


async def test_who_may_not_see_a_schedule_sees_that_something_was_done(
    served: Stage, dora: simcord.MemberActor
) -> None:
    made = await scheduled(served, name="standup")
    card = await listed(served, dora)
    assert "standup" not in texts(card)
    assert made.id in texts(card).replace("\\_", "_")
    shown = await opened(dora, card, "1")
    assert "not for you to see here" in texts(shown)
    assert labels(shown) == []
    assert "Standup!" not in texts(shown)


async def test_lists_are_narrowed_and_turned_and_the_buttons_keep_what_was_asked_for(
    served: Stage, carol: simcord.MemberActor
) -> None:
    for place in range(10):
        await served.alice.slash(served.general, "settings timezone", tz=("Asia/Tokyo", "Europe/Rome")[place % 2])
    made = await scheduled(served, name="standup")
    await carol.slash(served.general, "schedule pause", item=made.id)

    async def rows(**options: Any) -> int:
        return sum(line.startswith("**") for line in texts(await listed(served, carol, **options)).split("\n"))

    assert await rows(item="standup") == 2
    assert await rows(item="standup", actor=carol.user) == 1
    assert await rows(action="schedule.create") == 1
    assert await rows(since="2026-01-01") == 8
    assert "Nothing fits" in texts(await listed(served, carol, actor=served.bob.user))
    first = await listed(served, carol, actor=served.alice.user, action="guild.settings", since="1 hour")
    assert labels(first)[-1] == "Next ▶"
    second = (await carol.click(first, label="Next ▶")).response
    assert "Changes, page 2" in texts(second)
    assert [label for label in labels(second) if label.isdecimal()] == ["1", "2"]
    beyond = await listed(served, carol, page=9)
    assert "There is no page 9; this is the last." in texts(beyond)


async def test_what_cannot_be_read_is_refused_in_a_sentence(served: Stage, carol: simcord.MemberActor) -> None:
    for since in ("soon", "every day", "yesterday"):
        words = texts(await listed(served, carol, since=since))
        assert words.startswith(f"`since`: '{since}' is neither a length of time nor a date")
    for since in ("2099-01-01", "in 2 days"):
        words = texts(await listed(served, carol, since=since))
        assert words == f"`since`: '{since}' lies in the future; nothing was changed since then."
    words = texts(await listed(served, carol, action="schedule.paus"))
    assert words == "`action`: there is no action 'schedule.paus'; did you mean schedule.pause?"


async def test_actions_and_lengths_are_suggested(served: Stage, carol: simcord.MemberActor) -> None:
    found = await carol.autocomplete(served.general, "audit list", "action", "paus")
    assert [(each["name"], each["value"]) for each in found] == [
        ("schedule.pause: paused a schedule", "schedule.pause")
    ]
    everything = await carol.autocomplete(served.general, "audit list", "action", "")
    assert len(everything) == 25
    offered = await carol.autocomplete(served.general, "audit list", "since", "day")
    assert [each["value"] for each in offered] == ["1 day", "7 days", "30 days"]


async def _exported(stage: Stage, who: simcord.MemberActor, **options: Any) -> tuple[str, str, bytes]:
    result = await who.slash(stage.general, "audit export", **options)
    assert result.response is not None
    (attachment,) = result.response.attachments
    return result.response.content, attachment.filename, await attachment.read()


async def test_everything_is_exported_as_a_file_for_one_person(served: Stage, carol: simcord.MemberActor) -> None:
    made = await scheduled(served, name="standup")
    await served.alice.slash(served.general, "settings timezone", tz="Asia/Tokyo")
    words, name, data = await _exported(served, carol)
    assert (words, name) == ("3 changes, newest first.", f"audit-{served.guild.id}.csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert [(row["action"], row["target"]) for row in rows] == [
        ("guild.settings", served.guild_id), ("schedule.create", made.id), ("guild.join", served.guild_id),
    ]  # fmt: skip
    _, name, data = await _exported(served, carol, format="json", item="standup")
    assert name.endswith(".json")
    (line,) = json.loads(data)
    assert (line["target"], line["after"]["name"]) == (made.id, "standup")


async def test_a_file_ends_within_its_bounds_and_says_so(
    served: Stage, carol: simcord.MemberActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(6):
        await served.alice.slash(served.general, "settings timezone", tz=("Asia/Tokyo", "Europe/Rome")[place % 2])
    monkeypatch.setattr(audit_cog, "MOST_EXPORTED", 4)
    words, _, data = await _exported(served, carol, format="json")
    assert (
        words == "4 changes, newest first. There are older ones: say since when, or use `schedule-zero audit export`."
    )
    assert len(json.loads(data)) == 4
    monkeypatch.setattr(audit_cog, "LARGEST_FILE", 800)
    words, _, data = await _exported(served, carol, format="json")
    assert "There are older ones" in words
    assert len(data) <= 800 + 20
    monkeypatch.setattr(audit_cog, "LARGEST_FILE", 10)
    _, _, data = await _exported(served, carol, format="json")
    assert json.loads(data) == []


def test_the_longest_list_fits_into_a_buttons_id() -> None:
    longest = Wanted(
        actor="1" * 20, action="blackout.remove", target="sch_" + "0" * 20, since=9_999_999_999, page=50
    )  # fmt: skip
    subject, detail = longest.spell()
    assert len(f"sz1:audit:{subject}:{detail}") <= CUSTOM_ID
    assert Wanted.parse(subject, detail) == longest


def test_names_of_strangers_make_no_markdown_and_who_is_no_person_is_not_mentioned() -> None:
    line = AuditLine(
        id="1", at="2026-01-01T00:00:00Z", guild_id="1", actor="member:<@&1>", via="http", action="calendar.put",
        target="**x** <@1>\n# big", before={"a_b": "*old*"}, after={"a_b": "@everyone"},
    )  # fmt: skip
    words = "\n".join(
        item.content for item in line_card(line).walk_children() if isinstance(item, discord.ui.TextDisplay)
    )
    assert "\\*\\*x\\*\\* " in words
    assert "\n# big" not in words
    assert "a\\_b: \\*old\\* → @everyone" in words
    assert who("member:7") == "<@7>"
    assert who("discord:7") == who("member:7") == "<@7>"
    assert (who("operator:ci"), who("core:core"), who("user:erased")) == (
        "operator ci",
        "core",
        "somebody who was erased",
    )


def test_the_way_back_is_a_button_that_outlives_everything() -> None:
    line = AuditLine(
        id="9" * 18, at="2026-01-01T00:00:00Z", guild_id="1", actor="member:7", via=None, action="schedule.pause",
        target="sch_1", back="revert",
    )  # fmt: skip
    (button,) = [each for each in line_card(line).walk_children() if isinstance(each, CardButton)]
    assert button.custom_id == f"sz1:take_back:{'9' * 18}:"

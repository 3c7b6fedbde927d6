"""``guilds``: the commands ask what they say, and what a guild may use can be read and set."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.errors import Invalid, NotFound
from schedule_zero.shown.quota import say_handlers
from tests.cli.conftest import Command, Core
from tests.web.fake import GUILD


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list",), ask.ListGuilds()),
        (("list", "--q", "tea", "--limit", "5"), ask.ListGuilds(q="tea", limit=5)),
        (("show", "123"), ask.GetGuild(guild_id="123")),
        (("quota", "123"), ask.GetGuildQuota(guild_id="123")),
        (
            ("quota", "123", "running=50", "rate=30/min", "schedules=null", "--until", "in 1 hour"),
            ask.PatchGuildQuota(
                guild_id="123", changes={"running": 50, "rate": "30/min", "schedules": None}, until="in 1 hour"
            ),
        ),
        (
            ("quota", "123", 'handlers=["discord"]', "--reset", "running", "--end", "rate"),
            ask.PatchGuildQuota(
                guild_id="123", changes={"handlers": ["discord"]}, reset=("running",), end=("rate",)
            ),
        ),
        (
            ("quota", "123", "handlers=echo,discord"),
            ask.PatchGuildQuota(guild_id="123", changes={"handlers": ["echo", "discord"]}),
        ),
        (
            ("quota", "123", "each_schedule=rate 1/min, running 2"),
            ask.PatchGuildQuota(guild_id="123", changes={"each_schedule": {"rate": "1/min", "running": 2}}),
        ),
        (
            ("quota", "123", 'each_schedule={"running": 2}', "--reset", "rate"),
            ask.PatchGuildQuota(guild_id="123", changes={"each_schedule": {"running": 2}}, reset=("rate",)),
        ),
        (("quota", "123", "handlers=,"), ask.PatchGuildQuota(guild_id="123", changes={"handlers": []})),
        (("quota", "123", "handlers=null"), ask.PatchGuildQuota(guild_id="123", changes={"handlers": None})),
        (("verify", "123"), ask.VerifyGuild(guild_id="123")),
        (("suspend", "123", "--why", "spam"), ask.SuspendGuild(guild_id="123", why="spam")),
        (("resume", "123"), ask.ResumeGuild(guild_id="123")),
    ],
)  # fmt: skip
def test_a_command_asks_what_it_says(command: Command, core: Core, arguments: tuple[str, ...], expected: Any) -> None:
    said = command("guilds", *arguments)
    assert (said.code, said.err) == (0, "")
    assert msgspec.structs.replace(core.door.last, idempotency_key=None) == expected
    assert json.loads(command("guilds", *arguments, "--json").out)


def test_a_quota_of_a_guild_that_nobody_told_of_is_said_to_be_one(command: Command, core: Core) -> None:
    core.door.answers[ask.GetGuild] = msgspec.structs.replace(GUILD, name=None, present=None)
    said = command("guilds", "quota", "123", "running=5")
    assert (said.code, said.err) == (0, "The bot never told of a guild 123; it was done all the same.\n")
    assert command("guilds", "quota", "123").err == ""


@pytest.mark.parametrize("what", ["verify", "suspend", "resume"])
def test_a_guild_that_nobody_told_of_is_said_to_be_unknown(command: Command, core: Core, what: str) -> None:
    unknown = msgspec.structs.replace(GUILD, name=None, present=None)
    kind = {"verify": ask.VerifyGuild, "suspend": ask.SuspendGuild, "resume": ask.ResumeGuild}[what]
    core.door.answers[kind] = unknown
    said = command("guilds", what, "123")
    assert (said.code, said.err) == (0, "The bot never told of a guild 123; it was done all the same.\n")


def test_the_list_shows_plans_and_how_it_goes_on(command: Command, core: Core) -> None:
    title, row, more = command("guilds", "list").out.splitlines()
    assert title.split() == ["guild", "name", "plan", "verified", "suspended", "bot"]
    assert row.split() == ["1", "-", "trusted", "yes", "no", "-"]
    assert more == "more with --cursor 1"


def test_a_guild_is_shown_with_its_gauges_and_marks(command: Command, core: Core) -> None:
    gauges = (
        *GUILD.gauges,
        views.Gauge(scope="guild:123", limit="rate", used=9.5, allowed=10, words="10/s", until="2026-11-21T09:00:01Z"),
        views.Gauge(
            scope="guild:123", limit="schedules", used=3, allowed=8, origin="temporary", ends="2026-11-21T10:00:00Z"
        ),
        views.Gauge(scope="guild:123", limit="runs_per_day", used=3),
        views.Gauge(scope="plan:p", limit="runs_per_day", words="used up"),
        views.Gauge(scope="guild:123", limit="handlers", origin="operator"),
        views.Gauge(scope="guild:123", limit="handlers", words=say_handlers([]), origin="operator"),
    )
    core.door.answers[ask.GetGuild] = msgspec.structs.replace(GUILD, gauges=gauges)
    lines = [line.split(None, 1) for line in command("guilds", "show", "123").out.splitlines()]
    assert lines == [
        ["guild", "123"],
        ["name", "ü"],
        ["bot", "there"],
        ["plan", "verified"],
        ["verified", "no"],
        ["suspended", "2026-11-21T09:00:00+00:00 by operator:eve (spam)"],
        ["running", "1 of 2, set by an operator"],
        ["rate", "9.5 of 10 (10/s), free again at 2026-11-21T09:00:01Z"],
        ["schedules", "3 of 8, until 2026-11-21T10:00:00Z"],
        ["runs_per_day", "of plan:p  used up"],
        ["handlers", "no limit, set by an operator"],
        ["handlers", "none may be used, set by an operator"],
        ["waiting", "1 run"],
        ["most", "9 3"],
    ]


def test_a_quota_says_who_set_what_and_what_ends(command: Command, core: Core) -> None:
    said = command("guilds", "quota", "123").out.splitlines()
    assert said == [
        "guild    123",
        "plan     verified",
        "running  5 (temporary)",
        "ends     running 5 at 2026-11-21T09:00:00+00:00, by operator:eve",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("running",), "'running' is no limit=value; write for example running=50"),
        (("=5",), "'=5' is no limit=value"),
        (
            ("each_schedule=fast",),
            "each_schedule: 'fast' is no limit of a schedule; write for example running 2, rate 1/min",
        ),
        (("running=5", "running=6"), "running is there twice; write it once"),
        (
            ("running=9223372036854775808",),
            "running: 9223372036854775808 is too large; a number is at most 9223372036854775807, and null is no limit",
        ),
        (("--until", "in 1 hour"), "--until says how long a limit holds; name one"),
    ],
)
def test_what_is_no_setting_is_wrong_input_and_asks_nothing(
    command: Command, core: Core, arguments: tuple[str, ...], sentence: str
) -> None:
    said = command("guilds", "quota", "123", *arguments)
    assert said.code == 2
    assert sentence in said.err
    assert core.door.asked == []


def test_what_the_core_refuses_is_one_sentence(command: Command, core: Core) -> None:
    core.door.answers[ask.GetGuild] = NotFound("There is no server '9' here.")
    said = command("guilds", "show", "9")
    assert (said.code, said.out, said.err) == (1, "", "There is no server '9' here.\n")
    core.door.answers[ask.GetGuild] = GUILD
    core.door.answers[ask.PatchGuildQuota] = Invalid.at(
        "running", "has to be a whole number, 0 or more, or null for no limit"
    )
    said = command("guilds", "quota", "9", "running=-1")
    assert said.code == 2
    assert "running: has to be a whole number" in said.err

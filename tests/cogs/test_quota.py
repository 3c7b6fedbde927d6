"""/quota: bars that say what is used up, why runs wait, and what was refused; each sees what is theirs to see."""

from __future__ import annotations

import re

import pytest

from cogs.gauges import bar, fill_of, fullest, gauge_line, lines_of, size_line
from cogs.texts import explained, runs_wait
from core.governor.settings import GovernorSettings, Limits, MethodQuota, Plan
from schedule_zero.run import Why
from schedule_zero.views import Gauge
from tests.cogs.stage import Stage, Staged, custom_ids, labels, offered, said, texts
from tests.engine.conftest import Build
from tests.engine.house import plan
from tests.service.people import Post


@pytest.fixture
async def limited(build: Build, staged: Staged) -> Stage:
    """A server that may have four schedules, two of them reminders; its runs stand still."""
    house = await build(governor=plan(schedules=4, running=1, runs_per_day=10, min_interval="PT5M"), run=False)
    house.engine.serve(Post())
    return await staged(house)


async def remind(stage: Stage, who: str = "bob") -> str:
    result = await getattr(stage, who).slash(stage.general, "remind me", when="in 2 hours", text="tea")
    assert result.response is not None
    return texts(result.response)


# ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_manager_sees_every_limit_as_a_bar_and_who_has_most(limited: Stage) -> None:
    await remind(limited)
    await remind(limited)
    shown = await said(limited, "quota show")
    assert "Plan **small**" in shown
    assert "🔴 `██████████` **Reminders** 2 of 2" in shown
    assert "🟢 `█████░░░░░` **Schedules** 2 of 4" in shown
    assert "🟢 `░░░░░░░░░░` **Runs today** 0 of 10" in shown
    assert "- **Shortest time between two runs** 5 min" in shown
    assert f"**Most schedules**: <@{limited.bob.id}> 2" in shown
    assert shown.index("**Reminders**") < shown.index("**Schedules**"), "what is full comes first"
    assert "Runs this hour" not in shown, "a limit that does not exist is no news"


async def test_others_see_their_own_alone(limited: Stage) -> None:
    await remind(limited)
    result = await limited.bob.slash(limited.general, "quota show")
    assert result.ephemeral
    shown = texts(result.response)
    assert "**Your reminders** 1 of 2" in shown
    assert "Plan" not in shown
    await remind(limited, "alice")
    shown = texts((await limited.bob.slash(limited.general, "quota show")).response)
    assert "🔴 `██████████` **Your reminders** 1 of 1" in shown, "others took the rest"
    assert "Schedules** " not in shown


async def test_a_limit_for_a_time_says_until_when_and_one_of_the_operators_that_it_is_theirs(
    build: Build, staged: Staged
) -> None:
    house = await build(governor=plan(schedules=4, runs_per_day=10), run=False)
    stage = await staged(house)
    await house.client.change_guild_quota(stage.guild_id, {"schedules": 8}, until="in 1 hour")
    await house.client.change_guild_quota(stage.guild_id, {"runs_per_day": 50, "handlers": None})
    shown = await said(stage, "quota show")
    assert "**Schedules** 0 of 8\n-# set until <t:1767229200:f>" in shown
    assert "**Runs today** 0 of 50\n-# set by an operator" in shown
    assert "- **Handlers** no limit · set by an operator" in shown


async def test_an_unverified_server_is_told_how_to_be_verified_and_a_suspended_one_why(
    build: Build, staged: Staged
) -> None:
    house = await build(governor=GovernorSettings(), run=False)
    stage = await staged(house)
    assert "enters it with `/settings verify`" in await said(stage, "quota show")
    await house.client.verify_guild(stage.guild_id)
    shown = await said(stage, "quota show")
    assert "Plan **verified** · verified <t:" in shown
    await house.client.suspend_guild(stage.guild_id, "spam")
    shown = await said(stage, "quota show")
    assert "⛔ **Suspended** <t:1767225600:R>: spam." in shown


async def test_a_suspension_is_explained_as_such_also_when_it_is_over(build: Build, staged: Staged) -> None:
    house = await build(governor=plan(running=3), run=False)
    stage = await staged(house)
    await house.client.suspend_guild(stage.guild_id, "**loud** `spam`")
    assert "**Runs going at once** 0 of 3" in await said(stage, "quota show")
    assert r"This server is suspended (\*\*loud\*\* \`spam\`); nothing new" in await remind(stage, "alice")
    await house.client.suspend_guild(stage.guild_id, "spam")
    await remind(stage, "alice")
    await house.client.resume_guild(stage.guild_id)
    shown = await said(stage, "quota explain")
    assert "This server is suspended (spam)" in shown
    assert "It is not suspended any more." in shown
    assert "0 of 0" not in shown


# ── explain ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_button_under_a_refusal_says_which_limit_and_whether_there_is_room_again(limited: Stage) -> None:
    for _ in range(2):
        await remind(limited)
    refused = await limited.bob.slash(limited.general, "remind me", when="in 2 hours", text="tea")
    assert "This server has 2 reminders" in texts(refused.response)
    assert refused.response is not None
    assert labels(refused.response) == ["Which limit?"]
    told = await limited.bob.click(refused.response, label="Which limit?")
    assert told.followups, "the refusal stays, and the answer comes beside it"
    words = texts(told.followups[-1])
    assert "**Refused <t:1767225600:R>**: This server has 2 reminders" in words
    assert "There is no room yet.\n🔴 `██████████` **Reminders** 2 of 2" in words
    await limited.bob.slash(limited.general, "remind delete", item="tea")
    page = await limited.bot.core.list_schedules(guild_id=limited.guild_id)
    await limited.bob.slash(limited.general, "remind delete", item=page.items[0].id)
    again = await limited.bob.slash(limited.general, "quota explain")
    assert "There is room again." in texts(again.response)


async def test_a_refusal_that_is_no_limit_has_no_button(limited: Stage) -> None:
    refused = await limited.alice.slash(limited.general, "remind show", item="nothing like that")
    assert custom_ids(refused.response) == []


async def test_without_a_refusal_the_limit_that_would_be_met_next_is_named(limited: Stage) -> None:
    await remind(limited)
    shown = await said(limited, "quota explain")
    assert "Nothing was refused to you here since the service started." in shown
    assert "None of the runs you may see here waits." in shown
    assert "**The limit that would be met next**\n🟢 `█████░░░░░` **Reminders** 1 of 2" in shown


async def test_a_message_too_large_is_refused_in_words_of_what_was_typed(build: Build, staged: Staged) -> None:
    house = await build(governor=plan(), run=False)
    stage = await staged(house)
    await house.client.change_guild_quota(stage.guild_id, {"payload_bytes": 30})
    refused = await said(stage, "schedule message", when="in 2 hours", channel=stage.general, text="hello")
    assert re.fullmatch(r"This message is too large: \d+ bytes, and 30 are allowed in this server\.", refused)
    assert refused in await said(stage, "quota explain")
    await house.client.change_guild_quota(stage.guild_id, {"handlers": ["hands"]})
    refused = await said(stage, "schedule message", when="in 2 hours", channel=stage.general, text="hello")
    assert refused == "Messages are not allowed in this server; what may be used is hands."


async def test_another_person_s_refusal_is_nobody_else_s_business(limited: Stage) -> None:
    for _ in range(3):
        await remind(limited)
    assert "Nothing was refused to you" in await said(limited, "quota explain")


def test_amounts_and_spans_are_said_as_people_say_them() -> None:
    assert [runs_wait(count) for count in (1, 2, 1_000)] == ["1 run waits", "2 runs wait", "1,000 runs wait"]
    assert [runs_wait(count, most=9) for count in (8, 9)] == ["8 runs wait", "9 or more runs wait"]


@pytest.mark.parametrize(
    ("scope", "words", "here"),
    [
        ("guild:1", "Guild 1 has used 3 of 3 runs", "This server has used 3 of 3 runs"),
        ("dms:1", "Guild 1 has used 3 of 3 direct", "This server has used 3 of 3 direct"),
        ("schedule:sch_1", "Schedule sch_1 has used 3", "This schedule has used 3"),
        ("guild:1", "Guild 12 has used 3", "Guild 12 has used 3"),
        ("global", "The whole service has used 3", "The whole service has used 3"),
    ],
)  # fmt: skip
def test_who_asks_in_a_server_hears_what_the_core_says_of_it_without_its_number(
    scope: str, words: str, here: str
) -> None:
    assert explained(Why(scope=scope, limit="running", used=3, allowed=3, words=words)) == here


async def test_a_run_that_waits_says_whose_limit_how_much_and_until_when(build: Build, staged: Staged) -> None:
    house = await build(governor=plan(runs_per_day=1))
    stage = await staged(house)
    schedule = await house.schedule(guild_id=stage.guild_id, name="backup", policy={"overlap": "allow"})
    for _ in range(2):
        await house.run_now(schedule)
    shown = await said(stage, "quota explain", item="backup")
    assert "Why it waits: backup" in shown
    assert (
        "This server has used 1 of 1 runs it may have in a day; the next can start <t:1767312000:F> (<t:1767312000:R>)."
        in shown
    )


@pytest.mark.parametrize(
    "governor",
    [
        *(plan(**{limit: 1}) for limit in ("running", "runs_per_hour", "runs_per_day", "runs_per_month")),
        plan(rate="1/h"),
        GovernorSettings(default_plan="trusted", global_=Limits(running=1)),
        GovernorSettings(default_plan="trusted", methods={"hands.work": MethodQuota(running=1)}),
    ],
)
async def test_whatever_limit_holds_a_run_back_the_run_and_the_explanation_say_it_in_one_sentence(
    build: Build, staged: Staged, governor: GovernorSettings
) -> None:
    house = await build(governor=governor)
    stage = await staged(house)
    gate = house.hands.hold()
    schedule = await house.schedule(guild_id=stage.guild_id, name="backup", policy={"overlap": "allow"})
    first, second = [await house.run_now(schedule) for _ in range(2)]
    await house.working(first.id)
    words = (await house.why(second)).words.replace(f"Guild {stage.guild_id} ", "This server ")
    sentence = words.partition("; the next can start ")[0]
    assert sentence != words
    assert sentence in await said(stage, "quota explain", item="backup")
    gate.set()


async def test_runs_at_once_are_explained_in_plain_words(build: Build, staged: Staged) -> None:
    house = await build(governor=plan(running=1))
    stage = await staged(house)
    gate = house.hands.hold()
    schedule = await house.schedule(guild_id=stage.guild_id, name="backup", policy={"overlap": "allow"})
    first, second = [await house.run_now(schedule) for _ in range(2)]
    await house.working(first.id)
    await house.why(second)
    shown = await said(stage, "quota explain", item="backup")
    assert "This server has 1 of 1 runs going at once; the next can start when one of them ends." in shown
    gate.set()


async def test_what_does_not_wait_says_whether_the_next_one_could_start(build: Build, staged: Staged) -> None:
    house = await build(governor=plan(runs_per_day=1))
    stage = await staged(house)
    schedule = await house.schedule(guild_id=stage.guild_id, name="backup")
    assert "None of its runs waits. One that was started now could begin at once." in await said(
        stage, "quota explain", item="backup"
    )
    await house.ended((await house.run_now(schedule)).id)
    shown = await said(stage, "quota explain", item="backup")
    assert "One that was started now would wait: This server has used 1 of 1 runs" in shown
    await house.client.pause_schedule(schedule.id)
    assert "It is **paused**" in await said(stage, "quota explain", item="backup")


async def test_items_are_suggested_and_what_does_not_exist_is_refused(build: Build, staged: Staged) -> None:
    house = await build()
    stage = await staged(house)
    schedule = await house.schedule(guild_id=stage.guild_id, name="backup")
    assert [value for _, value in await offered(stage, "quota explain", "item", "back")] == [schedule.id]
    assert "No schedule fits 'nonsense'" in await said(stage, "quota explain", item="nonsense")


# ── words and bars ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("used", "allowed", "drawn"),
    [(0, 10, "░░░░░░░░░░"), (1, 1000, "█░░░░░░░░░"), (999, 1000, "█████████░"), (10, 10, "██████████"),
     (12, 10, "██████████"), (0, 0, "██████████")],
)  # fmt: skip
def test_a_bar_shows_that_something_is_used_and_is_full_only_when_nothing_is_left(
    used: float, allowed: float, drawn: str
) -> None:
    assert bar(used, allowed) == drawn


def test_near_full_begins_at_four_fifths_and_a_rate_is_full_when_the_next_does_not_fit() -> None:
    def gauge(used: float, limit: str = "schedules") -> Gauge:
        return Gauge(scope="guild:1", limit=limit, used=used, allowed=10)

    assert [fill_of(gauge(used)) for used in (7.9, 8, 10)] == ["free", "near", "full"]
    assert fill_of(gauge(9.1, "rate")) == "full"
    assert fill_of(Gauge(scope="guild:1", limit="running", used=0, allowed=0)) == "full"
    assert fullest([gauge(1), gauge(3, "running")]) == gauge(3, "running")


def test_what_frees_by_itself_says_when_once_it_matters() -> None:
    rate = Gauge(scope="guild:1", limit="rate", used=9.5, allowed=10, until="2026-01-01T00:00:30Z", words="10/min")
    assert gauge_line(rate) == "🔴 `█████████░` **Starts** 9.5 of 10 (10/min)\n-# all free again <t:1767225630:R>"


async def test_what_other_servers_used_up_is_shown_as_a_full_bar_without_figures(build: Build, staged: Staged) -> None:
    shared = Plan(shared=Limits(runs_per_day=1))
    house = await build(governor=GovernorSettings(plans={"p": shared}, default_plan="p"), run=False)
    stage = await staged(house)
    assert "of all servers" not in await said(stage, "quota show")
    await house.run_now(await house.schedule(guild_id="2"))
    shown = await said(stage, "quota show")
    assert (
        "🔴 `██████████` **Runs today, of all servers with this plan** used up\n-# begins anew <t:1767312000:R>"
        in shown
    )


def test_what_is_shared_is_full_and_would_be_met_next() -> None:
    gauge = Gauge(scope="global", limit="running", words="used up")
    assert gauge_line(gauge) == "🔴 `██████████` **Runs going at once, of all servers** used up"
    assert fullest([Gauge(scope="guild:1", limit="running", used=1, allowed=2), gauge]) == gauge
    known = Gauge(scope="global", limit="rate", used=9.5, allowed=10, words="10/s")
    assert gauge_line(known) == "🔴 `█████████░` **Starts, of all servers** 9.5 of 10 (10/s)"


def test_limits_that_do_not_exist_are_left_out_and_sizes_have_units() -> None:
    none = Gauge(scope="guild:1", limit="runs_per_day", used=3)
    size = Gauge(scope="guild:1", limit="payload_bytes", allowed=16384)
    assert lines_of([none, size]) == ([], ["**Arguments of a schedule** at most 16 KiB"])
    assert (
        size_line(Gauge(scope="guild:1", limit="dms_per_hour", allowed=10))
        == "**Direct messages this hour** at most 10"
    )

"""What people see of /job, with a real core behind it and handlers that work. It is Thursday 1 January 2026, in UTC."""

from __future__ import annotations

import re
from typing import Any

import discord
import pytest

from schedule_zero import Reject
from schedule_zero.masking import MASK
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import DateTrigger
from tests.cogs.job_stage import FAR, begun_in, fields_in, fill, made, only, press, said_in, until_ended
from tests.cogs.stage import Stage, labels, offered, said
from tests.cogs.workers import Reports
from tests.engine.house import House


async def _create(stage: Stage, handler: str, **options: Any) -> Any:
    return await stage.alice.slash(stage.general, "job create", handler=handler, when=FAR, **options)


# ── the form ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_method_without_arguments_is_saved_without_a_form(jobs: Stage) -> None:
    result = await _create(jobs, "reports.nothing")
    assert result.modal is None
    words = said_in(result)
    assert "Job made: reports.nothing" in words
    assert "**Work**: `reports.nothing` (healthy)" in words
    assert labels(result.response)[:3] == ["Run now", "Edit arguments", "Runs"]
    job = await only(jobs)
    assert (job.guild_id, job.owner_id, job.args) == (jobs.guild_id, str(jobs.alice.id), {})


async def test_a_form_made_from_the_schema_asks_for_the_arguments(jobs: Stage) -> None:
    shown = await _create(jobs, "reports.build", name="report")
    fields = fields_in(shown)
    assert list(fields) == ["day", "about", "rows", "level", "mail"]
    assert (fields["day"]["required"], fields["rows"]["required"]) == (True, False)
    assert [option["label"] for option in fields["about"]["options"]] == ["rent", "sales", "visits"]
    assert [option["label"] for option in fields["mail"]["options"]] == ["Yes", "No"]
    assert begun_in(shown) == {"day": "", "about": "sales", "rows": "100", "level": "low", "mail": "No"}
    words = said_in(await fill(jobs, shown, day="2026-12-24", about="visits", mail="Yes"))
    assert "Job made: report" in words
    assert "- about: visits" in words
    assert (await only(jobs)).args == {
        "day": "2026-12-24", "about": "visits", "rows": 100, "level": "low", "mail": True,
    }  # fmt: skip


async def test_more_than_five_arguments_share_a_field_with_an_example(jobs: Stage) -> None:
    shown = await _create(jobs, "reports.six")
    assert list(fields_in(shown)) == ["a", "b", "c", "d", "Further arguments (JSON)"]
    assert begun_in(shown)["Further arguments (JSON)"] == '{\n "e": null,\n "f": "x"\n}'
    await fill(jobs, shown, a="tea", b="2", **{"Further arguments (JSON)": '{"f": "日本"}'})
    assert (await only(jobs)).args == {"a": "tea", "b": 2, "c": 1.5, "d": True, "f": "日本"}


async def test_a_refused_form_comes_back_with_what_was_typed(jobs: Stage) -> None:
    shown = await _create(jobs, "reports.build")
    refused = await fill(jobs, shown, day="Christmas", rows="many", about="visits")
    words = said_in(refused)
    assert "`day` has to be written like 2026-12-24, and is 'Christmas'." in words
    assert "`rows` has to be a whole number such as 3, and is 'many'." in words
    again = await press(jobs, refused, "Back to the form")
    assert begun_in(again) == {"day": "Christmas", "about": "visits", "rows": "many", "level": "low", "mail": "No"}
    assert "Job made" in said_in(await fill(jobs, again, day="2026-12-24", rows="3"))
    assert (await only(jobs)).args["rows"] == 3


async def test_what_the_core_refuses_comes_back_as_a_form_too(jobs: Stage) -> None:
    shown = await _create(jobs, "reports.one", name="tea")
    await fill(jobs, shown, text="first")
    refused = await fill(jobs, await _create(jobs, "reports.one", name="tea"), text="second")
    assert "tea" in said_in(refused)
    again = await press(jobs, refused, "Back to the form")
    assert begun_in(again) == {"text": "second"}


async def test_a_handler_that_vanished_while_the_form_was_open_is_named_and_nothing_is_saved(
    jobs: Stage, house: House
) -> None:
    shown = await _create(jobs, "reports.one")
    await _go_away(house)
    refused = await fill(jobs, shown, text="tea")
    assert "there is no handler 'reports'" in said_in(refused)
    assert (await jobs.bot.core.list_schedules(guild_id=jobs.guild_id)).items == ()


async def _go_away(house: House) -> None:
    """The handler is gone, and nobody remembers it."""
    fleet = house.engine.fleet
    for link in list(fleet.links()):
        if link.instance.handler == "reports":
            fleet.leave(link.instance)
            fleet.forget("reports")


async def test_arguments_typed_as_an_option_skip_the_form(jobs: Stage) -> None:
    words = said_in(await _create(jobs, "reports.build", args="day=2026-12-24 rows=3"))
    assert "Job made" in words
    assert (await only(jobs)).args == {"day": "2026-12-24", "rows": 3}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("rows=many", "`args` is wrong: rows has to be a whole number such as 3, and is 'many'."),
        ("rows=3", "`args.day`: is missing"), ('{"day": "2026-12-24", "more": 1}', "args.more"),
        ("tomorrow", "`args` has 'tomorrow', which is no argument; write key=value, or a JSON object."),
        ("{", "`args` is no JSON: "),
    ],
)  # fmt: skip
async def test_wrong_arguments_are_refused_before_anything_is_saved(jobs: Stage, args: str, words: str) -> None:
    assert words.casefold() in said_in(await _create(jobs, "reports.build", args=args)).casefold()
    assert (await jobs.bot.core.list_schedules(guild_id=jobs.guild_id)).items == ()


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        ("report.build", "`handler`: this server has no 'report.build'; did you mean reports.build?"),
        ("reports", "`handler`: reports has several methods; write one of reports."),
        ("discord.send_message", "`handler`: messages are no jobs; `/schedule message` posts them."),
        ("@everyone `x` **y**", "`handler`: this server has no '@everyone `x` **y**'; there are "),
    ],
)  # fmt: skip
async def test_a_handler_that_is_not_there_is_refused_with_what_there_is(jobs: Stage, handler: str, words: str) -> None:
    assert said_in(await _create(jobs, handler, args="a=1")).startswith(words)


async def test_a_job_needs_a_time(jobs: Stage) -> None:
    result = await jobs.alice.slash(jobs.general, "job create", handler="reports.nothing")
    assert said_in(result).startswith("Say in `when` or in `repeat` when it runs, or in `after`")


async def test_an_unclear_time_is_asked_about_before_the_form(jobs: Stage) -> None:
    shown = await jobs.alice.slash(jobs.general, "job create", handler="reports.one", when="yesterday at 9")
    assert "Did you mean:" in said_in(shown)
    form = await press(jobs, shown, labels(shown.response)[0])
    assert "Job made" in said_in(await fill(jobs, form, text="tea"))


async def test_handlers_methods_and_listed_values_are_suggested(jobs: Stage) -> None:
    assert ("reports.build · healthy", "reports.build") in await offered(jobs, "job create", "handler", "bui")
    assert not any(value.startswith("discord.") for _, value in await offered(jobs, "job create", "handler", ""))
    keys = await offered(jobs, "job create", "args", "", handler="reports.build")
    assert [value for _, value in keys] == ["day=", "about=", "rows=", "level=", "mail="]
    values = await offered(jobs, "job create", "args", "day=2026-12-24 about=s", handler="reports.build")
    assert [value for _, value in values] == ["day=2026-12-24 about=sales", "day=2026-12-24 about=visits"]
    job = await made(jobs, "reports.build", "day=2026-12-24")
    assert ("mail=true", "mail=true") in await offered(jobs, "job run", "args", "mail=", item=job.id)
    assert await offered(jobs, "job create", "args", "x", handler="nobody") == []


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────

UPLOAD = '{"target": {"host": "h", "password": "hunter2-p"}, "token": "hunter2", "note": "hunter2-n"}'


async def test_secrets_are_shown_nowhere(jobs: Stage, reports: Reports) -> None:
    async def repeat(args: dict[str, Any]) -> Any:
        raise ValueError(f"{args['token']} is not welcome at {args['target'].password}")

    reports.deed = repeat
    job = await made(jobs, "reports.upload", UPLOAD, name="upload")
    words = await said(jobs, "job show", item="upload")
    assert f"- token: {MASK}" in words
    ran = await jobs.alice.slash(jobs.general, "job run", item="upload")
    await until_ended(jobs, job.id)
    await jobs.alice.slash(jobs.general, "job show", item="upload")
    for command in ("job show", "job runs", "schedule show", "schedule list", "job list"):
        options = {} if command.endswith("list") else {"item": job.id}
        shown = await jobs.alice.slash(jobs.general, command, **options)
        assert "hunter2" not in said_in(shown)
    assert f"ValueError: {MASK} is not welcome at {MASK}" in await said(jobs, "job runs", item=job.id)
    assert ran.response is not None


async def test_a_secret_that_one_run_was_given_is_shown_in_no_list_of_runs(jobs: Stage, reports: Reports) -> None:
    async def repeat(args: dict[str, Any]) -> Any:
        raise Reject(f"{args['token']} is not welcome")

    reports.deed = repeat
    job = await made(jobs, "reports.upload", '{"target": {"host": "h"}, "token": "another"}')
    await jobs.alice.slash(jobs.general, "job run", item=job.id, args="token=hunter2", wait=False)
    await until_ended(jobs, job.id)
    for command, options in (("job runs", {"item": job.id}), ("job show", {"item": job.id}), ("job dead", {})):
        assert f"{MASK} is not welcome" in await said(jobs, command, **options)
    now = await jobs.alice.slash(jobs.general, "schedule run_now", item=job.id)
    assert "another" not in said_in(now)


async def test_a_masked_value_that_is_left_alone_stays_as_it_is(jobs: Stage) -> None:
    job = await made(jobs, "reports.upload", UPLOAD)
    shown = await jobs.alice.slash(jobs.general, "job edit", item=job.id)
    assert "hunter2" not in str(shown.modal)
    assert begun_in(shown)["token"] == MASK
    rest = begun_in(shown)["Further arguments (JSON)"]
    changed = await fill(jobs, shown, **{"Further arguments (JSON)": rest.replace('"h"', '"elsewhere"')})
    assert "Arguments changed" in said_in(changed)
    assert (await only(jobs)).args == {
        "target": {"host": "elsewhere", "password": "hunter2-p"}, "token": "hunter2", "note": "hunter2-n",
    }  # fmt: skip


async def test_a_secret_typed_into_a_refused_form_is_kept_and_not_shown(jobs: Stage) -> None:
    shown = await _create(jobs, "reports.upload")
    refused = await fill(jobs, shown, token="hunter2", **{"Further arguments (JSON)": "{"})
    again = await press(jobs, refused, "Back to the form")
    assert begun_in(again)["token"] == MASK
    done = await fill(jobs, again, **{"Further arguments (JSON)": '{"target": {"host": "h"}}'})
    assert "Job made" in said_in(done)
    assert (await only(jobs)).args["token"] == "hunter2"


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_edit_begins_with_what_is_and_shows_what_became(jobs: Stage) -> None:
    job = await made(jobs, "reports.build", "day=2026-12-24 rows=3")
    shown = await jobs.alice.slash(jobs.general, "job edit", item=job.id)
    assert begun_in(shown) == {"day": "2026-12-24", "about": "sales", "rows": "3", "level": "low", "mail": "No"}
    result = await fill(jobs, shown, rows="4")
    assert "- rows: 4" in said_in(result)
    assert "Undo" in labels(result.response)
    await press(jobs, result, "Undo")
    assert (await only(jobs)).args == {"day": "2026-12-24", "rows": 3}


async def test_of_two_who_edit_at_once_the_second_hears_of_it(jobs: Stage) -> None:
    job = await made(jobs, "reports.one")
    shown = await jobs.alice.slash(jobs.general, "job edit", item=job.id)
    await jobs.bot.core.patch_schedule(job.id, {"args": {"text": "theirs"}})
    refused = await fill(jobs, shown, text="mine")
    assert said_in(refused).startswith("Somebody changed this job meanwhile.")
    assert (await only(jobs)).args == {"text": "theirs"}
    again = await press(jobs, refused, "Back to the form")
    await fill(jobs, again)
    assert (await only(jobs)).args == {"text": "mine"}


async def test_the_time_the_name_and_who_is_told_are_changed_in_forms_of_their_own(jobs: Stage) -> None:
    job = await made(jobs, "reports.one", when="every weekday at 9", name="tea", count=5)
    shown = await jobs.alice.slash(jobs.general, "job edit", item="tea", part="time")
    assert begun_in(shown) == {"when": "0 9 * * 1-5", "repeat": "", "tz": "UTC", "until": "", "count": "5"}
    refused = await fill(jobs, shown, when="every banana")
    assert "every banana" in said_in(refused)
    again = await press(jobs, refused, "Back to the form")
    assert begun_in(again)["when"] == "every banana"
    assert "every day at 10:00" in said_in(await fill(jobs, again, when="every day at 10", count=""))
    changed = await only(jobs)
    assert (changed.count, changed.trigger.expression) == (None, "0 10 * * *")
    named = await jobs.alice.slash(jobs.general, "job edit", item="tea", part="name")
    assert "Renamed: coffee" in said_in(await fill(jobs, named, name="coffee"))
    told = await jobs.alice.slash(jobs.general, "job edit", item=job.id, part="channel")
    words = said_in(await fill(jobs, told, channel=jobs.general, notify_on="whenever it ran"))
    assert f"**Told**: <#{jobs.general.id}>, whenever it ran" in words
    assert (await only(jobs)).metadata == {"notify": str(jobs.general.id), "notify_on": "always"}


async def test_a_time_that_stays_as_it_was_keeps_its_beginning(jobs: Stage) -> None:
    await made(jobs, "reports.one", when="2026-01-05 09:00", repeat="every 2 weeks")
    before = await only(jobs)
    shown = await jobs.alice.slash(jobs.general, "job edit", item=before.id, part="time")
    await fill(jobs, shown, count="3")
    after = await only(jobs)
    assert (after.count, after.trigger, after.start, after.next_fire_times) == (
        3, before.trigger, before.start, before.next_fire_times[:3],
    )  # fmt: skip


async def test_a_job_is_listed_shown_paused_resumed_deleted_and_brought_back(jobs: Stage) -> None:
    job = await made(jobs, "reports.one", when="every day at 9", name="tea")
    assert "`reports.one`" in await said(jobs, "job list")
    assert "No schedules here" in await said(jobs, "schedule list")
    assert "- text: tea" in await said(jobs, "job show", item="tea")
    assert "Preview: tea" in await said(jobs, "job preview", item="tea", n=3)
    assert "Paused: tea" in await said(jobs, "job pause", item="tea", until="2026-02-01")
    assert "Resumed: tea" in await said(jobs, "job resume", item=job.id)
    deleted = await jobs.alice.slash(jobs.general, "job delete", item="tea")
    assert "Deleted: tea" in said_in(deleted)
    back = await press(jobs, deleted, "Undo")
    assert "- text: tea" in said_in(back)
    assert (await only(jobs)).state == "active"


async def test_a_copy_is_the_same_under_another_name(jobs: Stage) -> None:
    await made(jobs, "reports.upload", UPLOAD, when="every day at 9", name="tea", notify=jobs.general)
    assert "Copied: tea copy" in await said(jobs, "job copy", item="tea")
    assert "Copied: tea copy 2" in await said(jobs, "job copy", item="tea")
    first, second, third = (await jobs.bot.core.list_schedules(guild_id=jobs.guild_id)).items
    assert first.args == second.args == third.args
    assert (second.trigger, second.policy, second.metadata) == (first.trigger, first.policy, first.metadata)
    assert second.owner_id == str(jobs.alice.id)


async def test_messages_are_no_jobs(jobs: Stage) -> None:
    await jobs.alice.slash(jobs.general, "schedule message", when=FAR, channel=jobs.general, text="tea", name="tea")
    message = await only(jobs)
    for command in ("job show", "job pause", "job run", "job delete", "job edit"):
        assert "posts a message, and is no job" in await said(jobs, command, item=message.id)
        assert "No job fits 'tea'" in await said(jobs, command, item="tea")
    assert await offered(jobs, "job show", "item", "") == []
    assert "No jobs here" in await said(jobs, "job list")


async def test_another_servers_job_is_not_there(jobs: Stage) -> None:
    spec = ScheduleSpec(handler="reports", method="one", args={"text": "x"}, guild_id="77", trigger=DateTrigger(FAR))
    theirs = await jobs.bot.core.create_schedule(spec)
    for command in ("job show", "job pause", "job run", "job delete", "job edit", "job copy", "job runs"):
        assert (
            await said(jobs, command, item=theirs.id)
            == f"There is no schedule '{theirs.id}'; the list of schedules shows what there is."
        )
    run = await jobs.bot.core.run_schedule(theirs.id)
    for command in ("job cancel", "job retry"):
        assert (await said(jobs, command, run=run.id)).startswith(f"There is no run '{run.id}'")


async def test_a_member_without_the_right_makes_and_runs_nothing(jobs: Stage) -> None:
    job = await made(jobs, "reports.one")
    everyone = discord.Permissions(manage_messages=True)
    carol = jobs.guild.add_member(
        jobs.env.create_user("carol"), roles=[jobs.guild.create_role("moderators", permissions=everyone)]
    )
    (group,) = [command for command in await jobs.bot.tree.fetch_commands() if command.name == "job"]
    jobs.guild.set_command_permissions(group, {carol: True})  # an admin let her use it; the core judges by her rights
    for command, options in (
        ("job create", {"handler": "reports.one", "when": FAR, "args": "text=x"}), ("job run", {"item": job.id}),
    ):  # fmt: skip
        result = await carol.slash(jobs.general, command, **options)
        assert "Manage Server" in said_in(result)
    assert len((await jobs.bot.core.list_schedules(guild_id=jobs.guild_id)).items) == 1


# ── handlers ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_handlers_are_listed_and_one_is_shown_with_its_arguments(jobs: Stage) -> None:
    words = await said(jobs, "job handlers")
    assert "🟢 **reports** · healthy · build, nothing, one, six, talk, upload" in words
    assert "discord" not in words
    one = await said(jobs, "job handlers", name="reports")
    assert "**build**: Takes five." in one
    assert "- `rows`: a whole number, at least 1, at most 10000 (may be left out)" in one
    assert "There is no handler 'nobody'" in await said(jobs, "job handlers", name="nobody")


async def test_hostile_words_stay_words(jobs: Stage, reports: Reports) -> None:
    async def shout(args: dict[str, Any]) -> Any:
        raise ValueError("@everyone ``` [x](https://evil.example) \u202egnp.exe **bold**" * 50)

    reports.deed = shout
    nasty = "**x** `y` @everyone \u202e"
    await jobs.bot.core.create_schedule(
        ScheduleSpec(
            handler="reports", method="one", args={"text": "```\n# big"}, guild_id=jobs.guild_id, name=nasty,
            trigger=DateTrigger(FAR),
        )
    )  # fmt: skip
    job = await only(jobs)
    await jobs.bot.core.run_schedule(job.id)
    await until_ended(jobs, job.id)
    for command in ("job show", "job runs"):
        words = await said(jobs, command, item=job.id)
        assert "\u202e" not in words
        assert "\n# big" not in words


# ── policy ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_how_a_job_is_tried_is_said_in_words_and_changed_one_by_one(jobs: Stage) -> None:
    await made(jobs, "reports.one", when="every day at 9", name="tea")
    words = await said(jobs, "job policy", item="tea")
    assert "**Time for an attempt**: 30 s\n**Tries**: up to 3 attempts" in words
    words = await said(
        jobs, "job policy", item="tea", timeout="5 minutes", max_attempts=5, backoff="list 10 s, 1 min", overlap="skip"
    )
    assert "**Time for an attempt**: 5 min\n-# before: 30 s" in words
    assert "**Between them**: `list`: 10 s, 60 s; the last again and again" in words
    policy = (await only(jobs)).policy
    assert (policy.timeout, policy.overlap, policy.retry.max_attempts, policy.retry.delays) == (
        "PT5M", "skip", 5, ("PT10S", "PT1M"),
    )  # fmt: skip
    assert "The next 10 times stay as they are." in words
    await said(jobs, "job policy", item="tea", backoff="fixed 30 s")
    retry = (await only(jobs)).policy.retry
    assert (retry.backoff, retry.initial, retry.max_attempts) == ("fixed", "PT30S", 5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": "soon"}, "`timeout`: 'soon' is no length of time; write for example `30 s`, `5 min` or `2 h`."),
        ({"timeout": "0"}, "`timeout`: '0' has to be more than nothing and at most a year."),
        ({"backoff": "sometimes"}, "`backoff` begins with exponential, fixed or list; write for example `fixed 30 s`."),
        ({"backoff": "list"}, "`backoff`: a list needs its pauses; write for example `list 10 s, 1 min, 10 min`."),
        ({"backoff": "fixed 1 s, 2 s"}, "`backoff`: fixed takes one pause."),
    ],
)  # fmt: skip
async def test_a_policy_that_cannot_be_read_is_refused_with_what_to_write(
    jobs: Stage, options: dict[str, str], words: str
) -> None:
    job = await made(jobs, "reports.one")
    assert await said(jobs, "job policy", item=job.id, **options) == words
    assert (await only(jobs)).revision == 1


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_token_is_shown_once_to_one_person_and_is_good_for_this_server_alone(jobs: Stage) -> None:
    words = await said(jobs, "job token", scope="ours")
    (key,) = (await jobs.bot.core.list_keys(guild_id=jobs.guild_id)).items
    assert (key.name, key.role, key.kind, key.guild_id, key.token) == (
        "ours", "handler", "registration", jobs.guild_id, None,
    )  # fmt: skip
    assert re.search(r"token   \S{20,}", words)
    await said(jobs, "job token", scope="ours", rotate=True)
    states = [each.state for each in (await jobs.bot.core.list_keys(guild_id=jobs.guild_id, over=True)).items]
    assert states == ["revoked", "pending"]
    assert "that name is the bot's own" in await said(jobs, "job token", scope="discord")
    assert (await said(jobs, "job token", scope="a b")).startswith("`scope`: has to be a name of 1 to 64 letters")
    assert "a name of 1 to 64 letters" in await said(jobs, "job token", scope="../x y")

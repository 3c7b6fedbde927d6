"""What people see of a job's runs: made, shown, cancelled, retried, listed, their logs, and what failed for good."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from cogs.job import running
from tests.cogs.job_stage import fill, made, only, press, said_in, until_ended
from tests.cogs.stage import Stage, labels, offered, said
from tests.cogs.workers import Reports
from tests.engine.house import House

# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_run_answers_with_the_outcome(jobs: Stage, reports: Reports) -> None:
    job = await made(jobs, "reports.build", "day=2026-12-24", name="report")
    result = await jobs.alice.slash(jobs.general, "job run", item="report", args="rows=7")
    await until_ended(jobs, job.id)
    await jobs.env.advance_time(1)
    shown = await press(jobs, result, "Refresh")
    words = said_in(shown)
    assert "✅ **Succeeded**" in words
    assert '{"done": true}' in words
    assert reports.calls == [{"day": "2026-12-24", "about": "sales", "rows": 7, "level": "low", "mail": False}]
    assert (await only(jobs)).args == {"day": "2026-12-24"}


async def test_a_failed_run_says_why_is_mended_and_retried(jobs: Stage) -> None:
    job = await made(jobs, "reports.build", "day=2026-12-24 about=rent", name="report")
    result = await jobs.alice.slash(jobs.general, "job run", item="report")
    await until_ended(jobs, job.id)
    failed = await press(jobs, result, "Refresh")
    words = said_in(failed)
    assert "❌ **Failed**" in words
    assert "**Why**: rejected: nobody keeps rent.\nThe same again would fail the same way: mend the arguments" in words
    assert labels(failed.response)[:2] == ["Retry", "Edit arguments"]
    form = await press(jobs, failed, "Edit arguments")
    mended = await fill(jobs, form, about="sales")
    assert "**Retry** runs it again with these." in said_in(mended)
    again = await press(jobs, mended, "Retry")
    assert (await until_ended(jobs, job.id)).state == "succeeded"
    assert "✅ **Succeeded**" in said_in(await press(jobs, again, "Refresh"))
    late = await press(jobs, failed, "Retry")
    assert "Run again: report" in said_in(late)
    assert len((await jobs.bot.core.list_runs(schedule_id=job.id)).items) == 2


async def test_a_dry_run_says_who_would_get_it_and_runs_nothing(jobs: Stage, reports: Reports) -> None:
    job = await made(jobs, "reports.build", "day=2026-12-24", name="report")
    words = await said(jobs, "job run", item="report", dry_run=True, args="rows=3")
    assert "Dry run: report" in words
    assert "- rows: 3" in words
    assert "It could start at once." in words
    wrong = await said(jobs, "job run", item="report", dry_run=True, args='{"about": "weather"}')
    assert wrong.startswith("`args.about`: ")
    assert (await jobs.bot.core.list_runs(schedule_id=job.id)).items == ()
    assert reports.calls == []


async def test_a_run_under_way_can_be_cancelled(jobs: Stage, reports: Reports) -> None:
    began = asyncio.Event()

    async def hang(args: dict[str, Any]) -> Any:
        began.set()
        await asyncio.Event().wait()

    reports.deed = hang
    job = await made(jobs, "reports.one")
    result = await jobs.alice.slash(jobs.general, "job run", item=job.id, wait=False)
    await asyncio.wait_for(began.wait(), 20)
    (run,) = (await jobs.bot.core.list_runs(schedule_id=job.id)).items
    assert [value for _, value in await offered(jobs, "job cancel", "run", "")] == [run.id]
    assert await offered(jobs, "job retry", "run", "") == []
    stopped = await press(jobs, result, "Cancel")
    assert "Asked to stop" in said_in(stopped) or "Cancelled" in said_in(stopped)
    assert (await until_ended(jobs, job.id)).state == "cancelled"
    late = await jobs.alice.slash(jobs.general, "job cancel", run=run.id)
    assert "This run has ended (cancelled); there is nothing to cancel." in said_in(late)
    assert [value for _, value in await offered(jobs, "job retry", "run", "")] == [run.id]


async def test_runs_are_listed_page_by_page_and_by_state(jobs: Stage) -> None:
    job = await made(jobs, "reports.one", name="tea")
    for _ in range(9):
        await jobs.bot.core.run_schedule(job.id)
        await until_ended(jobs, job.id)
    first = await jobs.alice.slash(jobs.general, "job runs", item="tea")
    assert said_in(first).count("succeeded") == 8
    second = await press(jobs, first, "Next ▶")
    assert "page 2" in said_in(second)
    assert said_in(second).count("succeeded") == 1
    assert "Nothing fits." in await said(jobs, "job runs", item="tea", state="failed")
    assert "Nothing fits." in await said(jobs, "job runs", item="tea", since="2027-01-01")


async def test_a_button_of_an_older_card_shows_the_job_as_it_is(jobs: Stage, reports: Reports) -> None:
    job = await made(jobs, "reports.one")
    shown = await jobs.alice.slash(jobs.general, "job show", item=job.id)
    await jobs.bot.core.patch_schedule(job.id, {"args": {"text": "newer"}})
    for label in ("Run now", "Edit arguments"):
        pressed = await press(jobs, shown, label)
        assert pressed.modal is None
        assert "nothing was done" in said_in(pressed)
        shown = await jobs.alice.slash(jobs.general, "job show", item=job.id)
        await jobs.bot.core.patch_schedule(job.id, {"name": f"not {label}"})
    assert reports.calls == []


# ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────────


async def _fail(stage: Stage, **options: Any) -> Any:
    """A job with a run that failed for good."""
    job = await made(stage, "reports.build", "day=2026-12-24 about=rent", **options)
    await stage.bot.core.run_schedule(job.id)
    return await until_ended(stage, job.id)


async def test_what_failed_for_good_is_listed_run_again_or_dropped(jobs: Stage) -> None:
    assert "No dead letters" in await said(jobs, "job dead")
    first, second = await _fail(jobs), await _fail(jobs)
    listed = await jobs.alice.slash(jobs.general, "job dead")
    assert f"`{first.id}`" in said_in(listed)
    assert "nobody keeps rent" in said_in(listed)
    await jobs.bot.core.patch_schedule(first.schedule_id, {"args": {"day": "2026-12-24"}})
    done = await press(jobs, listed, "Run these again")
    assert f"- `{first.id}`: run again as `run_" in said_in(done)
    assert (await until_ended(jobs, first.schedule_id)).state == "succeeded"
    assert (await until_ended(jobs, second.schedule_id)).state == "failed"
    words = await said(jobs, "job dead", action="drop")
    assert words.count(": dropped") == 1
    assert "No dead letters" in await said(jobs, "job dead")


async def test_a_page_of_dead_letters_that_changed_is_shown_and_left_alone(jobs: Stage) -> None:
    await _fail(jobs)
    listed = await jobs.alice.slash(jobs.general, "job dead")
    await _fail(jobs)
    pressed = await press(jobs, listed, "Drop these")
    assert "These are others than those the card showed, so nothing was done." in said_in(pressed)
    assert len((await jobs.bot.core.list_dead(guild_id=jobs.guild_id)).items) == 2


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_log_of_a_run_is_shown_without_secrets_and_a_long_one_comes_as_a_file(
    jobs: Stage, house: House
) -> None:
    short = await made(jobs, "reports.talk", "lines=2 token=hunter2")
    run = await jobs.bot.core.run_schedule(short.id)
    await until_ended(jobs, short.id)
    shown = await jobs.alice.slash(jobs.general, "job log", run=run.id)
    words = said_in(shown)
    assert re.search(r"00:00:00 line 0 \'\'\' ••••••\n00:00:00 line 1", words)
    assert shown.followups == []
    assert "Log: reports.talk" in said_in(await press(jobs, shown, "Refresh"))
    long = await made(jobs, "reports.talk", "lines=200 token=hunter2")
    told = await jobs.bot.core.run_schedule(long.id)
    await until_ended(jobs, long.id)
    shown = await jobs.alice.slash(jobs.general, "job log", run=told.id)
    assert "line 199" in said_in(shown)
    assert "line 0 " not in said_in(shown).split("All of it")[0]
    (file,) = shown.followups[0].attachments
    assert file.filename == f"{told.id}.log"


async def test_a_run_that_said_nothing_says_so(jobs: Stage) -> None:
    job = await made(jobs, "reports.one")
    run = await jobs.bot.core.run_schedule(job.id)
    await until_ended(jobs, job.id)
    assert "It said nothing." in await said(jobs, "job log", run=run.id)
    assert "is no id of a run" in await said(jobs, "job log", run="tea")


# ── an answer that is kept up to date ────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
async def test_the_answer_follows_the_run_and_says_where_its_end_is_told_when_it_cannot_any_longer(
    jobs: Stage, reports: Reports
) -> None:
    gate = asyncio.Event()

    async def wait(args: dict[str, Any]) -> Any:
        await gate.wait()

    reports.deed = wait
    job = await made(jobs, "reports.one", name="tea", notify=jobs.general)
    await jobs.bot.core.patch_schedule(job.id, {"policy": {"timeout": "PT2H"}})
    result = await jobs.alice.slash(jobs.general, "job run", item="tea")
    await jobs.env.advance_time(20)
    assert "⏳ **" in _now(jobs, result)
    await jobs.env.advance_time(running.LONGEST_WATCH)
    assert f"How it ends is told in <#{jobs.general.id}>." in _now(jobs, result)
    gate.set()
    assert (await until_ended(jobs, job.id)).state == "succeeded"


@pytest.mark.slow
async def test_the_answer_is_edited_when_the_run_ends(jobs: Stage, reports: Reports) -> None:
    gate = asyncio.Event()

    async def wait(args: dict[str, Any]) -> Any:
        await gate.wait()

    reports.deed = wait
    job = await made(jobs, "reports.one", name="tea")
    result = await jobs.alice.slash(jobs.general, "job run", item="tea")
    gate.set()
    await until_ended(jobs, job.id)
    await jobs.env.advance_time(5)
    assert "✅ **Succeeded**" in _now(jobs, result)


def _now(stage: Stage, result: Any) -> str:
    """What an answer says by now."""
    sent = [request.json for request in stage.env.http_requests if request.method == "PATCH" and request.json]
    return str(sent[-1]).replace("\\n", "\n")

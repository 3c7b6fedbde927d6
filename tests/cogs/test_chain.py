"""What people see of /chain, and of jobs in one, with a real core behind it and a handler that works."""

from __future__ import annotations

import re
from typing import Any

from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import DateTrigger
from tests.cogs.job_stage import FAR, made, press, said_in
from tests.cogs.stage import Stage, said
from tests.cogs.workers import Reports
from tests.engine.house import House


async def _three(stage: Stage) -> tuple[Any, Any, Any]:
    """Three jobs, each of which runs after the one before."""
    first = await made(stage, args="text=first", name="first")
    second = await made(stage, args="text=second", name="second", when=None, after="first")
    third = await made(stage, args="text=third", name="third", when=None, after=second.id)
    return first, second, third


async def test_a_chain_of_three_is_made_drawn_and_runs_on_success(
    served: Stage, reports: Reports, house: House
) -> None:
    first, second, third = await _three(served)
    assert (second.trigger, third.after[0].schedule) == (None, second.id)
    words = await said(served, "chain show", item="second")
    assert "first\n└─ on success: second\n   └─ on success: third" in words
    await served.bot.core.run_schedule(first.id)
    await house.heard("run.succeeded", schedule_id=third.id)
    assert [call["text"] for call in reports.calls] == ["first", "second", "third"]
    assert (await said(served, "chain show", item="first")).count("last run succeeded") == 3


async def test_links_are_added_with_their_case_and_delay_removed_and_brought_back(
    served: Stage, reports: Reports
) -> None:
    first, second = await made(served, name="first"), await made(served, name="second")
    linked = await served.alice.slash(
        served.general, "chain add", item="second", after="first", when="failure", delay="5 min"
    )
    assert "on failure, 5 min later: second" in said_in(linked)
    after = (await served.bot.core.get_schedule(second.id)).after
    assert [(link.schedule, link.when, link.delay) for link in after] == [(first.id, "failure", "PT5M")]
    removed = await served.alice.slash(served.general, "chain remove", item=second.id, after=first.id)
    assert "Unlinked: second" in said_in(removed)
    assert (await served.bot.core.get_schedule(second.id)).after == ()
    await press(served, removed, "Undo")
    assert len((await served.bot.core.get_schedule(second.id)).after) == 1


async def test_a_circle_is_refused_and_nothing_is_left_without_a_start(served: Stage, reports: Reports) -> None:
    await _three(served)
    assert "circle" in await said(served, "chain add", item="first", after="third")
    assert "Nothing would start this schedule any more" in await said(
        served, "chain remove", item="second", after="first"
    )
    assert "`delay`: 'soon' is no length of time" in await said(
        served, "chain add", item="third", after="first", delay="soon"
    )
    assert "Nothing is wrong with the 2 links of this server." in await said(served, "chain check")


async def test_what_is_wrong_with_chains_is_said(served: Stage, reports: Reports) -> None:
    first, _, _ = await _three(served)
    await served.bot.core.delete_schedule(first.id)
    words = await said(served, "chain check")
    assert "second runs after first, which is gone" in words.casefold()


async def test_a_failed_run_of_a_chain_is_gone_on_from_or_begun_anew(
    served: Stage, reports: Reports, house: House
) -> None:
    first, second, third = await _three(served)
    await served.bot.core.patch_schedule(second.id, {"method": "build", "args": {"day": "2026-12-24", "about": "rent"}})
    await served.bot.core.run_schedule(first.id)
    await house.heard("run.failed", schedule_id=second.id)
    (failed,) = (await served.bot.core.list_runs(schedule_id=second.id)).items
    await served.bot.core.patch_schedule(second.id, {"args": {"day": "2026-12-24"}})
    assert "The chain begins anew" in await said(served, "job retry", run=failed.id, from_failed=False)
    await house.heard("run.succeeded", schedule_id=third.id)
    assert len((await served.bot.core.list_runs(schedule_id=first.id)).items) == 2
    await said(served, "job retry", run=failed.id)
    await house.heard("run.succeeded", schedule_id=third.id, count=2)
    assert len((await served.bot.core.list_runs(schedule_id=first.id)).items) == 2


async def test_what_is_taken_from_the_run_before_passes_the_form(served: Stage, reports: Reports) -> None:
    await made(served, name="first")
    job = await made(
        served, "reports.build", "day=2026-12-24 rows={parent.result.rows|7}", name="second", when=None, after="first"
    )
    assert job.args == {"day": "2026-12-24", "rows": "{parent.result.rows|7}"}


async def test_another_servers_schedule_is_not_there(served: Stage, reports: Reports) -> None:
    ours = await made(served, name="first")
    theirs = await _elsewhere(served)
    for options in ({"item": ours.id, "after": theirs}, {"item": theirs, "after": ours.id}):
        words = await said(served, "chain add", **options)
        assert re.search("no schedule|server", words), words
    assert (await served.bot.core.get_schedule(ours.id)).after == ()


async def _elsewhere(stage: Stage) -> str:
    """A schedule of another guild."""
    spec = ScheduleSpec(handler="reports", method="one", args={"text": "x"}, guild_id="77", trigger=DateTrigger(FAR))
    return (await stage.bot.core.create_schedule(spec)).id

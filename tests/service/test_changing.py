"""Patch, pause, resume, delete, undo: what a change does, and what taking it back does, also after it fired meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.governor.settings import GovernorSettings, Plan
from schedule_zero.errors import Conflict, Gone, Invalid, NotFound, QuotaExceeded, RevisionMismatch
from schedule_zero.instant import parse
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, TextTrigger
from tests.engine.house import House
from tests.engine.test_apscheduler_traps import rewrite

Build = Callable[..., Awaitable[House]]


def token(schedule: Schedule) -> str:
    assert schedule.undo is not None
    return schedule.undo.token


async def hourly(house: House, **fields: Any) -> Schedule:
    return await house.schedule(CronTrigger(expression="0 * * * *"), timezone="Europe/Berlin", **fields)


# ── patch ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_patch_changes_what_it_names_and_nothing_else(house: House) -> None:
    before = await hourly(house, name="a", args={"n": 1}, metadata={"team": "ops"}, policy={"timeout": "PT9S"})
    after = await house.client.patch_schedule(before.id, {"args": {"n": 2}})
    assert (after.args, after.revision) == ({"n": 2}, 2)
    for field in ("name", "metadata", "policy", "trigger", "timezone", "words", "state", "next_fire_times", "owner_id"):
        assert getattr(after, field) == getattr(before, field), field


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"colour": 1}, "colour", "no such field"),
        ({"guild_id": "2"}, "guild_id", "cannot be changed"),
        ({"owner_id": "me"}, "owner_id", "cannot be changed"),
        ({"args": "text"}, "args", "Expected `object`"),
        ({"args": {"n": "many"}}, "args.n", "Expected `int`"),
        ({"policy": "fast"}, "policy", "Expected `object`"),
        ({"policy": {"overlap": "never"}}, "policy.overlap", "Invalid enum value"),
        ({"policy": {"timeout": "soon"}}, "policy.timeout", "not a duration"),
        ({"policy": {"retry": {"delays": ["PT1S", "x"]}}}, "policy.retry.delays.1", "not a duration"),
        ({"policy": {"jitter": "P9D"}}, "policy.jitter", "at most P1D"),
        ({"trigger": {"type": "cron", "expression": "61 * * * *"}}, "trigger.expression", "61"),
        ({"timezone": "Mars/Phobos"}, "timezone", "Mars/Phobos"),
        ({"name": "  "}, "name", "1 to 100"),
        ({"count": 0}, "count", "between 1"),
        ({"start": "9 o'clock"}, "start", "no instant"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until", ""),
        ({"handler": "nobody"}, "handler", "no handler"),
        ({"method": "nothing"}, "method", "no method"),
    ],
)
async def test_a_wrong_patch_names_the_place_and_changes_nothing(
    house: House, changes: dict[str, Any], field: str, words: str
) -> None:
    before = await hourly(house)
    with pytest.raises(Invalid) as refusal:
        await house.client.patch_schedule(before.id, changes)
    assert refusal.value.errors[0].field == field
    assert words in refusal.value.errors[0].message
    assert (await house.client.get_schedule(before.id)).revision == 1


async def test_a_policy_is_merged_down_to_its_retry(house: House) -> None:
    before = await hourly(house, policy={"timeout": "PT9S", "retry": {"initial": "PT7S", "max_attempts": 5}})
    after = await house.client.patch_schedule(before.id, {"policy": {"retry": {"max_attempts": 2}}})
    assert (after.policy.timeout, after.policy.retry.initial, after.policy.retry.max_attempts) == ("PT9S", "PT7S", 2)


async def test_defaults_that_belong_to_a_kind_of_trigger_change_with_it(house: House) -> None:
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(3600)))
    assert (shot.policy.catchup_window, shot.policy.month_end) == (None, "skip")
    series = await house.client.patch_schedule(shot.id, {"trigger": {"type": "interval", "every": "P1M"}})
    assert (series.policy.catchup_window, series.policy.month_end) == ("PT1H", "clamp")
    said = await house.client.patch_schedule(shot.id, {"policy": {"catchup_window": "PT2H"}})
    back = await house.client.patch_schedule(said.id, {"trigger": {"type": "date", "at": house.clock.in_s(7200)}})
    assert back.policy.catchup_window == "PT2H"


async def test_an_unchanged_rule_keeps_its_due_time_also_one_that_is_pending(house: House) -> None:
    """The tick is behind; an edit of the text must not make the due time vanish."""
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(5)), args={"n": 1})
    series = await house.schedule(IntervalTrigger(every="PT10S", start=house.clock.in_s(5)))
    house.clock.move(600)
    for schedule in (shot, series):
        due = parse(schedule.next_fire_times[0])
        await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})
        row = await house.ledger.reader.schedules.get(schedule.id)
        assert row is not None
        assert (row.next_due, row.state) == (due, "active")
    house.run()
    await house.heard("run.succeeded", schedule_id=shot.id)
    assert 2 in [n for _, _, n in house.hands.calls]


async def test_what_is_over_can_be_renamed_and_stays_over(build: Build) -> None:
    house = await build()
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    await house.heard("run.succeeded", schedule_id=shot.id)
    house.clock.move(3600)
    after = await house.client.patch_schedule(shot.id, {"name": "that was it"})
    assert (after.state, after.name, after.next_fire_times) == ("done", "that was it", ())


async def test_what_is_over_lives_again_with_a_new_time(build: Build) -> None:
    house = await build()
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    await house.heard("run.succeeded", schedule_id=shot.id)
    again = await house.client.patch_schedule(shot.id, {"trigger": {"type": "date", "at": house.clock.in_s(0.05)}})
    assert again.state == "active"
    await house.heard("run.succeeded", count=2, schedule_id=shot.id)


async def test_the_time_that_has_fired_is_not_fired_again_when_it_is_sent_again(build: Build) -> None:
    house = await build()
    at = house.clock.in_s(0.05)
    shot = await house.schedule(DateTrigger(at=at))
    await house.heard("run.succeeded", schedule_id=shot.id)
    with pytest.raises(Invalid, match="past"):
        await house.client.patch_schedule(shot.id, {"trigger": {"type": "date", "at": at, "timezone": "UTC"}})


async def test_a_changed_interval_keeps_its_anchor(house: House) -> None:
    schedule = await house.schedule(IntervalTrigger(every="PT10M"))
    anchor = parse(schedule.next_fire_times[0]) - 600_000_000
    house.clock.move(125 * 60)
    after = await house.client.patch_schedule(schedule.id, {"trigger": {"type": "interval", "every": "PT1H"}})
    assert (parse(after.next_fire_times[0]) - anchor) % 3_600_000_000 == 0


async def test_a_new_zone_moves_a_rule_that_was_read_from_words(house: House) -> None:
    berlin = await house.schedule(TextTrigger(text="every day at 9"), timezone="Europe/Berlin")
    assert berlin.next_fire_times[0].endswith("T09:00:00+01:00")
    tokyo = await house.client.patch_schedule(berlin.id, {"timezone": "Asia/Tokyo"})
    assert tokyo.timezone == "Asia/Tokyo"
    assert tokyo.next_fire_times[0].endswith("T09:00:00+09:00")


async def test_a_new_rule_brings_its_own_bounds_and_counts_anew(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(IntervalTrigger(every="PT1H", start=house.clock.in_s(0.05)), count=2)
    await house.heard("run.succeeded", schedule_id=schedule.id)
    start = house.clock.in_s(60)
    changes = {"trigger": {"type": "interval", "every": "PT1M", "start": start}, "count": 1}
    after = await house.client.patch_schedule(schedule.id, changes)
    assert (after.count, len(after.next_fire_times)) == (1, 1)
    free = await house.client.patch_schedule(schedule.id, {"trigger": {"type": "interval", "every": "PT2M"}})
    assert (free.count, free.until, len(free.next_fire_times)) == (None, None, 5)


async def test_a_count_that_is_used_up_already_is_refused(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(IntervalTrigger(every="PT1S", start=house.clock.in_s(0.05)))
    await house.heard("run.created", schedule_id=schedule.id)
    with pytest.raises(Invalid, match="due already"):
        await house.client.patch_schedule(schedule.id, {"count": 1})


async def test_a_paused_schedule_stays_paused_when_it_is_edited(house: House) -> None:
    schedule = await house.client.pause_schedule((await hourly(house)).id, note="holidays")
    after = await house.client.patch_schedule(schedule.id, {"trigger": {"type": "cron", "expression": "5 * * * *"}})
    assert (after.state, after.note, after.next_fire_times) == ("paused", "holidays", ())
    resumed = await house.client.resume_schedule(schedule.id)
    assert ":05:00" in resumed.next_fire_times[0]


async def test_a_revision_that_is_not_the_present_one_changes_nothing(house: House) -> None:
    schedule = await hourly(house)
    await house.client.patch_schedule(schedule.id, {"name": "a"}, revision=1)
    with pytest.raises(RevisionMismatch, match="revision 2, not 1"):
        await house.client.patch_schedule(schedule.id, {"name": "b"}, revision=1)
    with pytest.raises(RevisionMismatch):
        await house.client.delete_schedule(schedule.id, revision=1)
    assert (await house.client.get_schedule(schedule.id)).name == "a"


# ── pause and resume ───────────────────────────────────────────────────────────────────────────────────────────


async def test_pausing_cancels_what_waits_and_has_not_begun(house: House) -> None:
    schedule = await hourly(house)
    run = await house.client.run_schedule(schedule.id)
    paused = await house.client.pause_schedule(schedule.id, note="quiet")
    assert (paused.state, paused.note, paused.next_fire_times) == ("paused", "quiet", ())
    assert (await house.client.get_run(run.id)).state is RunState.CANCELLED
    assert len(house.engine.room) == 0
    assert (await house.client.retry_run(run.id)).state is RunState.WAITING


@pytest.mark.parametrize("until", ["2026-03-03T15:00:00+01:00", "in 2 hours", "today at 15:00"])
async def test_a_pause_ends_at_a_moment_said_as_an_instant_or_in_words(house: House, until: str) -> None:
    schedule = await hourly(house)
    paused = await house.client.pause_schedule(schedule.id, until=until)
    assert paused.paused_until is not None
    assert abs(parse(paused.paused_until) - parse("2026-03-03T15:00:00+01:00")) < 5_000_000


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "yesterday", "every day at 9", "blue", ""])
async def test_a_pause_that_would_end_in_the_past_or_never_is_refused(house: House, until: str) -> None:
    schedule = await hourly(house)
    with pytest.raises(Invalid) as refusal:
        await house.client.pause_schedule(schedule.id, until=until)
    assert refusal.value.errors[0].field == "until"
    assert (await house.client.get_schedule(schedule.id)).state == "active"


async def test_resuming_goes_on_from_now(house: House) -> None:
    schedule = await hourly(house)
    await house.client.pause_schedule(schedule.id)
    house.clock.move(10 * 3600)
    resumed = await house.client.resume_schedule(schedule.id)
    assert parse(resumed.next_fire_times[0]) > house.clock.now()
    assert await house.runs(schedule.id) == []


async def test_resuming_what_has_nothing_left_is_refused_and_nothing_vanishes(house: House) -> None:
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(60)), name="tea")
    await house.client.pause_schedule(schedule.id)
    house.clock.move(120)
    with pytest.raises(Conflict, match="passed while it was paused"):
        await house.client.resume_schedule(schedule.id)
    still = await house.client.get_schedule(schedule.id)
    assert (still.state, still.name) == ("paused", "tea")
    assert (await house.client.run_schedule(schedule.id)).state is RunState.WAITING
    await house.client.patch_schedule(schedule.id, {"trigger": {"type": "date", "at": house.clock.in_s(60)}})
    assert (await house.client.resume_schedule(schedule.id)).state == "active"


async def test_a_schedule_whose_rule_is_broken_says_so_wherever_it_is_met(house: House) -> None:
    schedule = await hourly(house, name="broken")
    await rewrite(house, schedule.id, trigger='{"type":"cron","expression":"0 * * * *","timezone":"Gone/Away"}')
    shown = await house.client.get_schedule(schedule.id)
    assert "cannot be followed any more" in shown.notes[0]
    assert len((await house.client.list_schedules(guild_id="1")).items) == 1
    with pytest.raises(Invalid, match="Gone/Away"):
        await house.client.preview_schedule(schedule.id)
    await house.client.pause_schedule(schedule.id)
    with pytest.raises(Conflict, match="Gone/Away"):
        await house.client.resume_schedule(schedule.id)
    mended = await house.client.patch_schedule(schedule.id, {"trigger": {"type": "cron", "expression": "5 * * * *"}})
    assert mended.state == "paused"


async def test_a_blocked_schedule_is_resumed_with_one_press_and_not_run_before(build: Build) -> None:
    from schedule_zero.errors import Reject

    house = await build()

    async def deed(ctx: Any, n: int) -> Any:
        raise Reject("gone")

    house.hands.deed = deed
    schedule = await house.schedule(CronTrigger(expression="0 * * * *"), policy={"failure_threshold": 1})
    await house.client.run_schedule(schedule.id)
    await house.heard("schedule.blocked", schedule_id=schedule.id)
    with pytest.raises(Conflict, match="resume it first"):
        await house.client.run_schedule(schedule.id)
    with pytest.raises(Conflict, match="blocked"):
        await house.client.pause_schedule(schedule.id)
    resumed = await house.client.resume_schedule(schedule.id)
    assert (resumed.state, resumed.note) == ("active", None)
    row = await house.ledger.reader.schedules.get(schedule.id)
    assert row is not None
    assert row.failures == 0


# ── delete ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deleted_schedule_is_still_shown_fires_no_more_and_frees_its_name(build: Build) -> None:
    house = await build()
    house.hands.set_available(False)
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(0)), name="a")
    await house.heard("run.created", schedule_id=schedule.id)
    live = await hourly(house, name="b")
    waiting = await house.client.run_schedule(live.id)
    deleted = await house.client.delete_schedule(live.id)
    assert (deleted.state, deleted.next_fire_times) == ("deleted", ())
    assert (await house.client.get_run(waiting.id)).state is RunState.CANCELLED
    assert (await house.client.get_schedule(live.id)).state == "deleted"
    assert live.id not in {item.id for item in (await house.client.list_schedules(guild_id="1")).items}
    await hourly(house, name="b")
    for change in (
        house.client.delete_schedule(live.id), house.client.pause_schedule(live.id),
        house.client.patch_schedule(live.id, {"name": "c"}), house.client.run_schedule(live.id),
    ):  # fmt: skip
        with pytest.raises(Conflict, match="deleted"):
            await change


# ── undo ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_undo_of_a_creation_deletes_it_with_what_waits(house: House) -> None:
    schedule = await hourly(house)
    run = await house.client.run_schedule(schedule.id)
    gone = await house.client.undo(token(schedule))
    assert gone.state == "deleted"
    assert (await house.client.get_run(run.id)).state is RunState.CANCELLED
    assert len(house.engine.room) == 0


async def test_undo_of_an_edit_brings_the_old_definition_back_under_a_new_revision(house: House) -> None:
    before = await hourly(house, name="a", args={"n": 1})
    edited = await house.client.patch_schedule(
        before.id, {"name": "b", "args": {"n": 2}, "trigger": {"type": "cron", "expression": "30 * * * *"}}
    )
    after = await house.client.undo(token(edited))
    assert (after.name, after.args, after.trigger, after.revision) == ("a", {"n": 1}, before.trigger, 3)
    assert after.next_fire_times == before.next_fire_times
    again = await house.client.undo(token(after))
    assert (again.name, again.args) == ("b", {"n": 2})


@pytest.mark.parametrize("change", ["pause", "delete"])
async def test_undo_of_pause_and_delete_lets_it_go_on(house: House, change: str) -> None:
    schedule = await hourly(house)
    changed = await (house.client.pause_schedule if change == "pause" else house.client.delete_schedule)(schedule.id)
    back = await house.client.undo(token(changed))
    assert (back.state, back.next_fire_times) == ("active", schedule.next_fire_times)


async def test_undo_of_resume_pauses_again(house: House) -> None:
    schedule = await hourly(house)
    await house.client.pause_schedule(schedule.id, until="in 2 hours", note="quiet")
    resumed = await house.client.resume_schedule(schedule.id)
    run = await house.client.run_schedule(schedule.id)
    back = await house.client.undo(token(resumed))
    assert (back.state, back.note) == ("paused", "quiet")
    assert back.paused_until is not None
    assert (await house.client.get_run(run.id)).state is RunState.CANCELLED


async def test_undo_after_it_fired_meanwhile_does_not_fire_it_again(build: Build) -> None:
    house = await build()
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(0.2)), args={"n": 1})
    edited = await house.client.patch_schedule(shot.id, {"args": {"n": 2}})
    await house.heard("run.succeeded", schedule_id=shot.id)
    back = await house.client.undo(token(edited))
    assert (back.state, back.args, back.next_fire_times) == ("done", {"n": 1}, ())
    series = await house.schedule(IntervalTrigger(every="PT1H", start=house.clock.in_s(0.2)))
    edited = await house.client.patch_schedule(series.id, {"args": {"n": 2}})
    await house.heard("run.succeeded", schedule_id=series.id)
    back = await house.client.undo(token(edited))
    assert back.next_fire_times == series.next_fire_times[1:] + back.next_fire_times[-1:]
    assert len(house.hands.calls) == 2


@pytest.mark.parametrize("change", ["pause", "delete", "move"])
async def test_undo_of_a_one_shot_whose_time_came_meanwhile_fires_it_late(build: Build, change: str) -> None:
    house = await build()
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(60)))
    if change == "move":
        later = {"trigger": {"type": "date", "at": house.clock.in_s(7200)}}
        changed = await house.client.patch_schedule(shot.id, later)
    else:
        changed = await (house.client.pause_schedule if change == "pause" else house.client.delete_schedule)(shot.id)
    house.clock.move(300)
    back = await house.client.undo(token(changed))
    assert back.state == "active"
    await house.heard("run.succeeded", schedule_id=shot.id)
    ctx = await house.hands.begun.get()
    assert 230 < ctx.late_by / 1e6 < 260
    assert (await house.client.get_schedule(shot.id)).state == "done"


async def test_an_undo_token_works_once_and_for_15_minutes(house: House) -> None:
    paused = await house.client.pause_schedule((await hourly(house)).id)
    await house.client.undo(token(paused))
    with pytest.raises(Gone, match="15 minutes"):
        await house.client.undo(token(paused))
    again = await house.client.pause_schedule(paused.id)
    house.clock.move(15 * 60 + 1)
    with pytest.raises(Gone):
        await house.client.undo(token(again))
    with pytest.raises(Gone):
        await house.client.undo("und_never")


async def test_an_older_change_cannot_be_undone_before_a_newer_one(house: House) -> None:
    first = await house.client.patch_schedule((await hourly(house)).id, {"name": "a"})
    second = await house.client.patch_schedule(first.id, {"name": "b"})
    with pytest.raises(Conflict, match="newer change first"):
        await house.client.undo(token(first))
    await house.client.undo(token(second))


async def test_undo_cannot_take_a_name_that_is_another_ones_now(house: House) -> None:
    deleted = await house.client.delete_schedule((await hourly(house, name="a")).id)
    await hourly(house, name="a")
    with pytest.raises(Conflict, match="'a'"):
        await house.client.undo(token(deleted))
    assert (await house.client.get_schedule(deleted.id)).state == "deleted"


async def test_undo_is_no_way_to_more_schedules_than_the_plan_allows(build: Build) -> None:
    house = await build(run=False, governor=GovernorSettings(plans={"small": Plan(schedules=1)}, default_plan="small"))
    deleted = await house.client.delete_schedule((await hourly(house)).id)
    await hourly(house)
    with pytest.raises(QuotaExceeded, match="1 schedules"):
        await house.client.undo(token(deleted))


async def test_reviving_what_is_over_is_no_way_either(build: Build) -> None:
    house = await build(governor=GovernorSettings(plans={"small": Plan(schedules=1)}, default_plan="small"))
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    await house.heard("run.succeeded", schedule_id=shot.id)
    await hourly(house)
    with pytest.raises(QuotaExceeded):
        await house.client.patch_schedule(shot.id, {"trigger": {"type": "date", "at": house.clock.in_s(60)}})


async def test_what_does_not_exist_is_not_found(house: House) -> None:
    for asking in (
        house.client.get_schedule("sch_x"), house.client.patch_schedule("sch_x", {}), house.client.get_run("run_x"),
        house.client.cancel_run("run_x"), house.client.delete_schedule("sch_x"), house.client.run_schedule("sch_x"),
    ):  # fmt: skip
        with pytest.raises(NotFound, match="_x"):
            await asking

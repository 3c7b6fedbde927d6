"""Patch, pause, resume, delete: what a change does, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from schedule_zero.errors import Conflict, Invalid, RevisionMismatch
from schedule_zero.instant import SECOND, parse
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, TextTrigger
from tests.engine.house import House

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
        ({"args": "text"}, "args", "has to be a mapping"),
        ({"args": {"n": "many"}}, "args.n", "a whole number"),
        ({"policy": "fast"}, "policy", "has to be a mapping"),
        ({"policy": {"overlap": "never"}}, "policy.overlap", "has to be one of"),
        ({"policy": {"timeout": "soon"}}, "policy.timeout", "not a duration"),
        ({"policy": {"retry": {"delays": ["PT1S", "x"]}}}, "policy.retry.delays.1", "not a duration"),
        ({"policy": {"timeout": "PT25H"}}, "policy.timeout", "at most PT24H"),
        (
            {"policy": {"retry": {"retry_on": ["two words"]}}},
            "policy.retry.retry_on[0]",
            "one word, such as lost or ValueError",
        ),
        ({"policy": {"retry": {"never_on": ["404"]}}}, "policy.retry.never_on[0]", "one word"),
        ({"policy": {"retry": {"never_on": ["x"] * 51}}}, "policy.retry.never_on", "at most 50 words"),
        ({"policy": {"retry": {"never_on": "lost"}}}, "policy.retry.never_on", "a list"),
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


async def test_a_changed_end_leaves_due_what_is_pending_and_a_new_time_does_not(house: House) -> None:
    """The tick is behind; what was due before the edit is due by the new rule too, or else by none."""
    series = await house.schedule(IntervalTrigger(every="PT10S", start=house.clock.in_s(5)))
    due = parse(series.next_fire_times[0])
    house.clock.move(32)
    ended = await house.client.patch_schedule(series.id, {"until": house.clock.in_s(600)})
    row = await house.ledger.reader.schedules.get(ended.id)
    assert row is not None
    assert row.next_due == due
    moved = await house.client.patch_schedule(
        series.id, {"trigger": {"type": "interval", "every": "PT10S", "start": house.clock.in_s(2)}}
    )
    assert parse(moved.next_fire_times[0]) > house.clock.now()


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


async def test_a_one_shot_that_is_pushed_back_in_time_never_fires_and_one_that_is_not_fires_once(build: Build) -> None:
    """A dead man's switch, as the page of the handler ``http_check`` shows it."""
    house = await build()
    beat = {"trigger": {"type": "text", "text": "in 1 hour"}}
    switch = await house.schedule(TextTrigger(text="in 1 hour"))
    for _ in range(3):
        house.clock.move(3000)
        pushed = await house.client.patch_schedule(switch.id, beat)
        assert parse(pushed.next_fire_times[0]) > house.clock.now() + 3500 * SECOND
    assert await house.runs(switch.id) == []
    house.clock.move(3601)
    await house.heard("run.succeeded", schedule_id=switch.id)
    assert [run.state for run in await house.runs(switch.id)] == [RunState.SUCCEEDED]
    again = await house.client.patch_schedule(switch.id, beat)
    assert (again.state, len(again.next_fire_times)) == ("active", 1)


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


async def test_a_change_that_comes_to_nothing_leaves_no_trace(house: House) -> None:
    made = await hourly(house, name="a", policy={"catchup": "skip"})
    events = len((await house.client.list_events()).items)
    same = await house.client.patch_schedule(made.id, {"name": "a", "policy": {"catchup": "skip"}}, revision=1)
    assert (same.revision, same.undo, same.next_fire_times) == (1, None, made.next_fire_times)
    paused = await house.client.pause_schedule(made.id, note="quiet")
    again = await house.client.pause_schedule(made.id, note="quiet")
    assert (paused.revision, again.revision, again.undo, again.state) == (2, 2, None, "paused")
    other = await house.client.pause_schedule(made.id, until="tomorrow at 9")
    assert (other.revision, other.undo is not None) == (3, True)
    assert len((await house.client.list_events()).items) == events + 2


# ── pause and resume ───────────────────────────────────────────────────────────────────────────────────────────


async def test_pausing_cancels_what_waits_and_has_not_begun(house: House) -> None:
    schedule = await hourly(house)
    run = await house.client.run_schedule(schedule.id)
    paused = await house.client.pause_schedule(schedule.id, note="quiet")
    assert (paused.state, paused.note, paused.next_fire_times) == ("paused", "quiet", ())
    assert (await house.client.get_run(run.id)).state is RunState.CANCELLED
    assert len(house.engine.room) == 0
    assert (await house.client.retry_run(run.id)).state is RunState.WAITING


@pytest.mark.parametrize("change", ["pause", "delete"])
async def test_who_pauses_or_deletes_is_told_how_many_waiting_runs_that_cancels_for_good(
    house: House, change: str
) -> None:
    schedule = await hourly(house, policy={"overlap": "allow"})
    stop = house.client.pause_schedule if change == "pause" else house.client.delete_schedule
    quiet = await stop(schedule.id)
    assert [each for each in quiet.notes if "cancelled" in each] == []
    assert quiet.undo is not None
    await house.client.undo(quiet.undo.token)
    for count, said in ((1, "a run that waited was cancelled, and Undo does not bring it back"),
                        (2, "2 runs that waited were cancelled, and Undo brings none of them back")):  # fmt: skip
        runs = [await house.client.run_schedule(schedule.id) for _ in range(count)]
        stopped = await stop(schedule.id)
        assert said in stopped.notes
        assert stopped.undo is not None
        back = await house.client.undo(stopped.undo.token)
        assert (back.state, said in back.notes) == ("active", False)
        for run in runs:
            assert (await house.client.get_run(run.id)).state is RunState.CANCELLED


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
    await house.rewrite(schedule.id, trigger='{"type":"cron","expression":"0 * * * *","timezone":"Gone/Away"}')
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

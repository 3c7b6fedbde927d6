"""Times through the service: both fields of a command, and what a day means that a month lacks."""

from __future__ import annotations

import msgspec
import pytest

from schedule_zero.errors import Invalid
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger, TextTrigger, Trigger
from tests.engine.house import House

# ── when and repeat ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("repeat", "words"),
    [
        ("15m", "every 15 minutes, starting"),
        ("2h", "every 2 hours, starting"),
        ("monday", "every Monday at 17:30, starting"),
        ("weekly", "every Wednesday at 17:30, starting"),
    ],
)
async def test_repeat_is_read_as_a_repetition(house: House, repeat: str, words: str) -> None:
    view = await house.client.read_time("tomorrow 17:30", repeat)
    assert view.recurring
    assert view.words.startswith(words)


async def test_repeat_alone_is_a_rule_from_now_on(house: House) -> None:
    assert (await house.client.read_time("", "15m")).words == "every 15 minutes"
    assert (await house.client.read_time(" ", "monday at 9")).words == "every Monday at 09:00"
    assert (await house.client.read_time("in 15 minutes", "")).recurring is False


@pytest.mark.parametrize(
    ("when", "repeat", "field"), [("", None, "when"), ("soonish", "15m", "when"), ("", "9", "repeat")]
)
async def test_a_refusal_names_the_field(house: House, when: str, repeat: str | None, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await house.client.read_time(when, repeat)
    assert refusal.value.errors[0].field == field


@pytest.mark.parametrize(
    ("when", "repeat", "offers"),
    [
        ("friday 18:00", "every 3rd friday", 2),  # repeat alone is unclear
        ("friday 18:00", "every day at 9", 2),  # both together are
        ("every day at 8", "15m", 2),  # and here they exclude each other
    ],
)
async def test_what_is_offered_instead_means_the_same_when_it_is_pressed(
    house: House, when: str, repeat: str, offers: int
) -> None:
    """A reading is pressed in place of both fields, so its text holds the start too, and is read as ``when``."""
    with pytest.raises(Invalid) as refusal:
        await house.client.read_time(when, repeat)
    assert len(refusal.value.readings) == offers
    for reading in refusal.value.readings:
        pressed = await house.client.read_time(reading.text)
        assert reading.next is not None
        assert pressed.fires[0].at[:19] == reading.next[:19]
        if when == "friday 18:00":
            assert pressed.start is not None


@pytest.mark.parametrize(
    ("when", "at"),
    [
        ("2020-05-01 10:00", "2020-05-01T10:00:00+02:00"),
        ("5 may 2020", "2020-05-05T09:00:00+02:00"),
        ("2020-05-01T10:00:00Z", "2020-05-01T12:00:00+02:00"),
        ("<t:1588320000>", "2020-05-01T10:00:00+02:00"),
        ("now", "2026-03-03T13:00:00+01:00"),
        ("2030-05-01 10:00", "2030-05-01T10:00:00+02:00"),
        ("tomorrow at 9", "2026-03-04T09:00:00+01:00"),
    ],
)
async def test_a_moment_that_is_over_is_read_where_it_may_be(house: House, when: str, at: str) -> None:
    view = await house.client.read_time(when, timezone="Europe/Berlin", past=True)
    assert [fire.local for fire in view.fires] == [at]


@pytest.mark.parametrize("when", ["today at 8", "yesterday", "2 hours ago"])
async def test_what_means_another_moment_tomorrow_is_refused_as_over(house: House, when: str) -> None:
    with pytest.raises(Invalid, match="ago"):
        await house.client.read_time(when, timezone="Europe/Berlin", past=True)


async def test_a_moment_that_is_over_stays_refused_where_nobody_says_it_may_be(house: House) -> None:
    with pytest.raises(Invalid, match="days ago"):
        await house.client.read_time("2020-05-01 10:00")


async def test_while_typing_a_misspelling_is_put_right(house: House) -> None:
    found = await house.client.suggest_times("when", "tommorow at 9")
    assert [(item.name, item.value) for item in found.items] == [
        ("did you mean tomorrow at 9? Wednesday 4 March 2026 at 09:00", "tomorrow at 9")
    ]
    repeated = await house.client.suggest_times("repeat", "weeekday at 9")
    assert [item.value for item in repeated.items] == ["weekday at 9"]
    assert (await house.client.suggest_times("when", "foo")).items == ()


# ── month ends ─────────────────────────────────────────────────────────────────────────────────────────────────

FORMS: list[tuple[Trigger, str]] = [
    (TextTrigger(text="every month on the 31st at 9"), "clamp"),
    (TextTrigger(text="every day at 9"), "clamp"),
    (TextTrigger(text="0 9  31 * *"), "skip"),
    (TextTrigger(text="@monthly"), "skip"),
    (TextTrigger(text="rrule:FREQ=MONTHLY;BYMONTHDAY=31"), "skip"),
    (TextTrigger(text="FREQ=MONTHLY;BYMONTHDAY=31"), "skip"),
    (IntervalTrigger(every="P1M", start="2026-01-31T09:00:00"), "clamp"),
    (CronTrigger(expression="0 9 31 * *"), "skip"),
    (RRuleTrigger(rule="FREQ=MONTHLY", start="2026-01-31T09:00:00"), "skip"),
]


def spec(trigger: Trigger) -> ScheduleSpec:
    return ScheduleSpec(handler="hands", method="work", trigger=trigger, timezone="Europe/Berlin", guild_id="1")


@pytest.mark.parametrize(("trigger", "month_end"), FORMS)
async def test_every_door_means_the_same_by_a_day_that_a_month_lacks(
    house: House, trigger: Trigger, month_end: str
) -> None:
    saved = await house.client.create_schedule(spec(trigger))
    assert saved.policy.month_end == month_end
    assert (await house.client.get_schedule(saved.id)).policy.month_end == month_end
    shown = await house.client.preview(trigger, timezone="Europe/Berlin", n=5)
    again = await house.client.preview_schedule(saved.id, n=5)
    assert [fire.local for fire in shown.fires] == [fire.local for fire in again.fires] == list(saved.next_fire_times)
    if isinstance(trigger, TextTrigger):
        view = await house.client.read_time(trigger.text, timezone="Europe/Berlin")
        assert view.month_end == month_end
        assert [fire.local for fire in view.fires] == list(saved.next_fire_times)


@pytest.mark.parametrize(("trigger", "month_end"), FORMS)
async def test_a_new_rule_brings_its_own_month_end(house: House, trigger: Trigger, month_end: str) -> None:
    for before, _ in FORMS:
        saved = await house.client.create_schedule(spec(before))
        changed = await house.client.patch_schedule(saved.id, {"trigger": trigger})
        assert changed.policy.month_end == month_end, before


async def test_a_month_end_that_was_said_stays_with_the_schedule(house: House) -> None:
    cron = await house.client.create_schedule(spec(CronTrigger(expression="0 9 31 * *")))
    said = await house.client.patch_schedule(cron.id, {"policy": {"month_end": "clamp"}})
    later = await house.client.patch_schedule(said.id, {"trigger": {"type": "cron", "expression": "0 10 31 * *"}})
    assert later.policy.month_end == "clamp"
    words = await house.client.create_schedule(spec(TextTrigger(text="every day at 9")))
    named = await house.client.patch_schedule(words.id, {"name": "another"})
    assert named.policy == words.policy


async def test_a_month_end_of_null_is_the_triggers_own(house: House) -> None:
    for trigger, month_end in FORMS:
        made = spec(trigger)
        made.policy = {"month_end": None}
        assert (await house.client.create_schedule(made)).policy.month_end == month_end


async def test_a_hashed_minute_is_drawn_once_for_a_server_and_shown_before_it_is_saved(house: House) -> None:
    hashed = CronTrigger(expression="H H(1-5) * * *")
    shown = await house.client.preview(hashed, guild_id="1", n=5)
    saved = await house.schedule(hashed)
    assert isinstance(saved.trigger, CronTrigger)
    minute, hour, *_ = saved.trigger.expression.split()
    assert int(minute) in range(60)
    assert int(hour) in range(1, 6)
    assert shown.trigger == saved.trigger
    assert [fire.local for fire in shown.fires] == list(saved.next_fire_times)
    typed = await house.client.read_time("H H(1-5) * * *", guild_id="1")
    assert msgspec.structs.replace(typed.trigger, timezone=None) == saved.trigger
    others = {(await house.schedule(hashed, guild_id=str(guild))).words for guild in range(2, 12)}
    assert len(others) > 5
    with pytest.raises(Invalid, match="the range in 'H\\(5-99\\)'"):
        await house.schedule(CronTrigger(expression="H(5-99) * * * *"))

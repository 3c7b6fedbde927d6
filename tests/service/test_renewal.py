"""What is due after an update of the zones' data: people's times stay on the clock, whatever instant that is now."""

from __future__ import annotations

import zoneinfo
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from core.service import renewal
from core.zone_data import data_version, take_newest_zones
from schedule_zero.instant import HOUR, parse
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger
from tests.engine.house import House

Build = Callable[..., Awaitable[House]]


async def test_changes_of_tzdata_do_not_move_human_times(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await build(run=False)
    daily = await old.schedule(CronTrigger(expression="0 9 * * *"), timezone="Europe/Berlin")
    wall = await old.schedule(DateTrigger(at="2026-07-01T09:00"), timezone="Europe/Berlin")
    instant = await old.schedule(DateTrigger(at="2026-07-01T07:00:00Z"), timezone="Europe/Berlin")
    paced = await old.schedule(IntervalTrigger(every="PT2H"), timezone="Europe/Berlin")
    for made in (daily, wall):  # as they had been computed when the clocks were an hour off
        await old.rewrite(made.id, next_due=parse(made.next_fire_times[0]) + HOUR)
    await old.close()

    monkeypatch.setattr(renewal, "data_version", lambda: "2027z")
    new = await build()
    for made in (daily, wall, instant, paced):
        row = await new.ledger.reader.schedules.get(made.id)
        assert row is not None
        assert row.next_due == parse(made.next_fire_times[0])
    told = {event.schedule_id for event in await new.told("schedule.updated")}
    assert told == {daily.id, wall.id}


async def test_without_an_update_nothing_is_computed_anew(build: Build) -> None:
    old = await build(run=False)
    made = await old.schedule(CronTrigger(expression="0 9 * * *"), timezone="Europe/Berlin")
    await old.rewrite(made.id, next_due=parse(made.next_fire_times[0]) + HOUR)
    await old.close()
    new = await build()
    row = await new.ledger.reader.schedules.get(made.id)
    assert row is not None
    assert row.next_due == parse(made.next_fire_times[0]) + HOUR


async def test_what_is_due_already_stays_due(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await build(run=False)
    made = await old.schedule(CronTrigger(expression="0 9 * * *"), timezone="Europe/Berlin")
    behind = old.clock.now() - HOUR // 2
    await old.rewrite(made.id, next_due=behind)
    await old.close()
    monkeypatch.setattr(renewal, "data_version", lambda: "2027z")
    new = await build(run=False)
    row = await new.ledger.reader.schedules.get(made.id)
    assert row is not None
    assert row.next_due == behind


async def test_what_new_data_puts_behind_now_is_due_at_once(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await build(run=False)
    made = await old.schedule(CronTrigger(expression="30 12 * * *"))
    await old.rewrite(made.id, next_due=parse(made.next_fire_times[0]) + HOUR)
    await old.close()
    old.clock.move(45 * 60)
    monkeypatch.setattr(renewal, "data_version", lambda: "2027z")
    new = await build()
    run = await new.client.get_run((await new.heard("run.succeeded")).run_id or "")
    assert run.occurrence.startswith("t:2026-03-03T12:30")


async def test_what_fired_meanwhile_stays_fired(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another core works while this one starts: what it read before is not written over what the other did."""
    house = await build(run=False)
    made = await house.schedule(CronTrigger(expression="0 9 * * *"))
    await house.rewrite(made.id, next_due=parse(made.next_fire_times[0]) + HOUR)
    page = house.ledger.reader.schedules.page

    async def overtaken(*arguments: Any) -> Any:
        rows = await page(*arguments)
        await house.rewrite(made.id, fired=3, last_due=house.clock.now())
        return rows

    monkeypatch.setattr(house.ledger.reader.schedules, "page", overtaken)
    monkeypatch.setattr(renewal, "data_version", lambda: "2027z")
    await house.service.renewal.look()
    row = await house.ledger.reader.schedules.get(made.id)
    assert row is not None
    assert (row.fired, row.next_due) == (3, parse(made.next_fire_times[0]))


def test_the_installed_data_says_which_it_is() -> None:
    assert data_version() == data_version()
    assert "holidays" in data_version()


@pytest.mark.parametrize(
    ("system", "taken"), [("1999a", True), ("2999a", False), (None, False), ("written 1700000000", True)]
)
def test_the_newer_of_the_systems_zones_and_the_packages_is_read(
    tmp_path: Path, system: str | None, taken: bool
) -> None:
    folder = tmp_path / "zones"
    if system is not None:
        (folder / "Europe").mkdir(parents=True)
        (folder / "Europe" / "London").write_bytes(b"")
        if system[:1].isdigit():
            (folder / "tzdata.zi").write_text(f"# version {system}\nRule x\n")
    before = zoneinfo.TZPATH
    try:
        zoneinfo.reset_tzpath(to=[str(folder)])
        take_newest_zones()
        assert (zoneinfo.TZPATH == ()) is taken
    finally:
        zoneinfo.reset_tzpath(to=before)

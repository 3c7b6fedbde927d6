"""What calendars and hours may be called, and what is said of a name that is not there, or cannot go."""

from __future__ import annotations

import msgspec
import pytest

from schedule_zero.closings import CalendarDays, HoursWindows
from schedule_zero.errors import Conflict, Invalid, NotFound
from schedule_zero.trigger import CronTrigger
from tests.engine.house import House
from tests.service.people import ADMIN, MOD, as_, post

DAILY = CronTrigger(expression="0 9 * * *")


async def test_what_cannot_go_names_up_to_three_of_the_schedules_that_heed_it(house: House) -> None:
    admin, both = (
        as_(house, ADMIN),
        as_(house, msgspec.structs.replace(ADMIN, permissions=ADMIN.permissions | MOD.permissions)),
    )
    await admin.put_hours("1", "office", HoursWindows(windows=("MO-FR 08:00-17:00",)))
    made = [await post(house, MOD, trigger=DAILY, active_hours="office", name=name) for name in "abcd"]
    told = r"The hours office cannot go: 4 schedules heed it \('a', 'b', 'c', 1 more\)\. Change or delete those first\."
    with pytest.raises(Conflict, match=told):
        await both.delete_hours("1", "office")
    with pytest.raises(Conflict, match=r"4 schedules heed it\. Change"):
        await admin.delete_hours("1", "office")
    for each in made[1:]:
        await as_(house, MOD).delete_schedule(each.id)
    with pytest.raises(Conflict, match=r"1 schedule heeds it \('a'\)\."):
        await both.delete_hours("1", "office")
    assert (await admin.get_hours("1", "office")).used_by == 1


@pytest.mark.parametrize("name", ["none", " None "])
async def test_nothing_is_called_none_which_stands_for_nothing(house: House, name: str) -> None:
    admin = as_(house, ADMIN)
    with pytest.raises(Invalid, match="name: must not be 'none'"):
        await admin.put_calendar("1", name, CalendarDays(dates=("2026-03-05",)))
    with pytest.raises(Invalid, match="name: must not be 'none'"):
        await admin.put_hours("1", name, HoursWindows(windows=("MO-FR 08:00-17:00",)))


async def test_hours_that_are_not_there_are_several(house: House) -> None:
    with pytest.raises(NotFound, match="There are no hours 'nope' here; this server has none"):
        await as_(house, ADMIN).get_hours("1", "nope")

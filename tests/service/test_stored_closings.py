"""What servers keep closed is read from the store whatever stands there: one bad text costs at most itself."""

from __future__ import annotations

import msgspec

from core.ledger.port import Transaction
from schedule_zero.closings import CalendarDays, HoursWindows
from schedule_zero.trigger import CronTrigger
from tests.engine.house import House
from tests.service.people import ADMIN, MOD, as_, post

DAILY = CronTrigger(expression="0 9 * * *")
ICS = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260305\n"
    "SUMMARY:Re\x01tr\x7feat\0\nEND:VEVENT\nEND:VCALENDAR\n"
)


async def test_no_text_of_a_file_keeps_what_a_server_has_closed_from_being_read(house: House) -> None:
    admin = as_(house, ADMIN)
    view = await admin.put_calendar("1", "club", CalendarDays(ics=ICS))
    assert view.dates == ("2026-03-05 Retreat",)
    await house.close()
    await house.open()  # and so it is read anew
    assert (await as_(house, ADMIN).get_calendar("1", "club")).dates == view.dates


async def test_a_stored_text_that_cannot_be_read_costs_nothing_beside_it(house: House) -> None:
    admin = as_(house, ADMIN)
    await admin.put_calendar("1", "club", CalendarDays(dates=("2026-03-05 Retreat", "2026-03-07")))
    await admin.put_hours("1", "office", HoursWindows(windows=("MO-FR 09:00-17:00",)))
    made = await post(house, MOD, trigger=DAILY, calendar="club")

    async def spoil(tx: Transaction) -> None:
        kept = await tx.notes.get("closings", "1")
        assert kept is not None
        document = msgspec.json.decode(kept)
        document["calendars"]["club"]["dates"][0] += "\x7f"
        document["calendars"]["odd"] = {"dates": ["whenever"], "country": "XX"}
        document["calendars"]["other"] = {"dates": 3}
        document["hours"]["worse"] = {"windows": ["\x01"]}
        await tx.notes.put("closings", {"1": msgspec.json.encode(document).decode()})
        row = (await tx.schedules.get_many([made.id]))[made.id]
        assert row.calendar is not None
        row.calendar = row.calendar.replace("Retreat", "Retreat\x7f")
        await tx.schedules.renew([row])

    await house.ledger.write(spoil)
    await house.close()
    await house.open()  # and so it is read anew
    assert [(each.name, each.dates) for each in (await as_(house, ADMIN).list_calendars("1")).items] == [
        ("club", ("2026-03-05 Retreat", "2026-03-07")), ("odd", ("whenever",)),
    ]  # fmt: skip
    assert [each.name for each in (await as_(house, ADMIN).list_hours("1")).items] == ["office"]
    assert [at[5:10] for at in (await as_(house, MOD).get_schedule(made.id)).next_fire_times][:2] == ["03-04", "03-06"]
    assert (await as_(house, ADMIN).put_calendar("1", "club", CalendarDays(dates=("2026-03-06",)))).used_by == 1

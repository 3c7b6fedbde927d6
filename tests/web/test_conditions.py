"""``If-Match`` over the bare wire, on a real core."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from core.ledger.settings import StoreSettings
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger
from tests.contract.place import TOKEN, Place

DAILY = TextTrigger(text="every day at 9", timezone="Europe/Berlin")


async def test_412_and_404_over_the_bare_wire(tmp_path: Path) -> None:
    place = Place(tmp_path, StoreSettings(url="memory"))
    await place.start()
    made = await place.app.client.create_schedule(ScheduleSpec(handler="echo", method="echo", trigger=DAILY))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(place.address("http"), headers=headers) as http:
        for path, tag, status in (
            (made.id, "99", 412),
            (made.id, "abc", 412),
            ("sch_none", '"1"', 404),
            (made.id, '"1"', 200),
        ):
            async with http.delete(f"/api/v1/schedules/{path}", headers={"If-Match": tag}) as answer:
                said = await answer.text()
                assert answer.status == status, said
                assert ("What was sent is no revision; the schedule is at revision 1" in said) == (tag == "abc")
    await place.stop()

"""A kill while a request is under way: what was answered is there, and repeating with the key does it once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from schedule_zero import instant
from schedule_zero.errors import Unavailable
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import DateTrigger
from tests.process.conftest import FIGURES
from tests.process.house import House
from tests.process.latch import Latch
from tests.process.remains import copy_of, read_remains

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(180)]

KILLS = 3


async def test_a_request_cut_off_by_a_kill_is_done_once_when_it_is_repeated_with_its_key(
    house: House, tmp_path: Path, random: Random, record_property: Callable[[str, object], None]
) -> None:
    trigger = DateTrigger(at=instant.spell(house.now() + 24 * instant.HOUR))
    committed = 0
    await house.start(connected=False)
    for number in range(KILLS):
        spec = ScheduleSpec(handler="echo", method="echo", name=f"tea-{number}", trigger=trigger)
        async with contextlib.AsyncExitStack() as held:
            if number == 0:  # whatever the others meet: here nothing can be committed
                await held.enter_async_context(Latch(house.database))
            asked = asyncio.create_task(house.core.create_schedule(spec, idempotency_key=f"key-{number}"))
            await asyncio.sleep(random.uniform(0, 0.03))
            house.life.kill()
            await house.life.end()
        (answer,) = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(answer, Schedule | Unavailable)
        on_disk = set(read_remains(copy_of(house.database, tmp_path / f"copy-{number}")).due)
        committed += len(on_disk) - number

        await house.start(connected=False)
        again = await house.core.create_schedule(spec, idempotency_key=f"key-{number}")
        if isinstance(answer, Schedule):
            assert (again.id, again.id in on_disk) == (answer.id, True)
        page = await house.core.list_schedules(any_guild=True)
        assert len(page.items) == number + 1
        assert again.id in {schedule.id for schedule in page.items}
    record_property(
        FIGURES, f"requests: {KILLS} killed under way, {committed} of them after their commit; all done once"
    )

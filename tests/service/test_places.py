"""Where a request is asked, of who is a member of many guilds."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec
import pytest

from core.service.places import OF_A_RUN, OF_A_SCHEDULE, Places
from schedule_zero import requests as ask
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import DateTrigger
from tests.engine.house import House

# Asked in no guild: they are about a person, about the whole service, or about everybody alike.
ANYWHERE: Final = {
    ask.SuggestZones, ask.SuggestCountries, ask.GetUserTimezone, ask.PutUserTimezone, ask.RevokeKey, ask.RotateKey,
    ask.NewSignIn, ask.ListHandlers, ask.GetHandler, ask.DrainHandler, ask.ResumeHandler, ask.GetStatus, ask.GetLag,
    ask.GetQueue, ask.ListGuilds, ask.ListPresentGuilds, ask.EraseUser, ask.GetUpkeep, ask.BanUser, ask.UnbanUser, ask.ListBans, ask.DrainCore, ask.ResumeCore, ask.SetMaintenance,
}  # fmt: skip
BY_ITSELF: Final = {ask.CreateSchedule, ask.CreateSchedules, ask.Undo, ask.GetAudit, ask.RevertAudit}
NAMES_IT: Final = {kind for kind in get_args(ask.Request) if "guild_id" in kind.__struct_fields__}


def test_of_every_request_it_is_known_how_its_guild_is_found() -> None:
    ways = (NAMES_IT, set(OF_A_RUN), set(OF_A_SCHEDULE) - NAMES_IT, ANYWHERE, BY_ITSELF)
    assert set().union(*ways) == set(get_args(ask.Request))
    assert sum(map(len, ways)) == len(get_args(ask.Request)), "one way each"
    for kind, field in (*OF_A_RUN.items(), *OF_A_SCHEDULE.items()):
        assert field in {each.name for each in msgspec.structs.fields(kind)}


@pytest.mark.parametrize("kind", [*OF_A_RUN, *OF_A_SCHEDULE], ids=lambda kind: kind.__name__)
async def test_what_is_about_a_schedule_or_a_run_is_asked_in_its_guild(
    house: House, kind: type[msgspec.Struct]
) -> None:
    run = await house.run_now(await house.schedule(guild_id="7"))
    places = Places(house.service._desk)
    field, id = (OF_A_RUN[kind], run.id) if kind in OF_A_RUN else (OF_A_SCHEDULE[kind], run.schedule_id)
    further = {"to": "tomorrow", "after": "sch_x", "changes": {}}
    fields: dict[str, Any] = {name: further[name] for name in further if name in kind.__struct_fields__}
    made = kind(**fields | {field: id})
    assert await places.of(made) == "7"  # type: ignore[arg-type]
    assert await places.of(kind(**fields | {field: "nothing"})) is None  # type: ignore[arg-type]


async def test_what_makes_schedules_and_what_takes_a_change_back_is_asked_where_they_are(house: House) -> None:
    places = Places(house.service._desk)
    spec = ScheduleSpec(handler="hands", method="work", trigger=DateTrigger(at=house.clock.in_s(9)), guild_id="7")
    assert await places.of(ask.CreateSchedule(spec=spec)) == "7"
    assert (
        await places.of(ask.CreateSchedules(items=({}, {"guild_id": 3}, {"guild_id": "8"}, {"guild_id": "9"}))) == "8"
    )
    assert await places.of(ask.CreateSchedules(items=())) is None
    made = await house.schedule(guild_id="7")
    assert made.undo is not None
    assert await places.of(ask.Undo(token=made.undo.token)) == "7"
    assert await places.of(ask.Undo(token="und_x")) is None
    line = (await house.client.list_audit(guild_id="7")).items[0]
    assert await places.of(ask.RevertAudit(id=line.id)) == "7"
    assert await places.of(ask.GetAudit(id="x")) is None
    assert await places.of(ask.GetAudit(id="999999999")) is None
    assert await places.of(ask.ListRuns(schedule_id=made.id, guild_id="8")) == "8"

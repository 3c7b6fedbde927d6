"""Whatever anybody asks: no view and no change crosses guilds, or reaches other people's own."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDriver
from core.ledger.rows import ScheduleRow
from schedule_zero import requests as ask
from schedule_zero.actor import ADMINISTRATOR, MANAGE_GUILD, MANAGE_MESSAGES, Actor
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.schedule import Schedule
from tests.engine.house import HandClock, House
from tests.service import people
from tests.service.people import (
    as_,
    member,
    post,
    remind,
)

GUILDS = ("1", "2", None)
NAMES = ("anna", "ben", "mod")
actors = st.builds(
    member,
    st.sampled_from(NAMES),
    st.sampled_from(GUILDS),
    st.sampled_from([0, MANAGE_MESSAGES, MANAGE_GUILD, MANAGE_MESSAGES | MANAGE_GUILD, ADMINISTRATOR]),
)


def moderates(actor: Actor, row: ScheduleRow) -> bool:
    here = row.guild_id is not None and row.guild_id == actor.guild_id
    return here and actor.permissions & (MANAGE_MESSAGES | ADMINISTRATOR) != 0


def may_see(actor: Actor, row: ScheduleRow) -> bool:
    """The rule, said once more and independently."""
    return row.owner_id == actor.id or moderates(actor, row)


def may_run(actor: Actor, row: ScheduleRow) -> bool:
    return moderates(actor, row) or (row.owner_id == actor.id and row.method == "send_dm")


def every_request(ids: list[str], runs: list[str], tokens: list[str]) -> st.SearchStrategy[ask.Request]:
    id, run, token, guild = (
        st.sampled_from(ids),
        st.sampled_from(runs),
        st.sampled_from(tokens),
        st.sampled_from(GUILDS),
    )
    flag, owner = st.booleans(), st.sampled_from([None, *NAMES])
    return st.one_of(
        st.builds(ask.GetSchedule, id=id),
        st.builds(
            ask.ListSchedules, guild_id=guild, any_guild=flag, owner_id=owner, q=st.sampled_from([None, "secret"])
        ),
        st.builds(ask.PatchSchedule, id=id, changes=st.sampled_from([{"name": "taken over"}, {"metadata": {}}])),
        st.builds(ask.DeleteSchedule, id=id),
        st.builds(ask.PauseSchedule, id=id),
        st.builds(ask.ResumeSchedule, id=id),
        st.builds(ask.RunSchedule, id=id),
        st.builds(ask.PreviewSchedule, id=id),
        st.builds(ask.SuggestSchedules, text=st.sampled_from(["", "secret", *ids]), guild_id=guild, reminders=flag),
        st.builds(ask.Undo, token=token),
        st.builds(ask.ListRuns, guild_id=guild, any_guild=flag, schedule_id=st.one_of(st.none(), id)),
        st.builds(ask.GetRun, id=run),
        st.builds(ask.CancelRun, id=run),
        st.builds(ask.RetryRun, id=run),
        st.builds(ask.ListEvents, guild_id=guild),
    )


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data(), actor=actors)
def test_no_view_and_no_change_crosses_guilds_or_people(data: st.DataObject, actor: Actor) -> None:
    asyncio.run(_nothing_crosses(data, actor))


async def _ask(house: House, actor: Actor, request: ask.Request) -> str:
    try:
        return msgspec.json.encode(await as_(house, actor).send(request)).decode()
    except ScheduleZeroError as error:
        return error.sentence.partition("'")[0]  # a refusal quotes the id that was asked for


async def _nothing_crosses(data: st.DataObject, actor: Actor) -> None:
    house = House(lambda: StoredLedger(MemoryDriver()), HandClock())
    await house.open(run=False)
    house.engine.serve(people.Post())
    try:
        made: list[Schedule] = []
        for guild in ("1", "2"):
            made.append(await post(house, member("mod", guild, MANAGE_MESSAGES), f"secret-{len(made)}"))
            made.append(await remind(house, member("anna", guild), f"secret-{len(made)}"))
        for name in ("anna", "ben"):
            made.append(await remind(house, member(name, None), f"secret-{len(made)}"))
        runs = [(await house.client.run_schedule(schedule.id)).id for schedule in made]
        tokens = [schedule.undo.token for schedule in made if schedule.undo is not None]
        before = await house.ledger.reader.schedules.get_many([schedule.id for schedule in made])
        asked = data.draw(st.lists(every_request([each.id for each in made], runs, tokens), min_size=1, max_size=8))
        answer = "".join([await _ask(house, actor, request) for request in asked])
        after = await house.ledger.reader.schedules.get_many(list(before))
        alive = await house.ledger.reader.runs.get_many(runs)
        for number, schedule in enumerate(made):
            row = before[schedule.id]
            if not may_see(actor, row):
                assert f"secret-{number}" not in answer
                assert schedule.id not in answer
                assert after[schedule.id] == row
                assert alive[runs[number]].state == "waiting"
            if not may_run(actor, row):
                assert after[schedule.id].name == row.name
                assert len((await house.client.list_runs(schedule_id=schedule.id)).items) == 1
    finally:
        await house.kill()

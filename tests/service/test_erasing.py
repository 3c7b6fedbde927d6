"""What is erased is gone: not one text of it is left in any table, nor in the file, nor in its log."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.tables import metadata
from core.service import erasing
from core.service.errands import Errand
from schedule_zero import Context
from schedule_zero import requests as ask
from schedule_zero.actor import ADMINISTRATOR, MANAGE_MESSAGES, Actor
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.errors import Forbidden, Gone, NotFound, Reject
from schedule_zero.event import Event
from schedule_zero.instant import DAY
from schedule_zero.run import RunState
from schedule_zero.transport.curve import new_pair
from schedule_zero.trigger import CronTrigger, IntervalTrigger
from tests.engine.house import House, plan
from tests.service.people import OPERATOR, REMINDER, Post, as_, member, post, remind

Build = Callable[..., Awaitable[House]]
CANARY = "kanarienvogel"
ANNA, GUILD = "100000000000000001", "200000000000000002"
OWNER = Actor(kind="member", id="300000000000000003", guild_id=GUILD, permissions=ADMINISTRATOR, owner=True)
DAILY = CronTrigger(expression="0 9 * * *")


@pytest.fixture
def make_ledger(tmp_path: Path) -> Callable[[], StoredLedger]:
    """A file, whose bytes can be looked at."""
    return lambda: StoredLedger(FileDriver(tmp_path / "ledger.sqlite3", synchronous="normal"))


def places_of(folder: Path, *texts: str) -> list[str]:
    """Every table and column, and every file, in which one of these texts stands."""
    found = []
    database = sqlite3.connect(folder / "ledger.sqlite3")
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        for row in database.execute(f"SELECT * FROM {table}"):
            for column, value in zip(columns, row, strict=True):
                if any(text in str(value) for text in texts):
                    found.append(f"{table}.{column}: {value}")
    database.close()
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return found + [path.name for path in files if any(text.encode() in path.read_bytes() for text in texts)]


async def fill(house: House, guild_id: str, owner_id: str, canary: str = CANARY) -> list[str]:
    """Something of every kind that is kept of a guild; the ids of its schedules."""
    client, key = house.client, f"key {canary}"
    await client.note_guild(guild_id, f"Name {canary}")
    await client.put_calendar(guild_id, "off", CalendarDays(dates=(f"12-24 {canary}",)))
    await client.put_hours(guild_id, canary, HoursWindows(windows=("09:00-17:00",)))
    rest = NewBlackout(begin="in 300 days", end="in 301 days", reason=canary)
    await client.add_blackout(guild_id, rest)
    await client.change_guild_settings(guild_id, {"channels": {"log": canary}})
    await client.new_key(canary, "handler", guild_id=guild_id, public=new_pair().public)
    made = []
    for number in range(3):
        schedule = await house.schedule(
            DAILY, guild_id=guild_id, name=f"{canary} {number}", owner_id=owner_id, metadata={"note": canary},
            calendar="off",
        )  # fmt: skip
        made.append(schedule.id)
        await client.send(
            ask.PatchSchedule(
                id=schedule.id, changes={"name": f"{canary} as {number}"}, idempotency_key=key + str(number)
            )
        )
    house.hands.deed = _telling(canary)
    for id in made:
        run = await client.send(ask.RunSchedule(id=id, idempotency_key=f"run {id}"))
        assert (await house.ended(run.id)).state is not RunState.WAITING  # type: ignore[union-attr]
    house.fail_with(Reject(f"refused: {canary}"))
    failed = await client.run_schedule(made[0])
    await house.ended(failed.id)
    assert (await client.list_dead(guild_id=guild_id)).items
    await client.add_link(made[1], made[2])
    await client.pause_schedule(made[2], note=canary)
    await client.delete_schedule(made[2])
    return made


def _telling(canary: str) -> Callable[[Context, int], Awaitable[Any]]:
    async def deed(ctx: Context, n: int) -> Any:
        ctx.progress(0.5, canary)
        ctx.log(canary)
        return {"said": canary}

    return deed


# ── a guild ──


async def test_of_an_erased_guild_no_text_is_left_anywhere_and_others_keep_all(
    build: Build, tmp_path: Path, logged: list[Any]
) -> None:
    house = await build()
    await fill(house, GUILD, ANNA)
    theirs = await fill(house, "2", "ben", "sperling")
    before = await kept_of_others(house)
    assert places_of(tmp_path, CANARY)
    answer = await house.client.erase_guild(GUILD)
    assert (answer.kind, answer.id, answer.finished) == ("guild", GUILD, True)
    left = places_of(tmp_path, CANARY)
    assert left == []
    named = {place.partition(":")[0] for place in places_of(tmp_path, GUILD) if ":" in place}
    assert named <= {"notes.key", "audit.guild_id", "audit.target", "usage.scope"}, named
    assert CANARY not in str(logged)
    assert await kept_of_others(house) == before
    assert (await house.client.list_schedules(guild_id="2")).items[0].id == theirs[0]
    await house.close()
    assert places_of(tmp_path, CANARY) == []


async def kept_of_others(house: House) -> Any:
    """All that is kept of guild 2, as it is stored."""
    schedules = await house.client.list_schedules(guild_id="2")
    runs = await house.client.list_runs(guild_id="2")
    events = [event for event in await house.told() if event.guild_id == "2"]
    notes = {kind: (await house.ledger.reader.notes.all(kind)).get("2") for kind in ("guild", "closings")}
    return (
        schedules, runs, events, notes, await house.client.list_dead(guild_id="2"),
        await house.client.list_keys(guild_id="2"), [(await house.client.run_log(run.id)).items for run in runs.items],
    )  # fmt: skip


async def test_the_audit_keeps_one_line_of_it_without_content(build: Build, tmp_path: Path) -> None:
    house = await build()
    await fill(house, GUILD, ANNA)
    await house.client.erase_guild(GUILD)
    lines = audit_of(tmp_path)
    assert lines == [(GUILD, "operator:operator", "guild.erase", GUILD, None, None)]
    await as_(house, member(ANNA)).erase_user(ANNA)
    assert audit_of(tmp_path)[1:] == [(None, "user:erased", "user.erase", "user:erased", None, None)]


def audit_of(folder: Path) -> list[Any]:
    database = sqlite3.connect(folder / "ledger.sqlite3")
    rows = database.execute("SELECT guild_id, actor, action, target, before, after FROM audit ORDER BY id").fetchall()
    database.close()
    return rows


async def test_a_guild_that_is_there_goes_on_with_a_clean_slate(build: Build) -> None:
    house = await build()
    await house.client.note_guild(GUILD, "A")
    await fill(house, GUILD, ANNA)
    await house.client.change_guild_settings(GUILD, {"timezone": "Asia/Tokyo"})
    await house.client.erase_guild(GUILD)
    assert (await house.client.guild_settings(GUILD)).timezone == "UTC"
    assert (await house.client.list_calendars(GUILD)).items == ()
    assert (await house.client.list_schedules(guild_id=GUILD)).items == ()
    assert (await house.client.list_keys(guild_id=GUILD)).items == ()
    assert GUILD in (await house.client.present_guilds((int(GUILD) >> 22) % 4, 4)).items
    made = await house.schedule(guild_id=GUILD, name=f"{CANARY} 0")
    run = await house.run_now(made)
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_what_an_operator_decided_about_a_guild_outlives_its_data(build: Build) -> None:
    house = await build()
    await house.schedule(guild_id=GUILD)
    await house.client.suspend_guild(GUILD, why="spam")
    await as_(house, OWNER).erase_guild(GUILD)
    assert (await house.client.list_schedules(guild_id=GUILD)).items == ()
    assert (await house.client.get_guild(GUILD)).suspended is not None


async def test_lines_about_what_an_operator_decided_outlive_the_data_of_the_guild(build: Build, tmp_path: Path) -> None:
    house = await build()
    await fill(house, GUILD, ANNA)
    await house.client.suspend_guild(GUILD, why="abuse")
    await house.client.change_guild_quota(GUILD, {"running": 1})
    before = [line for line in audit_of(tmp_path) if line[2] in ("guild.suspend", "guild.quota")]
    assert [line[2] for line in before] == ["guild.suspend", "guild.quota"]
    assert "abuse" in before[0][5]
    await as_(house, OWNER).erase_guild(GUILD)
    assert [*before, (GUILD, "user:erased", "guild.erase", GUILD, None, None)] == audit_of(tmp_path)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
async def test_erasing_a_guild_gives_it_no_fresh_quota(build: Build, zone: str) -> None:
    """Nor does it where its days begin elsewhere: without its settings they are those of UTC."""
    house = await build(governor=plan(runs_per_day=2))
    await house.client.change_guild_settings(GUILD, {"timezone": zone})
    for _ in range(2):
        await house.ended((await house.run_now(await house.schedule(DAILY, guild_id=GUILD))).id)
    await as_(house, OWNER).erase_guild(GUILD)
    put_off = await house.run_now(await house.schedule(DAILY, guild_id=GUILD))
    assert put_off.state is RunState.WAITING
    gauges = {each.limit: each.used for each in (await house.client.get_guild(GUILD)).gauges}
    assert gauges["runs_per_day"] == 2


async def test_how_fast_an_erased_guild_or_person_sent_is_neither_stored_nor_told(build: Build) -> None:
    house = await build(governor=plan(sends_per_channel="2/h", dms_per_hour=2))
    house.engine.serve(Post())
    await house.client.note_guild(GUILD, "A")

    async def rates() -> set[str]:
        return set(await house.ledger.reader.notes.all("rate"))

    async def send(method: str, guild_id: str | None, **to: str) -> None:
        args = {**to, "content": "x"}
        made = await house.schedule(handler="discord", method=method, guild_id=guild_id, args=args, owner_id=ANNA)
        await house.ended((await house.run_now(made)).id)

    for guild_id in (GUILD, "2"):
        await send("send_message", guild_id, channel_id="7")
        await send("send_dm", guild_id, user_id=ANNA)
    await send("send_dm", None, user_id=ANNA)
    theirs, own = {"channel:2/7", "dms:2"}, f"person:{ANNA}"
    assert await rates() == {f"channel:{GUILD}/7", f"dms:{GUILD}", own, *theirs}
    await house.client.erase_guild(GUILD)
    assert await rates() == {own, *theirs}
    gauges = (await house.client.get_guild(GUILD)).gauges
    assert not any(gauge.scope.startswith("channel:") for gauge in gauges)
    assert next(gauge.used for gauge in gauges if gauge.limit == "dms_per_hour") == 1, "erasing gives no fresh quota"
    await as_(house, member(ANNA)).erase_user(ANNA)
    assert await rates() == theirs


async def test_who_listens_from_before_hears_nothing_of_what_is_gone(build: Build) -> None:
    house = await build()
    await fill(house, GUILD, ANNA)
    last = await house.schedule(guild_id="2")
    await house.client.erase_guild(GUILD)

    async def heard() -> list[Event]:
        found = []
        async for event in house.client.events("1-0"):
            found.append(event)
            if event.schedule_id == last.id:
                return found
        raise AssertionError

    events = await asyncio.wait_for(heard(), 10)
    assert [event for event in events if event.guild_id == GUILD or CANARY in str(event.data)] == []


async def test_runs_under_way_are_stopped_and_their_late_words_find_no_place(build: Build, tmp_path: Path) -> None:
    house = await build()
    schedule = await house.schedule(DAILY, guild_id=GUILD)
    stop = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        try:
            await stop.wait()
        except asyncio.CancelledError:
            ctx.log(CANARY)
            return CANARY

    house.hands.deed = deed
    run = await house.run_now(schedule)
    await house.working(run.id)
    assert (await house.client.erase_guild(GUILD)).finished
    with pytest.raises(NotFound):
        await house.client.get_run(run.id)
    await house.engine.settler.drain()
    await house.engine.settler.logbook.write_all()
    assert places_of(tmp_path, CANARY) == []


async def test_an_erasure_survives_the_end_of_its_process_at_every_page(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "PAGE", 2)
    house = await build()
    await fill(house, GUILD, ANNA)
    await house.kill()
    await house.open(run=False)
    began = Errand(what="erase_guild", subject=GUILD, since=0, by="operator:operator")
    await house.service._erasing._begin(began)
    steps = 0
    while text := (await house.ledger.reader.notes.all("errand")).get(f"guild:{GUILD}"):
        errand = msgspec.json.decode(text, type=Errand)
        await house.service._erasing._guild_on(errand)
        await house.kill()
        await house.open(run=False)
        steps += 1
    assert steps > 12
    assert [place for place in places_of(tmp_path, CANARY) if "ledger" not in place] == []
    assert [line[2] for line in audit_of(tmp_path)] == ["guild.erase"]


async def test_asked_twice_it_is_done_once(build: Build, tmp_path: Path) -> None:
    house = await build()
    await fill(house, GUILD, ANNA)
    answers = await asyncio.gather(*(house.client.erase_guild(GUILD) for _ in range(3)))
    assert [each.finished for each in answers] == [True] * 3
    assert {line[2] for line in audit_of(tmp_path)} == {"guild.erase"}


@pytest.mark.parametrize(("kind", "error"), [("stranger", NotFound), ("admin", Forbidden), ("key", Forbidden)])
async def test_only_its_owner_and_the_operator_erase_a_guild(house: House, kind: str, error: type[Exception]) -> None:
    await house.schedule(guild_id=GUILD)
    actors = {
        "stranger": Actor(kind="member", id="x", guild_id="7", permissions=ADMINISTRATOR, owner=True),
        "admin": member("x", GUILD, ADMINISTRATOR),
        "key": Actor(kind="operator", id="x", guild_id=GUILD),
    }
    with pytest.raises(error):
        await as_(house, actors[kind]).erase_guild(GUILD)
    assert len((await house.client.list_schedules(guild_id=GUILD)).items) == 1
    assert (await as_(house, OWNER).erase_guild(GUILD)).finished
    assert (await house.client.list_schedules(guild_id=GUILD)).items == ()


async def test_what_a_guild_wants_erased_when_the_bot_leaves_is_erased_a_week_later(house: House) -> None:
    await house.client.note_guild(GUILD, "A")
    await house.client.note_guild("2", "B")
    for guild_id in (GUILD, "2"):
        await house.schedule(guild_id=guild_id)
    await house.ledger.write(
        lambda tx: tx.notes.put("guild", {GUILD: '{"present":true,"name":"A","retention":{"delete_on_leave":true}}'})
    )
    for guild_id in (GUILD, "2"):
        await house.client.note_guild(guild_id, "A", present=False)
    for days, left in ((6, 2), (2, 1)):
        house.clock.move(days * DAY / 1e6)
        await house.service._erasing.begin_overdue()
        await house.service.errands.turn()
        assert len((await house.client.list_schedules(any_guild=True)).items) == left


async def test_a_guild_that_comes_back_within_the_week_keeps_all(house: House) -> None:
    await house.schedule(guild_id=GUILD)
    await house.ledger.write(
        lambda tx: tx.notes.put("guild", {GUILD: '{"present":true,"name":"A","retention":{"delete_on_leave":true}}'})
    )
    await house.client.note_guild(GUILD, "A", present=False)
    house.clock.move(6 * 86_400)
    await house.client.note_guild(GUILD, "A")
    house.clock.move(6 * 86_400)
    await house.service._erasing.begin_overdue()
    await house.service.errands.turn()
    assert [each.state for each in (await house.client.list_schedules(guild_id=GUILD)).items] == ["active"]


# ── a person ──


async def test_of_an_erased_person_nothing_is_left_that_was_theirs(
    build: Build, tmp_path: Path, logged: list[Any]
) -> None:
    house = await build()
    house.engine.serve(Post())
    anna, mod = member(ANNA, "1"), member("mod", "1", MANAGE_MESSAGES)
    mine = as_(house, anna)
    for place in ("1", "2", None):
        there = member(ANNA, place)
        made = await remind(house, there, f"{CANARY} in {place}")
        renamed = ask.PatchSchedule(id=made.id, changes={"name": CANARY}, idempotency_key=CANARY)
        await as_(house, there).send(renamed)
        run = await as_(house, there).run_schedule(made.id)
        await house.ended(run.id)
    gone = await remind(house, anna, CANARY)
    await mine.delete_schedule(gone.id)
    await mine.set_user_timezone(ANNA, "Pacific/Chatham")
    theirs = await post(house, mod, "the guild's own", trigger=IntervalTrigger(every="PT1H"))
    others = await remind(house, member("ben", "1"), "bens tea")
    assert places_of(tmp_path, CANARY)
    assert (await mine.erase_user(ANNA)).finished
    assert places_of(tmp_path, CANARY, ANNA, "Chatham") == []
    assert CANARY not in str(logged)
    assert (await house.client.get_schedule(theirs.id)).state == "active"
    assert (await house.client.get_schedule(others.id)).owner_id == "ben"
    assert (await mine.list_schedules(owner_id=ANNA)).items == ()


async def test_a_guilds_items_outlive_their_author_and_wait_for_a_new_owner(build: Build, tmp_path: Path) -> None:
    house = await build()
    house.engine.serve(Post())
    anna = member(ANNA, "1", MANAGE_MESSAGES)
    item = await post(house, anna, "the guild's own", trigger=IntervalTrigger(every="PT1H"))
    paused = await post(house, anna, "another")
    await as_(house, anna).pause_schedule(paused.id)
    job = await house.schedule(DAILY, owner_id=ANNA)
    house.fail_with(Reject(f"nothing for <@{ANNA}>"))
    failed = await house.run_now(job)
    await house.ended(failed.id)
    await as_(house, anna).erase_user(ANNA)
    for id in (item.id, paused.id, job.id):
        found = await house.client.get_schedule(id)
        assert (found.state, found.owner_id) == ("needs_owner", "erased")
        assert found.note == "its author had their data erased"
    assert (await house.client.get_schedule(item.id)).args["content"] == "the guild's own"
    told = await house.told("schedule.blocked")
    assert {event.schedule_id for event in told} == {item.id, paused.id, job.id}
    assert {(event.guild_id, event.data["reason"]) for event in told} == {("1", "needs_owner")}
    run = await house.client.get_run(failed.id)
    assert "nothing for <@erased>" in str(run.attempts[0].error)
    assert places_of(tmp_path, ANNA) == []


async def test_whoever_resumes_what_lost_its_owner_becomes_that(build: Build) -> None:
    house = await build()
    house.engine.serve(Post())
    item = await post(house, member(ANNA, "1", MANAGE_MESSAGES), "text", trigger=IntervalTrigger(every="PT1H"))
    await house.client.erase_user(ANNA)
    again = await as_(house, member("mod", "1", MANAGE_MESSAGES)).resume_schedule(item.id)
    assert (again.state, again.owner_id) == ("active", "mod")


async def test_what_was_erased_cannot_be_taken_back(build: Build) -> None:
    house = await build()
    house.engine.serve(Post())
    made = await remind(house, member(ANNA), CANARY)
    assert made.undo is not None
    await as_(house, member(ANNA)).erase_user(ANNA)
    with pytest.raises(Gone):
        await as_(house, member(ANNA)).undo(made.undo.token)
    assert (await as_(house, member(ANNA)).list_schedules(owner_id=ANNA, any_guild=True)).items == ()


async def test_everybody_erases_themselves_and_nobody_else(house: House) -> None:
    await remind(house, member(ANNA), "tea")
    for actor in (OWNER, member("ben"), Actor(kind="operator", id=ANNA, guild_id="1")):
        with pytest.raises(Forbidden):
            await as_(house, actor).erase_user(ANNA)
    assert len((await as_(house, member(ANNA)).list_schedules()).items) == 1
    assert (await as_(house, OPERATOR).erase_user(ANNA)).finished


async def test_a_ban_and_its_lines_outlive_the_banned_persons_data(build: Build, tmp_path: Path) -> None:
    house = await build()
    await house.client.ban_user(ANNA, "spam")
    await as_(house, member(ANNA, None)).erase_user(ANNA)
    for _ in range(2):
        with pytest.raises(Forbidden, match="spam"):
            await remind(house, member(ANNA))
        await house.kill()
        await house.open()
    ban = audit_of(tmp_path)[0]
    assert ban[:5] == (None, "operator:operator", "user.ban", ANNA, None)
    assert "spam" in ban[5]


async def test_an_erased_persons_id_is_nowhere_in_memory(build: Build) -> None:
    house = await build()
    admin = member(ANNA, GUILD, ADMINISTRATOR)
    code = (await as_(house, admin).new_verification(GUILD)).code
    await as_(house, admin).verify_guild(GUILD, code)
    await house.client.ban_user("ben", by=f"discord:{ANNA}")
    await house.client.suspend_guild(GUILD, why="abuse")
    await as_(house, admin).erase_user(ANNA)
    guild = await house.client.get_guild(GUILD)
    assert guild.verified is not None
    assert guild.verified.by == "member:erased"
    assert (await house.client.list_bans()).items[0].by == "discord:erased"
    suspended = (await house.client.list_audit(guild_id=GUILD, action="guild.suspend")).items[0]
    assert ANNA not in str(suspended)
    assert "abuse" in str(suspended.after), "of a decision the id goes, and no more"


# ── nothing is overlooked ──


HOW = {
    "schedules": "by guild or owner", "standings": "with schedules", "links": "with schedules", "runs": "by schedule",
    "attempts": "with runs", "dead": "with runs", "run_told": "with runs", "run_log": "with runs",
    "leases": "gone when a run has ended", "journal": "looked through", "audit": "by guild, and looked through",
    "undos": "looked through", "sessions": "by holder", "answers": "looked through", "usage": "numbers, that go by age", "notes": "by key",
    "handler_history": "by guild", "cursors": "nobody's", "cores": "nobody's", "buckets": "nobody's", "facts": "nobody's",
}  # fmt: skip


def test_of_every_table_it_is_said_how_it_is_erased() -> None:
    assert set(metadata.tables) == set(HOW), "a new table: say how what it keeps of a guild or a person is erased"


def test_reminders_alone_are_their_owners_own() -> None:
    from tests.ledger.making import schedule

    assert erasing.is_own(schedule("a", metadata=msgspec.json.encode(REMINDER).decode()))
    assert not erasing.is_own(schedule("a"))

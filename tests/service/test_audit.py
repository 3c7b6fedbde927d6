"""The audit: who reads which lines and what of them, how they are found, and as files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.ledger.port import Transaction
from core.ledger.rows import AuditRow
from schedule_zero import requests as ask
from schedule_zero.actor import (
    ADMINISTRATOR,
    Actor,
)
from schedule_zero.audit import DONE, Action, Changed, csv_of, what_changed
from schedule_zero.errors import Forbidden, Gone, Invalid, NotFound, QuotaExceeded
from schedule_zero.handler import MethodInfo
from schedule_zero.instant import parse
from schedule_zero.masking import MASK
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.transport.curve import new_pair
from schedule_zero.views import AuditLine
from tests.engine.house import House, Mute, plan
from tests.service.auditing import CHIEF, DAILY, READER, newest, stored
from tests.service.people import ANNA, CORE, MOD, OPERATOR, STRANGER, as_, member, post, remind

Build = Callable[..., Awaitable[House]]
CONFINED = Actor(kind="operator", id="theirs", guild_id="1")


# ── who reads what ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_lines_are_for_those_with_view_audit_log_where_they_speak(house: House) -> None:
    await post(house, MOD)
    await house.schedule(DAILY, guild_id="2")
    await house.schedule(DAILY, guild_id=None)
    for actor in (READER, member("boss", permissions=ADMINISTRATOR), CONFINED):
        for filters in ({}, {"guild_id": "1"}, {"any_guild": True}):
            assert {line.guild_id for line in (await as_(house, actor).list_audit(**filters)).items} == {"1"}
        with pytest.raises(NotFound):
            await as_(house, actor).list_audit(guild_id="2")
    for actor in (ANNA, MOD, member("reader", None, ADMINISTRATOR)):
        with pytest.raises(Forbidden):
            await as_(house, actor).list_audit()
    everything = (await house.client.list_audit(any_guild=True)).items
    assert [line.guild_id for line in everything] == [None, "2", "1"]
    assert [line.guild_id for line in (await house.client.list_audit()).items] == [None]
    assert [line.guild_id for line in (await as_(house, CORE).list_audit(guild_id="2")).items] == ["2"]


async def test_a_line_by_its_number_is_not_there_for_others(house: House) -> None:
    await post(house, MOD)
    line = await newest(house)
    assert (await as_(house, READER).get_audit(line.id)).action == "schedule.create"
    for core in (as_(house, STRANGER), as_(house, member("ben", None, ADMINISTRATOR))):
        for ask_for in (core.get_audit, core.revert_audit):
            with pytest.raises(NotFound, match=f"no line '{line.id}'"):
                await ask_for(line.id)
    with pytest.raises(Forbidden, match="View Audit Log"):
        await as_(house, MOD).get_audit(line.id)
    for id in ("0", "x", "1" * 19, "-1"):
        with pytest.raises(NotFound):
            await house.client.get_audit(id)


async def test_what_a_schedule_said_is_only_for_those_who_may_see_it(house: House) -> None:
    await remind(house, ANNA, "the secret of Anna")
    await post(house, MOD, "to the moderators")
    for line in (await as_(house, READER).list_audit()).items:
        assert (line.hidden, line.title, line.before, line.after, line.back) == (True, None, None, None, None)
    lines = (await as_(house, CHIEF).list_audit()).items
    assert [line.title for line in lines] == ["to the moderators", "the secret of Anna"]
    assert not any(line.hidden for line in lines)
    assert lines[1].after is not None
    assert lines[1].after["args"]["content"] == "the secret of Anna"


async def test_of_keys_members_see_that_something_was_done_and_no_more(house: House) -> None:
    public = new_pair().public
    await house.client.new_key("far", "handler", guild_id="1", public=public)
    assert public not in str(await as_(house, CHIEF).list_audit())
    line = await newest(house, CONFINED)
    assert line.after is not None
    assert (line.after["public"], line.hidden) == (public, False)
    assert parse(line.after["created"]) <= house.clock.now()


SECRET_METHOD = MethodInfo(
    name="call", doc="", timeout=None, at_most_once=False,
    schema={"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}, "n": {"type": "integer"}}},
)  # fmt: skip


async def test_secrets_are_masked_and_one_that_changed_is_marked(house: House) -> None:
    house.engine.join(Mute(house.engine, further=(SECRET_METHOD,)))
    spec = ScheduleSpec(handler="far", method="call", trigger=DAILY, guild_id="1", args={"pin": "first-pin", "n": 1})
    made = await house.client.create_schedule(spec)
    await house.client.patch_schedule(made.id, {"args": {"pin": "second-pin", "n": 1}})
    line = await newest(house)
    assert what_changed(line.before, line.after) == (Changed("args.pin", MASK, f"{MASK} (another)"),)
    await house.client.patch_schedule(made.id, {"args": {"pin": "second-pin", "n": 2}})
    line = await newest(house)
    assert what_changed(line.before, line.after) == (Changed("args.n", 1, 2),)
    assert "-pin" not in str(await house.client.list_audit(any_guild=True))


async def test_what_nobody_describes_any_more_is_hidden_text_by_text(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1")
    await house.rewrite(made.id, handler="gone", args='{"said":"words","n":3}')
    await house.client.pause_schedule(made.id)
    line = await newest(house)
    assert line.after is not None
    assert line.after["args"] == {"said": MASK, "n": 3}


async def test_the_difference_of_a_skipped_time_is_that_time(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1")
    await house.client.skip_occurrence(made.id)
    line = await newest(house)
    assert what_changed(line.before, line.after) == (Changed("skipped", None, ["2026-03-04T09:00:00+00:00"]),)


async def test_whoever_does_not_operate_the_service_changes_things_in_their_own_name(house: House) -> None:
    code = (await as_(house, CHIEF).send(ask.NewVerification(guild_id="1"))).code  # type: ignore[union-attr]
    await as_(house, CHIEF).send(ask.VerifyGuild(guild_id="1", code=code, by="operator:root"))
    assert (await newest(house)).actor == "member:chief"
    await house.client.send(ask.SuspendGuild(guild_id="1", by="member:7"))
    line = await newest(house)
    assert line.actor == "member:7"
    assert line.after is not None
    assert line.after["suspended"]["at"].startswith("2026-03-03T12:00")
    assert "operator:root" not in str(line)


# ── filters and pages ──────────────────────────────────────────────────────────────────────────────────────────


async def test_lines_are_found_by_who_what_where_and_when(house: House) -> None:
    first = await post(house, MOD)
    between = house.clock.in_s(0.5)
    house.clock.move(60)
    await as_(house, CHIEF).pause_schedule(first.id)
    await as_(house, CHIEF).change_guild_settings("1", {"hour24": False})

    async def found(**filters: Any) -> list[str]:
        return [line.action for line in (await as_(house, READER).list_audit(**filters)).items]

    assert await found() == ["guild.settings", "schedule.pause", "schedule.create"]
    assert await found(actor="chief") == ["guild.settings", "schedule.pause"]
    assert await found(actor="member:mod") == ["schedule.create"]
    assert await found(actor="operator:mod") == []
    assert await found(action="schedule.pause") == ["schedule.pause"]
    assert await found(target=first.id) == ["schedule.pause", "schedule.create"]
    assert await found(target="1", actor="chief") == ["guild.settings"]
    assert await found(since=between) == ["guild.settings", "schedule.pause"]
    assert await found(until=between) == ["schedule.create"]


@pytest.mark.parametrize("asked", ["7", "member:7", "discord:7"])
async def test_a_person_s_lines_are_found_whether_they_operated_or_not(house: House, asked: str) -> None:
    for by in ("member:7", "discord:7", "discord:8", "discord:7"):
        await house.client.send(ask.SuspendGuild(guild_id="1", by=by, why=f"said by {by}"))
        house.clock.move(1)
    found = []
    cursor = None
    for _ in range(3):
        page = await house.client.list_audit(guild_id="1", actor=asked, limit=1, cursor=cursor)
        found += [line.actor for line in page.items]
        cursor = page.next
    assert found == ["discord:7", "discord:7", "member:7"]
    assert cursor is None


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"action": "schedule.paus"}, "action: there is no action 'schedule.paus'; did you mean schedule.pause?"),
        ({"action": "x"}, "action: there is no action 'x'"),
        ({"since": "yesterday"}, "since: 'yesterday' is no instant"),
        ({"until": "x"}, "until: "),
        ({"cursor": "run_1"}, "cursor: is no cursor; send the `next` of the page before"),
        ({"cursor": "1-"}, "cursor: is no cursor"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(house: House, filters: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await house.client.list_audit(any_guild=True, **filters)
    assert refused.value.sentence.startswith(said)


async def test_pages_go_through_all_lines_once_also_while_new_ones_come(house: House) -> None:
    for n in range(10):
        await house.client.change_guild_settings("1", {"hour24": n % 2 == 1})
    numbers = [line.id for line in (await house.client.list_audit(guild_id="1")).items]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await house.client.list_audit(guild_id="1", limit=3, cursor=cursor)
        seen += [line.id for line in page.items]
        await house.client.change_guild_settings("1", {"hour24": len(seen) % 2 == 0})
        cursor = page.next
        if cursor is None:
            break
    assert seen == numbers
    assert sorted(numbers, key=int, reverse=True) == numbers


async def test_lines_of_one_instant_are_not_lost_between_two_pages(house: House) -> None:
    line = house.service._desk.line(OPERATOR, Action.SCHEDULE_RUN, "sch_1", "1")

    async def unit(tx: Transaction) -> None:
        await tx.notes.audit([line] * 7)

    await house.ledger.write(unit)
    first = await house.client.list_audit(guild_id="1", limit=4)
    second = await house.client.list_audit(guild_id="1", limit=4, cursor=first.next)
    assert [int(each.id) for each in (*first.items, *second.items)] == [7, 6, 5, 4, 3, 2, 1]
    assert second.next is None


# ── old lines, and those of the erased ─────────────────────────────────────────────────────────────────────────


async def test_lines_of_another_form_are_listed_and_not_taken_back(house: House) -> None:
    row = AuditRow(
        at=house.clock.now(), guild_id="1", actor="member:7", action="schedule.update", target="sch_1",
        before='{"id":"sch_1"}', after='{"id":"sch_1"}',
    )  # fmt: skip
    closings = msgspec.structs.replace(row, action="guild.closings", before=None, after='{"hours":{}}')

    async def unit(tx: Transaction) -> None:
        await tx.notes.audit([row, closings])

    await house.ledger.write(unit)
    other, line = (await house.client.list_audit(guild_id="1")).items
    assert (line.via, line.hidden, line.after, line.back) == (None, True, None, None)
    assert (other.action, other.after) == ("guild.closings", {"hours": {}})
    with pytest.raises(Gone, match="not kept any more"):
        await house.client.revert_audit(line.id)


async def test_an_erased_person_is_in_no_line_and_their_words_neither(house: House) -> None:
    anna = member("100000000000000007")
    await remind(house, anna, "canary")
    await as_(house, anna).set_user_timezone(anna.id, "Asia/Tokyo")
    mods = await post(house, MOD, "not Anna's")
    audit = house.ledger.reader.audit
    top = await audit.newest()

    async def unit(tx: Transaction) -> None:
        await tx.audit.forget(anna.id, 0, top)

    await house.ledger.write(unit)
    lines = await stored(house)
    assert anna.id not in str(lines)
    assert "canary" not in str(lines)
    assert [(line.actor, line.action, line.target) for line in lines[1:]] == [
        ("user:erased", "user.timezone", "user:erased"), ("member:mod", "schedule.create", mods.id),
    ]  # fmt: skip
    shown = (await house.client.list_audit(guild_id="1")).items
    assert [(line.actor, line.title, line.back) for line in shown] == [
        ("member:mod", "not Anna's", "undo"), ("user:erased", None, None),
    ]  # fmt: skip


# ── as files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_csv_holds_what_a_line_says_and_computes_nothing() -> None:
    line = AuditLine(
        id="1", at="2026-03-03T12:00:00Z", guild_id=None, actor="member:7", via=None, action="calendar.put",
        target="=HYPERLINK(1)", title='a "b"\nc', after={"n": [1]},
    )  # fmt: skip
    assert csv_of([line]).split("\r\n") == [
        "id,at,guild_id,actor,via,action,target,title,before,after",
        '1,2026-03-03T12:00:00Z,,member:7,,calendar.put,\'=HYPERLINK(1),"a ""b""\nc",,"{""n"":[1]}"',
        "",
    ]
    assert csv_of([line], titled=False).startswith("1,")


def test_what_changed_is_told_entry_by_entry() -> None:
    before = {"a": 1, "b": {"c": 1, "d": [1]}, "e": {"f": 1}}
    after = {"b": {"c": 2, "d": [1, 2]}, "e": 3, "a": 1, "g": None}
    assert what_changed(before, after) == (
        Changed("b.c", 1, 2), Changed("b.d", [1], [1, 2]), Changed("e", {"f": 1}, 3),
    )  # fmt: skip
    assert what_changed(None, {"a": 1}) == (Changed("a", None, 1),)
    assert what_changed(None, None) == ()


def test_every_action_has_its_words() -> None:
    assert set(DONE) == set(Action)
    assert all(action.count(".") == 1 for action in Action)


async def test_who_meets_a_limit_leaves_one_line_an_hour_that_says_which(build: Build) -> None:
    house = await build(run=False, governor=plan(schedules=1))
    await house.schedule(owner_id=OPERATOR.id)

    async def met() -> list[AuditLine]:
        return list((await house.client.list_audit(guild_id="1", action="quota.meet")).items)

    sentence = "This server has 1 schedule, and the limit is 1 schedule in all; delete one to make room."
    for _ in range(3):
        with pytest.raises(QuotaExceeded, match=sentence):
            await house.schedule()
    await house.until(lambda: not house.service._refusals._writing)
    (line,) = await met()
    assert line.before is None
    assert line.after is not None
    assert (line.after["scope"], line.after["limit"], line.after["used"], line.after["allowed"]) == (
        "guild:1", "schedules", 1, 1,
    )  # fmt: skip
    assert line.after["sentence"] == sentence
    house.clock.move(3601)
    with pytest.raises(QuotaExceeded):
        await house.schedule()
    await house.until(lambda: not house.service._refusals._writing)
    assert len(await met()) == 2

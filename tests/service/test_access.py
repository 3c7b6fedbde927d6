"""Who may see and change what, as a table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from schedule_zero import requests as ask
from schedule_zero.actor import ADMINISTRATOR, MANAGE_GUILD, Actor
from schedule_zero.errors import Forbidden, Gone, NotFound, ScheduleZeroError
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import DateTrigger
from tests.engine.house import House
from tests.service.people import (
    ADMIN,
    ANNA,
    ANNA_ALONE,
    ANNA_ELSEWHERE,
    BEN,
    BEN_ALONE,
    CORE,
    MOD,
    OPERATOR,
    OWNER,
    REMINDER,
    STRANGER,
    as_,
    member,
    post,
    remind,
)

Outcome = type[Exception] | None
YES, NO, NONE = None, Forbidden, NotFound

MakeRequest = Callable[[str], ask.Request]
LOOKS: list[MakeRequest] = [
    lambda id: ask.GetSchedule(id=id),
    lambda id: ask.PreviewSchedule(id=id),
    lambda id: ask.ListRuns(schedule_id=id),
]
CALMS: list[MakeRequest] = [
    lambda id: ask.PauseSchedule(id=id),
    lambda id: ask.PauseSchedule(id=id),
    lambda id: ask.DeleteSchedule(id=id),
]
ACTS: list[MakeRequest] = [
    lambda id: ask.RunSchedule(id=id),
    lambda id: ask.PatchSchedule(id=id, changes={"name": "other"}),
    lambda id: ask.ResumeSchedule(id=id),
]

# Whose schedule, who asks, may they look, may they calm it, may they make it act.
TABLE: list[tuple[str, Actor, Outcome, Outcome, Outcome]] = [
    ("mods post", OPERATOR, YES, YES, YES),
    ("mods post", CORE, YES, YES, YES),
    ("mods post", MOD, YES, YES, YES),
    ("mods post", OWNER, YES, YES, YES),
    ("mods post", member("mod"), YES, YES, NO),
    ("mods post", member("mod", permissions=MANAGE_GUILD), YES, YES, NO),
    ("mods post", member("mod", "2", ADMINISTRATOR), YES, YES, NO),
    ("mods post", member("mod", None), YES, YES, NO),
    ("mods post", ANNA, NONE, NONE, NONE),
    ("mods post", ADMIN, NONE, NONE, NONE),
    ("mods post", STRANGER, NONE, NONE, NONE),
    ("mods post", ANNA_ALONE, NONE, NONE, NONE),
    ("admins job", ADMIN, YES, YES, YES),
    ("admins job", OWNER, YES, YES, YES),
    ("admins job", MOD, YES, YES, NO),
    ("admins job", member("admin", "2", ADMINISTRATOR), YES, YES, NO),
    ("admins job", member("another", permissions=MANAGE_GUILD), YES, YES, YES),
    ("admins job", member("another", "2", MANAGE_GUILD), NONE, NONE, NONE),
    ("admins job", ANNA, NONE, NONE, NONE),
    ("annas reminder", member("another", permissions=MANAGE_GUILD), NONE, NONE, NONE),
    ("annas reminder", OPERATOR, YES, YES, YES),
    ("annas reminder", ANNA, YES, YES, YES),
    ("annas reminder", ANNA_ALONE, YES, YES, YES),
    ("annas reminder", ANNA_ELSEWHERE, YES, YES, YES),
    ("annas reminder", MOD, YES, YES, YES),
    ("annas reminder", BEN, NONE, NONE, NONE),
    ("annas reminder", STRANGER, NONE, NONE, NONE),
    ("annas reminder here", ANNA, YES, YES, YES),
    ("annas reminder here", ANNA_ALONE, YES, YES, NO),
    ("annas reminder here", ANNA_ELSEWHERE, YES, YES, NO),
    ("annas private", ANNA, YES, YES, YES),
    ("annas private", ANNA_ALONE, YES, YES, YES),
    ("annas private", MOD, NONE, NONE, NONE),
    ("annas private", BEN_ALONE, NONE, NONE, NONE),
    ("annas private", STRANGER, NONE, NONE, NONE),
    ("operators work", OPERATOR, YES, YES, YES),
    ("operators work", OWNER, NONE, NONE, NONE),
    ("operators work", ANNA_ALONE, NONE, NONE, NONE),
    ("annas by the operator", ANNA_ALONE, YES, YES, NO),
]


def _named(part: Any) -> str:
    if isinstance(part, Actor):
        return f"{part.kind}-{part.id}-in-{part.guild_id}"
    return part.__name__ if isinstance(part, type) else str(part)


async def world(house: House) -> dict[str, Schedule]:
    """One schedule of every kind."""
    return {
        "mods post": await post(house, MOD, "the post"),
        "admins job": await as_(house, ADMIN).create_schedule(
            ScheduleSpec(handler="hands", method="work", trigger=DateTrigger(at=house.clock.in_s(9000)), guild_id="1")
        ),
        "annas reminder": await remind(house, ANNA, "the reminder"),
        "annas reminder here": await post(house, ANNA, "the one for all to see", metadata=REMINDER),
        "annas private": await remind(house, ANNA_ALONE, "the private one"),
        "operators work": await house.schedule(guild_id=None),
        "annas by the operator": await house.schedule(guild_id=None, owner_id="anna"),
    }


async def outcome(asking: Awaitable[Any]) -> Outcome:
    try:
        await asking
    except (Forbidden, NotFound) as error:
        return type(error)
    return None


@pytest.mark.parametrize(("whose", "actor", "look", "calm", "act"), TABLE, ids=_named)
async def test_who_may_look_who_may_calm_and_who_may_make_it_act(
    house: House, whose: str, actor: Actor, look: Outcome, calm: Outcome, act: Outcome
) -> None:
    id = (await world(house))[whose].id
    run = await house.client.run_schedule(id)
    client = as_(house, actor)
    for request in (*(make(id) for make in LOOKS), ask.GetRun(id=run.id)):
        assert await outcome(client.send(request)) is look
    assert await outcome(client.send(ask.CancelRun(id=run.id))) is calm
    for request in (ask.RetryRun(id=run.id), *(make(id) for make in ACTS)):
        assert await outcome(client.send(request)) is act
    for request in (make(id) for make in CALMS):
        assert await outcome(client.send(request)) is calm


async def test_who_was_banned_cannot_set_a_paused_schedule_going_by_pausing_it_until_soon(house: House) -> None:
    schedule = await post(house, MOD)
    banned = as_(house, member("mod", "2", ADMINISTRATOR))
    assert (await banned.pause_schedule(schedule.id, until="in 2 hours")).state == "paused"
    await house.client.pause_schedule(schedule.id, note="until we have talked")
    with pytest.raises(Forbidden):
        await banned.pause_schedule(schedule.id, until="in 2 minutes")
    assert (await house.client.get_schedule(schedule.id)).paused_until is None


async def test_undoing_takes_the_right_to_make_what_comes_back_and_undoing_a_creation_does_not(house: House) -> None:
    schedule = await post(house, MOD)
    assert schedule.undo is not None
    edited = await as_(house, MOD).patch_schedule(schedule.id, {"name": "other"})
    deleted = await as_(house, MOD).delete_schedule(schedule.id)
    assert deleted.undo is not None
    for gone in (member("mod", "2", ADMINISTRATOR), member("mod", None), member("mod")):
        with pytest.raises(Forbidden):
            await as_(house, gone).undo(deleted.undo.token)
    back = await as_(house, OWNER).undo(deleted.undo.token)
    assert (back.name, back.state) == (edited.name, "active")
    second = await post(house, MOD)
    assert second.undo is not None
    assert (await as_(house, member("mod", "2")).undo(second.undo.token)).state == "deleted"


async def test_an_edit_that_is_undone_does_not_bring_back_work_one_may_not_make(house: House) -> None:
    job = (await world(house))["admins job"]
    mild = {"handler": "discord", "method": "send_message", "args": {"channel_id": "7", "content": "x"}}
    changed = await as_(house, OWNER).patch_schedule(job.id, mild)
    assert changed.undo is not None
    with pytest.raises(Forbidden, match="Manage Server"):
        await as_(house, MOD).undo(changed.undo.token)


async def test_a_reminder_does_not_become_a_post_in_a_server_one_is_not_in(house: House) -> None:
    reminder = await remind(house, ANNA)
    words = {"method": "send_message", "args": {"channel_id": "7", "content": "still here"}}
    with pytest.raises(Forbidden):
        await as_(house, ANNA_ELSEWHERE).patch_schedule(reminder.id, words)
    assert (await as_(house, ANNA).patch_schedule(reminder.id, words)).method == "send_message"


@pytest.mark.parametrize(
    ("actor", "fields", "expected"),
    [
        (OPERATOR, {}, YES),
        (OPERATOR, {"owner_id": "somebody", "guild_id": "77"}, YES),
        (MOD, {}, YES),
        (ANNA, {}, NO),
        (ADMIN, {}, NO),
        (OWNER, {}, YES),
        (MOD, {"guild_id": "2"}, NO),
        (MOD, {"guild_id": None}, NO),
        (MOD, {"owner_id": "anna"}, NO),
        (MOD, {"owner_id": "mod"}, YES),
        (MOD, {"handler": "hands", "method": "work", "args": {}}, NO),
        (ADMIN, {"handler": "hands", "method": "work", "args": {}}, YES),
        (ANNA, {"metadata": REMINDER}, YES),
        (ANNA, {"metadata": REMINDER, "args": {"channel_id": "7", "content": "x", "mentions": ["@everyone"]}}, NO),
        (ANNA, {"metadata": REMINDER, "method": "send_dm", "args": {"user_id": "anna", "content": "x"}}, YES),
        (ANNA, {"metadata": REMINDER, "method": "send_dm", "args": {"user_id": "ben", "content": "x"}}, NO),
        (ANNA, {"metadata": REMINDER, "handler": "hands", "method": "work", "args": {}}, NO),
        (ANNA_ALONE, {"guild_id": None}, NO),
        (member("anna", None, ADMINISTRATOR), {"guild_id": None}, NO),
        (member("anna", None, ADMINISTRATOR), {"guild_id": None, "metadata": REMINDER}, YES),
        (ANNA_ALONE, {"metadata": REMINDER, "guild_id": None}, YES),
        (ANNA_ALONE, {"metadata": REMINDER, "guild_id": "1"}, NO),
    ],
    ids=_named,
)
async def test_who_may_create_what(house: House, actor: Actor, fields: dict[str, Any], expected: Outcome) -> None:
    whole: dict[str, Any] = {
        "handler": "discord", "method": "send_message", "args": {"channel_id": "7", "content": "x"}, "guild_id": "1",
        "trigger": DateTrigger(at=house.clock.in_s(9000)), **fields,
    }  # fmt: skip
    assert await outcome(as_(house, actor).create_schedule(ScheduleSpec(**whole))) is expected
    batch = await as_(house, actor).create_schedules([msgspec.to_builtins(ScheduleSpec(**whole))])
    assert [item.status for item in batch.items] == [201 if expected is None else 403]


@pytest.mark.parametrize(
    "changes",
    [
        {"handler": "hands", "method": "work", "args": {}},
        {"metadata": {}},
        {"args": {"user_id": "ben", "content": "tea"}},
        {"method": "send_message", "args": {"channel_id": "7", "content": "x", "mentions": ["@everyone"]}},
    ],
)
async def test_a_reminder_is_no_way_to_what_one_may_not_create(house: House, changes: dict[str, Any]) -> None:
    reminder = await remind(house, ANNA)
    with pytest.raises(Forbidden):
        await as_(house, ANNA).patch_schedule(reminder.id, changes)
    after = await house.client.get_schedule(reminder.id)
    assert (after.args, after.handler, after.metadata) == (reminder.args, "discord", REMINDER)


async def test_run_now_with_arguments_is_no_way_round_either(house: House) -> None:
    reminder = await remind(house, ANNA)
    with pytest.raises(Forbidden):
        await as_(house, ANNA).run_schedule(reminder.id, args={"user_id": "ben"})
    run = await as_(house, ANNA).run_schedule(reminder.id, args={"content": "other words"})
    assert run.state == "waiting"


async def test_those_who_moderate_may_change_the_words_of_a_reminder_but_not_whom_it_reaches(house: House) -> None:
    reminder = await remind(house, ANNA)
    await as_(house, MOD).patch_schedule(reminder.id, {"args": {"user_id": "anna", "content": "milder"}})
    with pytest.raises(Forbidden):
        await as_(house, MOD).patch_schedule(reminder.id, {"args": {"user_id": "mod", "content": "mine"}})


async def test_listing_shows_what_may_be_seen(house: House) -> None:
    made = await world(house)
    second = await post(house, STRANGER, "elsewhere")

    async def seen(actor: Actor, **filters: Any) -> set[str]:
        page = await as_(house, actor).list_schedules(**filters)
        return {schedule.id for schedule in page.items}

    def ids(*names: str) -> set[str]:
        return {made[name].id for name in names}

    all_of_guild = ids("mods post", "admins job", "annas reminder", "annas reminder here")
    annas_here = ids("annas reminder", "annas reminder here")
    annas_alone = ids("annas private", "annas by the operator")
    assert await seen(OPERATOR, any_guild=True) == {*ids(*made), second.id}
    assert await seen(OPERATOR) == annas_alone | ids("operators work")
    assert await seen(MOD) == all_of_guild
    assert await seen(MOD, any_guild=True) == all_of_guild
    assert await seen(MOD, owner_id="anna") == annas_here
    assert await seen(member("mod")) == ids("mods post")
    assert await seen(ADMIN) == ids("admins job")
    another = member("another", permissions=MANAGE_GUILD)
    assert await seen(another) == ids("admins job")
    assert await seen(another, owner_id="anna") == set()
    assert await seen(member("anna", permissions=MANAGE_GUILD)) == annas_here | ids("admins job")
    offered = await as_(house, another).suggest_schedules("", guild_id="1", jobs=True)
    assert {item.value for item in offered.items} == ids("admins job")
    assert await seen(BEN) == set()
    assert await seen(BEN, q="the post") == set()
    assert await seen(ANNA) == annas_here
    assert await seen(ANNA, owner_id="anna", any_guild=True) == annas_here | annas_alone
    assert await seen(BEN, owner_id="anna") == set()
    assert await seen(BEN, owner_id="anna", any_guild=True) == set()
    assert await seen(ANNA_ALONE) == annas_alone
    assert await seen(BEN_ALONE) == set()
    assert await seen(BEN_ALONE, owner_id="anna") == set()
    assert await seen(STRANGER) == {second.id}
    with pytest.raises(NotFound):
        await seen(STRANGER, guild_id="1")


async def test_a_log_is_for_who_may_know_of_its_run(house: House) -> None:
    run = await house.run_now(await house.schedule(guild_id="1"))
    confined = Actor(kind="operator", id="key", guild_id="2")
    for actor in (STRANGER, ANNA, ANNA_ELSEWHERE, confined):
        with pytest.raises(NotFound):
            await house.client.acting_as(actor).run_log(run.id)
        following = house.service.follow_log(actor, run.id, 0)
        with pytest.raises(NotFound):
            await anext(following)
    assert (await house.client.run_log(run.id)).items == ()


async def test_listing_runs_shows_what_may_be_seen(house: House) -> None:
    made = await world(house)
    runs = {name: (await house.client.run_schedule(schedule.id)).id for name, schedule in made.items()}

    async def seen(actor: Actor, **filters: Any) -> set[str]:
        return {run.id for run in (await as_(house, actor).list_runs(**filters)).items}

    assert await seen(OPERATOR, any_guild=True) == set(runs.values())
    annas_here = {runs["annas reminder"], runs["annas reminder here"]}
    assert await seen(MOD) == {runs["mods post"], runs["admins job"]} | annas_here
    assert await seen(MOD, any_guild=True) == await seen(MOD)
    assert await seen(ADMIN) == {runs["admins job"]}
    assert await seen(member("another", permissions=MANAGE_GUILD)) == {runs["admins job"]}
    assert await seen(member("anna", permissions=MANAGE_GUILD)) == annas_here | {runs["admins job"]}
    assert await seen(BEN) == set()
    assert await seen(ANNA) == annas_here
    assert await seen(STRANGER) == set()
    for actor, filters in ((STRANGER, {"guild_id": "1"}), (BEN, {"schedule_id": made["annas reminder"].id})):
        with pytest.raises(NotFound):
            await seen(actor, **filters)
    assert await seen(ANNA_ALONE) == {runs["annas private"], runs["annas by the operator"]}
    assert await seen(ANNA_ALONE, schedule_id=made["annas private"].id) == {runs["annas private"]}


async def test_pages_are_full_of_what_may_be_seen_and_never_count_what_may_not(house: House) -> None:
    mine = []
    for number in range(6):
        for _ in range(3):
            await house.client.run_schedule((await post(house, MOD, f"post {number}")).id)
        mine.append(await remind(house, ANNA, f"tea {number}"))
    runs = [(await house.client.run_schedule(schedule.id)).id for schedule in mine]
    client = as_(house, ANNA)
    first = await client.list_schedules(limit=4)
    rest = await client.list_schedules(limit=4, cursor=first.next)
    assert (len(first.items), len(rest.items), rest.next) == (4, 2, None)
    assert {each.id for each in (*first.items, *rest.items)} == {each.id for each in mine}
    newest = await client.list_runs(limit=4)
    older = await client.list_runs(limit=4, cursor=newest.next)
    assert (len(newest.items), len(older.items), older.next) == (4, 2, None)
    assert {each.id for each in (*newest.items, *older.items)} == set(runs)


async def test_suggestions_offer_what_one_may_act_on_even_behind_many_that_one_may_not(house: House) -> None:
    for number in range(30):
        await post(house, MOD, f"post {number}")
    mine = await remind(house, ANNA, "my tea")
    await remind(house, ANNA_ALONE, "nobody's business")
    over = await remind(house, ANNA, "old", DateTrigger(at=house.clock.in_s(5)))
    await as_(house, ANNA).delete_schedule(over.id)

    async def offered(actor: Actor, text: str = "", **where: Any) -> list[str]:
        page = await as_(house, actor).suggest_schedules(text, guild_id="1", **where)
        return [item.value for item in page.items]

    assert await offered(ANNA) == [mine.id]
    assert await offered(ANNA, "my tea") == [mine.id]
    assert await offered(ANNA, "post 3") == []
    assert mine.id in await offered(ANNA, reminders=True)
    assert len(await offered(MOD)) == 25
    assert await offered(ANNA, mine.id) == [mine.id]
    assert await offered(STRANGER) == []
    alone = await as_(house, member("ben", None, ADMINISTRATOR)).suggest_schedules("")
    assert alone.items == ()
    assert await offered(STRANGER, mine.id) == []


async def test_suggestions_are_not_hidden_behind_what_is_over(build: Callable[..., Any]) -> None:
    house = await build()
    for _ in range(30):
        await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    await house.heard("schedule.completed", count=30)
    live = await house.schedule(name="still there")
    page = await house.client.suggest_schedules("", guild_id="1")
    assert [item.value for item in page.items] == [live.id]
    assert page.items[0].name.startswith("still there · ")


@pytest.mark.parametrize(
    ("actor", "request_", "expected"),
    [
        (ANNA, ask.GetGuildSettings(guild_id="1"), YES),
        (ANNA, ask.GetGuildSettings(guild_id="2"), NONE),
        (ANNA_ALONE, ask.GetGuildSettings(guild_id="1"), NONE),
        (ANNA, ask.PutGuildSettings(guild_id="1", changes={"hour24": False}), NO),
        (MOD, ask.PutGuildSettings(guild_id="1", changes={"hour24": False}), NO),
        (ADMIN, ask.PutGuildSettings(guild_id="1", changes={"hour24": False}), YES),
        (STRANGER, ask.PutGuildSettings(guild_id="1", changes={"hour24": False}), NONE),
        (OPERATOR, ask.PutGuildSettings(guild_id="1", changes={"hour24": False}), YES),
        (MOD, ask.UndoGuildSettings(guild_id="1", token="und_none"), NO),
        (STRANGER, ask.UndoGuildSettings(guild_id="1", token="und_none"), NONE),
        (ANNA, ask.GetUserTimezone(user_id="anna"), YES),
        (ANNA, ask.GetUserTimezone(user_id="ben"), NO),
        (ANNA, ask.PutUserTimezone(user_id="anna", timezone="Europe/Rome"), YES),
        (OWNER, ask.PutUserTimezone(user_id="anna", timezone="Europe/Rome"), NO),
        (OPERATOR, ask.PutUserTimezone(user_id="anna", timezone="Europe/Rome"), YES),
        (OWNER, ask.NoteGuild(guild_id="1", name="x"), NO),
        (CORE, ask.NoteGuild(guild_id="1", name="x"), YES),
        (OPERATOR, ask.NoteGuild(guild_id="1", name="x"), YES),
        (OWNER, ask.ListPresentGuilds(), NO),
        (CORE, ask.ListPresentGuilds(), YES),
        (ANNA, ask.EraseUser(user_id="anna"), YES),
        (ANNA, ask.EraseUser(user_id="ben"), NO),
        (OWNER, ask.EraseUser(user_id="anna"), NO),
        (OPERATOR, ask.EraseUser(user_id="anna"), YES),
        (ANNA, ask.EraseGuild(guild_id="1"), NO),
        (OWNER, ask.EraseGuild(guild_id="1"), NO),
        (msgspec.structs.replace(OWNER, owner=True), ask.EraseGuild(guild_id="1"), YES),
        (msgspec.structs.replace(OWNER, owner=True), ask.EraseGuild(guild_id="2"), NONE),
        (OPERATOR, ask.EraseGuild(guild_id="1"), YES),
        (MOD, ask.ListEvents(), YES),
        (MOD, ask.ListEvents(guild_id="1"), YES),
        (MOD, ask.ListEvents(guild_id="2"), NO),
        (ANNA, ask.ListEvents(), NO),
        (ANNA, ask.ListEvents(guild_id="1"), NO),
        (ANNA_ALONE, ask.ListEvents(), NO),
        (OPERATOR, ask.ListEvents(), YES),
        (ANNA, ask.ReadTime(when="tomorrow at 5pm", guild_id="1", user_id="anna"), YES),
        (ANNA, ask.ReadTime(when="tomorrow at 5pm", guild_id="2"), NONE),
        (ANNA, ask.ReadTime(when="tomorrow at 5pm", user_id="ben"), NO),
        (ANNA, ask.SuggestTimes(field="when", text="to", guild_id="2"), NONE),
        (ANNA, ask.SuggestTimes(field="when", text="to", guild_id="1"), YES),
        (ANNA, ask.SuggestZones(text="ber"), YES),
        (ANNA, ask.SuggestCountries(text="ger"), YES),
        (ANNA, ask.SuggestClosings(guild_id="1", kind="calendar", text=""), YES),
        (ANNA, ask.SuggestClosings(guild_id="2", kind="calendar", text=""), NONE),
        (ANNA, ask.ListBlackouts(guild_id="1"), YES),
        (ANNA, ask.ListBlackouts(guild_id="2"), NONE),
        (ANNA, ask.PreviewTrigger(trigger=DateTrigger(at="2027-01-01T00:00:00Z"), guild_id="2"), NONE),
        (ANNA, ask.GetStatus(), YES),
        (ANNA, ask.PreviewTrigger(trigger=DateTrigger(at="2027-01-01T00:00:00Z")), YES),
        (ANNA, ask.Undo(token="und_nobody"), None),
    ],
    ids=lambda part: _named(part) if isinstance(part, Actor | type) else type(part).__name__,
)
async def test_everything_else(house: House, actor: Actor, request_: ask.Request, expected: Outcome) -> None:
    if isinstance(request_, ask.Undo):
        with pytest.raises(ScheduleZeroError):
            await as_(house, actor).send(request_)
        return
    assert await outcome(as_(house, actor).send(request_)) is expected


async def test_an_undo_token_is_worth_nothing_to_those_who_may_not_change_the_schedule(house: House) -> None:
    schedule = await post(house, MOD)
    assert schedule.undo is not None
    for actor, expected in ((ANNA, Gone), (STRANGER, Gone)):
        with pytest.raises(expected):
            await as_(house, actor).undo(schedule.undo.token)
    assert (await as_(house, OWNER).undo(schedule.undo.token)).state == "deleted"


async def test_events_are_told_to_those_who_moderate_the_guild_they_belong_to(house: House) -> None:
    mine, theirs = await post(house, MOD), await post(house, STRANGER)
    page = await as_(house, MOD).list_events()
    assert {event.schedule_id for event in page.items} == {mine.id}
    assert {event.schedule_id for event in (await house.client.list_events()).items} == {mine.id, theirs.id}
    follow = as_(house, STRANGER).events("1-0")
    first = await anext(follow)
    assert first.schedule_id == theirs.id
    await follow.aclose()  # type: ignore[attr-defined]


async def test_what_an_operator_is_told_names_no_door_for_there_are_several(house: House) -> None:
    schedule = await house.schedule(name="gone")
    await house.client.delete_schedule(schedule.id)
    told = []
    for asked in (
        house.client.get_schedule("sch_x"), house.client.get_run("run_x"), house.client.revoke_key("key_x"),
        house.client.pause_schedule(schedule.id),
    ):  # fmt: skip
        with pytest.raises(ScheduleZeroError) as refused:
            await asked
        told.append(refused.value.sentence)
    assert told == [
        "There is no schedule 'sch_x'; the list of schedules shows what there is.",
        "There is no run 'run_x'; the list of runs shows what there is.",
        "There is no key 'key_x'; the list of keys shows what there is.",
        "This schedule is deleted; undoing that brings it back, for 15 minutes.",
    ]

"""Links that calendar programs subscribe to: who may have them, what is behind them, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from icalendar import Calendar

from core.ledger.rows import ScheduleRow
from core.service.calendar_links import AT_ONCE, MOST_WAITING
from core.service.turns import EACH
from schedule_zero import requests as ask
from schedule_zero.actor import MANAGE_GUILD, MANAGE_MESSAGES, Actor
from schedule_zero.errors import Forbidden, Invalid, NotFound, ScheduleZeroError, Unavailable
from schedule_zero.trigger import CronTrigger
from schedule_zero.views import CalendarLink
from tests.engine.house import House
from tests.service.people import MOD, OWNER, as_, member, post, remind

ANNA = member("anna")
BOTH = member("both", permissions=MANAGE_GUILD | MANAGE_MESSAGES)


async def behind(house: House, link: CalendarLink) -> str | None:
    """As a calendar program asks for it."""
    assert link.url is not None
    parts = urlsplit(link.url)
    whose, name = parts.path.removeprefix("/calendar/").split("/")
    return await house.service.calendar(whose, name.removesuffix(".ics"), parse_qs(parts.query)["key"][0])


async def titles(house: House, link: CalendarLink) -> list[str]:
    text = await behind(house, link)
    assert text is not None
    return sorted(str(event["SUMMARY"]) for event in Calendar.from_ical(text).walk("VEVENT"))


async def test_a_guilds_calendar_has_what_is_active_there_but_no_reminders(house: House) -> None:
    await post(house, MOD, name="standup", trigger=CronTrigger(expression="0 9 * * *"))
    paused = await post(house, MOD, name="paused")
    await as_(house, MOD).pause_schedule(paused.id)
    await remind(house, ANNA, "private tea")
    await house.schedule(guild_id="2", name="elsewhere")
    await house.schedule(guild_id="1", args={"n": 7}, name=None)
    link = await as_(house, BOTH).new_calendar_link(guild_id="1")
    assert await titles(house, link) == ["hands.work", "standup"]
    text = await behind(house, link)
    assert text is not None
    assert "tea" not in text
    assert "RRULE:FREQ=DAILY" in text


async def test_a_persons_calendar_has_what_is_theirs_everywhere(house: House) -> None:
    for place in ("1", "2", None):
        await remind(house, member("anna", place), f"tea {place}")
    await remind(house, member("ben"), "bens")
    link = await as_(house, ANNA).new_calendar_link(user_id="anna")
    assert await titles(house, link) == ["tea 1", "tea 2", "tea None"]


async def test_a_link_is_good_until_it_is_ended_or_another_is_made(house: House) -> None:
    mine = as_(house, ANNA)
    assert (await mine.calendar_link(user_id="anna")).since is None
    first = await mine.new_calendar_link(user_id="anna")
    assert await behind(house, first) is not None
    kept = await mine.calendar_link(user_id="anna")
    assert kept.since is not None
    assert kept.url is None
    second = await mine.new_calendar_link(user_id="anna")
    assert await behind(house, first) is None
    assert await behind(house, second) is not None
    assert (await mine.end_calendar_link(user_id="anna")).since is None
    assert await behind(house, second) is None
    assert (await mine.end_calendar_link(user_id="anna")).since is None  # there is none to end
    for whose, id in (("guild", "1"), ("user", "ben"), ("channel", "1")):
        assert await house.service.calendar(whose, id, "guessed") is None


async def test_what_is_secret_in_a_link_is_kept_nowhere(house: House) -> None:
    mine = as_(house, ANNA)
    link = await mine.new_calendar_link(user_id="anna", key="once")
    assert link.url is not None
    again = await mine.new_calendar_link(user_id="anna", key="once")
    assert (again.since, again.url) == (link.since, None)
    assert await behind(house, link) is not None  # a repetition makes no other one
    secret = link.url.rpartition("=")[2]
    assert secret not in str(await house.ledger.reader.notes.all("calendar_link"))
    lines = (await house.client.list_audit()).items
    assert [line.action for line in lines] == ["calendar_link.new"]
    assert secret not in str(lines)


@pytest.mark.parametrize(
    ("actor", "asked", "refusal"),
    [
        (ANNA, {"user_id": "anna"}, None), (ANNA, {"user_id": "ben"}, Forbidden), (OWNER, {"user_id": "anna"}, Forbidden),
        (ANNA, {"guild_id": "1"}, Forbidden), (MOD, {"guild_id": "1"}, Forbidden), (BOTH, {"guild_id": "1"}, None),
        (member("admin", permissions=MANAGE_GUILD), {"guild_id": "1"}, Forbidden),
        (BOTH, {"guild_id": "2"}, NotFound), (Actor(kind="operator", id="ci", guild_id="1"), {"guild_id": "1"}, None),
        (Actor(kind="operator", id="ci", guild_id="1"), {"guild_id": "2"}, NotFound),
        (Actor(kind="operator", id="ci", guild_id="1"), {"user_id": "anna"}, Forbidden),
        (ANNA, {}, Invalid), (BOTH, {"guild_id": "1", "user_id": "both"}, Invalid),
    ],
)  # fmt: skip
async def test_who_may_make_look_for_and_end_a_link(
    house: House, actor: Actor, asked: dict[str, str], refusal: type[ScheduleZeroError] | None
) -> None:
    for kind in (ask.NewCalendarLink, ask.GetCalendarLink, ask.EndCalendarLink):
        request: Any = kind(**asked)
        if refusal is None:
            await as_(house, actor).send(request)
        else:
            with pytest.raises(refusal):
                await as_(house, actor).send(request)


async def test_who_is_banned_or_erased_has_a_link_no_more(house: House) -> None:
    links = {id: await as_(house, member(id)).new_calendar_link(user_id=id) for id in ("anna", "ben")}
    guild = await house.client.new_calendar_link(guild_id="1")
    await house.client.ban_user("anna")
    await house.client.erase_user("ben")
    assert [await behind(house, link) for link in links.values()] == [None, None]
    await house.client.erase_guild("1")
    assert await behind(house, guild) is None


class Gate:
    """Holds every calendar that is being written until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.writing: list[str | None] = []


@pytest.fixture
def gate(house: House, monkeypatch: pytest.MonkeyPatch) -> Gate:
    links, gate = house.service.calendar_links, Gate()
    written = links._written

    async def slowly(rows: Sequence[ScheduleRow]) -> str:
        gate.writing.append(rows[0].owner_id)
        assert len(gate.writing) == len(set(gate.writing)) <= AT_ONCE
        await gate.opened.wait()
        gate.writing.remove(rows[0].owner_id)
        return await written(rows)

    monkeypatch.setattr(links, "_written", slowly)
    return gate


async def links_of(house: House, many: int) -> list[CalendarLink]:
    people = [member(f"user{n}") for n in range(many)]
    for each in people:
        await remind(house, each, "tea")
    return [await as_(house, each).new_calendar_link(user_id=each.id) for each in people]


async def test_of_many_links_that_are_asked_at_once_some_wait_and_the_rest_are_told_to_come_later(
    house: House, gate: Gate
) -> None:
    *some, one_more = await links_of(house, MOST_WAITING + 1)
    asking = [asyncio.create_task(behind(house, link)) for link in some]
    turns = house.service.calendar_links.turns
    await house.until(lambda: len(turns.asking) == MOST_WAITING)
    with pytest.raises(Unavailable) as late:
        await behind(house, one_more)
    assert late.value.retry_after == 60
    gate.opened.set()
    assert None not in await asyncio.gather(*asking)
    assert turns.asking == {}
    assert await behind(house, one_more) is not None


async def test_a_link_that_is_asked_again_and_again_is_told_to_come_later_and_others_have_room(
    house: House, gate: Gate
) -> None:
    greedy, other = await links_of(house, 2)
    asking = [asyncio.create_task(behind(house, greedy)) for _ in range(MOST_WAITING + AT_ONCE)]
    await house.until(lambda: sum(each.done() for each in asking) == len(asking) - EACH)
    late = [each.exception() for each in asking if each.done()]
    assert {(type(error), getattr(error, "retry_after", None)) for error in late} == {(Unavailable, 60.0)}
    others = asyncio.create_task(behind(house, other))
    await house.until(lambda: gate.writing == ["user0", "user1"])
    gate.opened.set()
    assert await others is not None
    texts = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(text, str) for text in texts) == EACH
    assert await behind(house, greedy) is not None

"""Events to clients: in order, none lost and none twice, within a window; a place that the core keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from core.ledger.port import StoreError, Transaction
from core.ledger.rows import EventRow
from core.service.keyring import digest_of
from schedule_zero.errors import Conflict
from schedule_zero.event import Event
from schedule_zero.instant import SECOND
from schedule_zero.transport import asking
from schedule_zero.transport.feed import Page
from schedule_zero.transport.zmq_client import ZmqClient
from tests.engine.house import House
from tests.gateway.desk import CONFINED, Desk, tell
from tests.gateway.stranger import StrangeClient

pytestmark = pytest.mark.slow


async def cursor(house: House, name: str) -> tuple[int, int] | None:
    return await house.ledger.reader.journal.cursor(name)


async def kept(house: House, name: str, seq: int) -> None:
    """Until the place is kept up to a number."""
    async with asyncio.timeout(10):
        while (found := await cursor(house, name)) is None or found[1] < seq:
            await asyncio.sleep(0.01)


async def seqs(pages: AsyncIterator[Page], upto: int) -> list[int]:
    """The numbers of the events up to one of them."""
    heard: list[int] = []
    async with asyncio.timeout(10):
        async for page in pages:
            heard += [event.seq for event in page.events]
            if page.seq >= upto:
                return heard
    raise AssertionError


async def _events(pages: AsyncIterator[Page], upto: int) -> AsyncIterator[Event]:
    """The events up to a number."""
    async with asyncio.timeout(10):
        async for page in pages:
            for event in page.events:
                yield event
            if page.seq >= upto:
                return


async def begun(desk: Desk, count: int = 1) -> None:
    """Until so many streams are open."""

    def holds() -> bool:
        return (
            sum(stream is not None for caller in desk.door._callers.values() for _, stream in caller.streams.values())
            == count
        )

    await desk.house.until(holds)


# ── streams ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_begins_with_the_next_event_and_goes_on_in_order(desk: Desk) -> None:
    before = await tell(desk.house, 3)
    events = desk.client().events()
    first = asyncio.ensure_future(anext(events))
    await begun(desk)
    await tell(desk.house, 3000)
    heard = [await first, *[await anext(events) for _ in range(2999)]]
    assert [event.seq for event in heard] == list(range(before + 1, before + 3001))
    await events.aclose()  # type: ignore[attr-defined]
    await begun(desk, 0)


async def test_only_what_is_wanted_is_told_and_the_place_goes_on_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.publisher.LONGEST_WAIT_S", 0.05)
    client = desk.client()
    start = await tell(desk.house, 1)
    await tell(desk.house, 2, kind="run.skipped")
    await tell(desk.house, 2, guild="2")
    last = await tell(desk.house, 2500, kind="run.created")
    pages = client.pages(f"1-{start}", kinds=("run.failed",), guild_id="2")
    assert await seqs(pages, last) == [start + 3, start + 4]
    await pages.aclose()


async def test_who_is_confined_to_a_guild_hears_of_it_alone(desk: Desk) -> None:
    last = await tell(desk.house, 2)
    await tell(desk.house, 2, guild="2")
    await tell(desk.house, 2, guild=None)
    mine = await tell(desk.house, 1)
    pages = desk.client("confined").pages("1-0")
    assert await seqs(pages, mine) == [*range(1, last + 1), mine][-3:]
    await pages.aclose()


async def test_buckets_share_the_guilds_among_several(desk: Desk) -> None:
    low, high = str(5 << 22), str(37 << 22)
    first = await tell(desk.house, 1, guild=low)
    await tell(desk.house, 1, guild=high)
    last = await tell(desk.house, 1, guild=None)
    client = desk.client()
    mine, others = client.pages("1-0", buckets=tuple(range(32))), client.pages("1-0", buckets=tuple(range(32, 64)))
    assert await seqs(mine, last) == [*range(1, first + 1), last]
    heard = asyncio.ensure_future(anext(others))
    assert [event.seq for event in (await heard).events] == [first + 1]
    await mine.aclose()
    await others.aclose()


async def test_no_more_is_under_way_than_the_window_allows(desk: Desk) -> None:
    await tell(desk.house, 1000)
    stranger = desk.stranger()
    await stranger.login()
    stranger.say(asking.Follow(1, "1-0", (), None, None, (), 100))
    await stranger.hear(asking.Following)
    page = await stranger.hear(asking.Events)
    assert len(page.events) == 100
    await desk.client().status()
    assert stranger.heard.empty()
    stranger.say(asking.Taken(1, 1, page.seq - 1), asking.Taken(1, 2, page.seq))  # not all of it; of another epoch
    await desk.client().status()
    assert stranger.heard.empty()
    stranger.say(asking.Taken(1, 1, page.seq))
    assert (await stranger.hear(asking.Events)).events[0].seq == page.seq + 1


async def test_events_go_on_where_they_were_when_the_core_restarts(desk: Desk) -> None:
    events = desk.client().events("1-0")
    last = await tell(desk.house, 10)
    heard = [(await anext(events)).seq for _ in range(5)]
    await desk.shut()
    last = await tell(desk.house, 10)
    desk.open()
    async with asyncio.timeout(10):
        heard += [(await anext(events)).seq for _ in range(last - 5)]
    assert heard == list(range(1, last + 1))
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_wrong_place_is_refused(desk: Desk) -> None:
    with pytest.raises(Exception, match="no place in the journal"):
        await anext(desk.client().events("x"))


# ── a place the core keeps ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_durable_place_moves_with_what_is_taken_and_outlives_the_subscriber(desk: Desk) -> None:
    start = await tell(desk.house, 1)
    first = desk.client()
    pages = first.pages(subscriber="mine")
    new = await anext(pages)
    assert (new.new, new.seq) == (True, start)
    last = await tell(desk.house, 5)
    page = await anext(pages)
    assert [event.seq for event in page.events] == list(range(start + 1, last + 1))
    assert await cursor(desk.house, "mine") == (1, start)  # told, and not yet taken
    beyond = await tell(desk.house, 1)
    await anext(pages)
    await kept(desk.house, "mine", last)
    await pages.aclose()
    await first.close()
    again = desk.client().pages(subscriber="mine")
    page = await anext(again)
    assert (page.new, [event.seq for event in page.events]) == (False, [beyond])
    await again.aclose()


async def test_nothing_is_lost_or_told_twice_in_a_process_when_the_core_dies_between_telling_and_taking(
    desk: Desk,
) -> None:
    pages = desk.client().pages(subscriber="mine")
    await anext(pages)
    last = await tell(desk.house, 4)
    heard = [event.seq for event in (await anext(pages)).events]
    await desk.crash()
    first, last = heard[0], await tell(desk.house, 4)
    desk.open()
    heard += await seqs(pages, last)
    assert heard == list(range(first, last + 1))
    await desk.house.until(lambda: True)
    await tell(desk.house, 1)
    await anext(pages)
    await kept(desk.house, "mine", last)
    await pages.aclose()


async def test_the_newest_of_two_subscribers_of_a_name_is_told_and_the_other_hears_why(desk: Desk) -> None:
    older, newer = desk.client().pages(subscriber="mine"), desk.client().pages(subscriber="mine")
    await anext(older)
    waiting = asyncio.ensure_future(anext(newer))
    with pytest.raises(Conflict, match="Another client follows as mine"):
        async with asyncio.timeout(10):
            await anext(older)
    last = await tell(desk.house, 1)
    assert [event.seq for event in (await waiting).events] == [last]
    await newer.aclose()


@pytest.mark.parametrize("why", ["not allowed", "the store is in trouble", "it left"])
async def test_who_is_refused_or_leaves_disturbs_nobody_who_follows_under_that_name(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    older, newer = desk.stranger(), desk.stranger()
    for number, one in enumerate((older, newer)):
        await one.login("confined", instance=f"i{number}")
    older.say(asking.Follow(1, None, (), None, "mine", (), 10))
    await older.hear(asking.Following)
    asked = asyncio.Event()

    async def trouble(actor: Any, wish: Any) -> Any:
        asked.set()
        if why == "it left":
            await asyncio.Event().wait()
        raise StoreError("no disk")

    if why != "not allowed":
        monkeypatch.setattr(desk.slow, "feed", trouble)
    newer.say(asking.Follow(1, None, (), "2" if why == "not allowed" else None, "mine", (), 10))
    if why == "it left":
        await asked.wait()
        newer.say(asking.Leave(1))
        newer.ask_status(2)
        await newer.hear(asking.Answer)
    else:
        assert (await newer.hear(asking.Failed)).problem.status == (403 if why == "not allowed" else 503)
    last = await tell(desk.house, 1)
    page = await older.hear(asking.Events)
    assert [event.seq for event in page.events] == [last]
    older.say(asking.Taken(1, page.epoch, page.seq))
    await kept(desk.house, "1/confined/mine", last)


async def test_what_the_former_follower_took_is_kept_before_the_next_one_reads_its_place(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = desk.stranger(), desk.stranger()
    await older.login(instance="i1")
    await newer.login(instance="i2")
    older.say(asking.Follow(1, None, (), None, "mine", (), 10))
    await older.hear(asking.Following)
    last = await tell(desk.house, 1)
    page = await older.hear(asking.Events)
    slow, keep = asyncio.Event(), desk.house.engine.publisher.keep

    async def keeping(*place: Any) -> None:
        await slow.wait()
        await keep(*place)

    monkeypatch.setattr(desk.house.engine.publisher, "keep", keeping)
    older.say(asking.Taken(1, page.epoch, page.seq))
    older.ask_status(2)
    await older.hear(asking.Answer)
    for number in (1, 3):  # the first of them leaves while it waits for that
        newer.say(asking.Leave(1), asking.Follow(number, None, (), None, "mine", (), 10))
        newer.ask_status(number + 1)
        await newer.hear(asking.Answer)
    slow.set()
    assert (await newer.hear(asking.Following)).seq == last
    await older.hear(asking.Failed)


async def test_of_two_that_come_at_once_under_a_name_the_later_one_follows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    waiting, feed = iter(gates), desk.slow.feed

    async def gated(actor: Any, wish: Any) -> Any:
        await next(waiting).wait()
        return await feed(actor, wish)

    monkeypatch.setattr(desk.slow, "feed", gated)
    stranger = desk.stranger()
    await stranger.login()
    stranger.say(*(asking.Follow(number, None, (), None, "mine", (), 10) for number in (1, 2)))
    gates[1].set()  # whose place would be read first
    stranger.ask_status(3)
    await stranger.hear(asking.Answer)
    gates[0].set()
    assert (await stranger.hear(asking.Failed)).number == 1
    last = await tell(desk.house, 1)
    page = await stranger.hear(asking.Events)
    assert (page.number, page.events[0].seq) == (2, last)


async def test_nothing_is_remembered_of_names_nobody_follows_under_any_more(desk: Desk) -> None:
    stranger = desk.stranger()
    await stranger.login()
    for number in range(3):
        stranger.say(asking.Follow(number, None, (), None, f"mine{number}", (), 10))
        await stranger.hear(asking.Following)
        stranger.say(asking.Leave(number))
    following = desk.door._following
    await desk.house.until(lambda: not following._followers and not following._opening)


async def test_a_subscriber_of_the_core_itself_is_nobody_elses(desk: Desk) -> None:
    class Ear:
        async def deliver(self, events: Any) -> None: ...

    serving = asyncio.create_task(desk.house.engine.publisher.serve("discord.notices", Ear()))
    await desk.house.until(lambda: desk.house.engine.publisher.serves("discord.notices"))
    with pytest.raises(Conflict, match="part of this core"):
        await anext(desk.client().pages(subscriber="discord.notices"))
    serving.cancel()


async def test_keys_of_one_name_in_two_guilds_have_a_place_each(desk: Desk) -> None:
    desk.keyring.put(msgspec.structs.replace(CONFINED, id="key_9", guild_id="2", digest=digest_of("other")))
    theirs = desk.client("confined").pages(subscriber="board")
    mine = desk.client("other").pages(subscriber="board")
    assert (await anext(theirs)).new
    assert (await anext(mine)).new
    for pages, guild in ((theirs, "1"), (mine, "2"), (theirs, "1")):
        await desk.house.schedule(guild_id=guild)
        async with asyncio.timeout(10):
            while not (page := await anext(pages)).events:
                continue
        assert {event.guild_id for event in page.events} == {guild}


async def test_who_is_confined_takes_nobody_elses_place(desk: Desk) -> None:
    theirs = desk.client().pages(subscriber="mine")
    await anext(theirs)
    mine = desk.client("confined").pages(subscriber="mine")
    assert (await anext(mine)).new
    assert await cursor(desk.house, "1/confined/mine") is not None
    await tell(desk.house, 1)
    await anext(theirs)
    await theirs.aclose()
    await mine.aclose()


async def test_what_is_not_kept_any_more_is_said_once_and_the_rest_is_told(desk: Desk) -> None:
    pages = desk.client().pages(subscriber="mine")
    start = (await anext(pages)).seq
    await pages.aclose()
    gone = await tell(desk.house, 7)
    desk.house.pass_time(10)
    last = await tell(desk.house, 2)

    async def purge(tx: Transaction) -> None:
        await tx.journal.purge(desk.house.clock.now() - 5 * SECOND, 1000)

    await desk.house.ledger.write(purge)
    pages = desk.client().pages(subscriber="mine")
    page = await anext(pages)
    assert (page.missed, page.events) == ((start + 1, gone), [])
    assert [event.seq for event in (await anext(pages)).events] == [gone + 1, last]
    await pages.aclose()
    await kept(desk.house, "mine", gone)
    pages = desk.client().pages(subscriber="mine")
    page = await anext(pages)
    assert (page.missed, page.events[0].seq) == (None, gone + 1)
    await pages.aclose()


async def test_buckets_are_dealt_out_anew_and_nobody_is_told_twice_or_left_out(desk: Desk) -> None:
    low, high = str(5 << 22), str(37 << 22)

    async def each() -> tuple[int, int]:
        """One event in a guild of either half, in one transaction; their numbers."""
        now = desk.house.clock.now()

        async def unit(tx: Transaction) -> None:
            await tx.journal.append([EventRow(at=now, kind="run.failed", guild_id=guild) for guild in (low, high)])

        await desk.house.ledger.write(unit)
        _, head = await desk.house.ledger.reader.journal.head()
        return head - 1, head

    async def told(pages: AsyncIterator[Page], upto: int) -> list[int]:
        return [event.seq async for event in _events(pages, upto)]

    client = desk.client()
    whole = client.pages(subscriber="mine")
    await anext(whole)
    first = await each()
    assert await told(whole, first[1]) == [*first]
    second = await each()
    assert await told(whole, second[1]) == [*second]  # and never taken
    await kept(desk.house, "mine", first[1])
    await whole.aclose()

    half = client.pages(subscriber="mine", buckets=tuple(range(32)))
    third = await each()
    assert await told(half, third[0]) == [second[0], third[0]]
    fourth = await each()
    assert await told(half, fourth[0]) == [fourth[0]]
    await kept(desk.house, "mine#5", third[0])
    await half.aclose()

    again = client.pages(subscriber="mine")
    assert await told(again, fourth[1]) == [second[1], third[1], *fourth]
    await again.aclose()


async def test_those_who_share_the_buckets_follow_side_by_side(desk: Desk) -> None:
    one, other = (
        desk.client().pages(subscriber="mine", buckets=(1, 2)),
        desk.client().pages(subscriber="mine", buckets=(3,)),
    )
    await anext(one)
    await anext(other)
    await tell(desk.house, 1, guild=str(1 << 22))
    await tell(desk.house, 1, guild=str(3 << 22))
    assert (await anext(one)).events[0].guild_id == str(1 << 22)
    assert (await anext(other)).events[0].guild_id == str(3 << 22)
    third = desk.client().pages(subscriber="mine", buckets=(2,))
    waiting = asyncio.ensure_future(anext(third))
    with pytest.raises(Conflict):
        async with asyncio.timeout(10):
            await anext(one)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await other.aclose()


async def test_in_a_restored_backup_a_subscriber_goes_on_where_it_stood_in_it(desk: Desk) -> None:
    start = await tell(desk.house, 4)

    async def restored(tx: Transaction) -> None:
        await tx.journal.acknowledge("mine", 0, start - 2)

    await desk.house.ledger.write(restored)
    pages = desk.client().pages(subscriber="mine")
    assert [event.seq for event in (await anext(pages)).events] == [start - 1, start]
    await pages.aclose()


async def test_strangers_and_clients_see_the_same_events(desk: Desk) -> None:
    last = await tell(desk.house, 2)
    stranger: StrangeClient = desk.stranger()
    await stranger.login("bot")
    stranger.say(asking.Follow(3, "1-0", (), None, None, (), 10))
    page = await stranger.hear(asking.Events)
    client: ZmqClient = desk.client()
    pages = client.pages("1-0")
    assert (await anext(pages)).events[-1] == page.events[-1]
    assert page.seq <= last
    await pages.aclose()

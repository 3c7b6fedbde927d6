"""Chains as people ask for them: what is refused when it is saved, and how they are shown and checked."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.service import chaining
from core.service.graph import cycle_in, in_order, longest_through, most_from_one, together
from schedule_zero import chain as views
from schedule_zero.chain import drawn
from schedule_zero.errors import Conflict, Forbidden, Invalid, NotFound, ScheduleZeroError
from schedule_zero.schedule import After, Schedule, ScheduleSpec
from schedule_zero.trigger import TextTrigger
from tests.engine.conftest import Build
from tests.engine.house import House
from tests.service.people import ANNA, BEN, MOD, STRANGER, Post, as_, post

DAILY = TextTrigger(text="every day at 9")


@pytest.fixture
async def house(build: Build) -> House:
    made = await build(run=False)
    made.engine.serve(Post())
    return made


async def made(house: House, name: str, *after: str | After, **fields: Any) -> Schedule:
    """A schedule by name that runs after others."""
    links = tuple(After(schedule=each) if isinstance(each, str) else each for each in after)
    values: dict[str, Any] = {"handler": "hands", "method": "work", "guild_id": "1", "name": name, **fields}
    if not links:
        values.setdefault("trigger", DAILY)
    return await house.client.create_schedule(ScheduleSpec(after=links, **values))


def field(refused: pytest.ExceptionInfo[Invalid]) -> str:
    return refused.value.errors[0].field


async def test_a_schedule_that_follows_needs_no_trigger_and_says_what_it_waits_for(house: House) -> None:
    backup, report = await made(house, "backup"), await made(house, "report")
    child = await made(house, "tell", backup.id, After(schedule=report.id, when="failure", delay="PT10M"))
    assert child.trigger is None
    assert child.words == "after backup succeeds, or 10 minutes after report fails"
    assert child.next_fire_times == ()
    assert child.after == (After(schedule=backup.id), After(schedule=report.id, when="failure", delay="PT10M"))
    assert child.policy.catchup_window is None
    preview = await house.client.preview_schedule(child.id)
    assert preview.fires == ()
    assert preview.notes == (f"it has no times of its own; it runs {child.words}",)
    both = await made(house, "both", backup.id, trigger=DAILY)
    assert both.words == "every day at 09:00; after backup succeeds"
    assert len(both.next_fire_times) == 5
    joined = await made(house, "join", *(After(schedule=each.id, when="all") for each in (backup, report)))
    assert joined.words == "after backup and report have succeeded"


async def test_a_schedule_without_times_says_its_links_once_after_they_change(house: House) -> None:
    one, two = await made(house, "one"), await made(house, "two")
    child = await made(house, "child", one.id)
    more = await house.client.add_link(child.id, two.id, when="any")
    assert more.words == "after one succeeds, or after two ends"
    assert (await house.client.remove_link(child.id, one.id)).words == "after two ends"


async def test_a_trigger_is_taken_away_and_given_again(house: House) -> None:
    one, child = await made(house, "one"), await made(house, "child")
    with pytest.raises(Invalid, match="trigger: is missing"):
        await house.client.patch_schedule(child.id, {"trigger": None})
    await house.client.add_link(child.id, one.id)
    without = await house.client.patch_schedule(child.id, {"trigger": None})
    assert (without.trigger, without.next_fire_times, without.state) == (None, (), "active")
    assert without.words == "after one succeeds"
    with pytest.raises(Conflict):
        await house.client.skip_occurrence(child.id)
    zone = await house.client.patch_schedule(child.id, {"timezone": "Europe/Rome"})
    assert (zone.timezone, zone.words) == ("Europe/Rome", "after one succeeds")
    again = await house.client.patch_schedule(child.id, {"trigger": {"type": "text", "text": "every day at 9"}})
    assert again.words == "every day at 09:00; after one succeeds"
    assert len(again.next_fire_times) == 5
    await house.client.pause_schedule(child.id)
    await house.client.patch_schedule(child.id, {"trigger": None})
    assert (await house.client.resume_schedule(child.id)).state == "active"


async def test_what_cannot_be_followed_is_refused_at_its_field(house: House) -> None:
    one = await made(house, "one")
    elsewhere = await made(house, "elsewhere", guild_id="2")
    gone = await made(house, "gone")
    await house.client.delete_schedule(gone.id)
    for link, place in (
        (After(schedule="sch_none"), "after[0].schedule"),
        (After(schedule=elsewhere.id), "after[0].schedule"),
        (After(schedule=gone.id), "after[0].schedule"),
        (After(schedule=one.id, delay="soon"), "after[0].delay"),
        (After(schedule=one.id, delay="P367D"), "after[0].delay"),
    ):
        with pytest.raises(Invalid) as refused:
            await made(house, "child", link)
        assert field(refused) == place
    with pytest.raises(Invalid, match="only success and failure of one go together"):
        await made(house, "child", After(schedule=one.id), After(schedule=one.id, when="any"))
    await made(house, "both ends", After(schedule=one.id), After(schedule=one.id, when="failure"))
    with pytest.raises(Invalid, match="trigger: is missing"):
        await house.client.create_schedule(ScheduleSpec(handler="hands", method="work", guild_id="1"))
    with pytest.raises(Invalid) as refused:
        await made(house, "child", one.id, until="2030-01-01T00:00:00Z")
    assert field(refused) == "until"


async def test_a_circle_is_refused_however_it_is_asked_for(house: House) -> None:
    first = await made(house, "A")
    second = await made(house, "B", first.id)
    third = await made(house, "C", second.id)
    with pytest.raises(Invalid, match="round in a circle: A → B → C → A"):
        await house.client.add_link(first.id, third.id)
    with pytest.raises(Invalid, match="round in a circle"):
        await house.client.patch_schedule(first.id, {"after": [{"schedule": third.id}]})
    with pytest.raises(Invalid, match="after itself"):
        await house.client.add_link(first.id, first.id)
    cut = await house.client.patch_schedule(second.id, {"after": [], "trigger": {"type": "text", "text": "@daily"}})
    await house.client.add_link(first.id, third.id)
    assert cut.undo is not None
    with pytest.raises(Conflict, match="cannot be brought back: that would go round in a circle"):
        await house.client.undo(cut.undo.token)


async def test_two_who_close_a_circle_at_once_do_not(house: House) -> None:
    first, second = await made(house, "A"), await made(house, "B")
    both = await asyncio.gather(
        house.client.add_link(first.id, second.id), house.client.add_link(second.id, first.id), return_exceptions=True
    )
    assert sum(isinstance(each, Schedule) for each in both) == 1
    assert sum(isinstance(each, Invalid) for each in both) == 1


async def test_undo_brings_links_back_and_takes_them_away(house: House) -> None:
    one, two = await made(house, "one"), await made(house, "two")
    linked = await house.client.add_link(two.id, one.id, delay="PT1M")
    assert linked.words == "every day at 09:00; 1 minute after one succeeds"
    assert linked.undo is not None
    undone = await house.client.undo(linked.undo.token)
    assert (undone.after, undone.words) == ((), "every day at 09:00")
    assert (await house.client.get_chain(one.id)).edges == ()
    assert undone.undo is not None
    assert (await house.client.undo(undone.undo.token)).after == linked.after
    assert len((await house.client.get_chain(one.id)).edges) == 1


async def test_links_are_added_changed_and_taken_away_one_by_one(house: House) -> None:
    one, two, child = await made(house, "one"), await made(house, "two"), await made(house, "child")
    await house.client.add_link(child.id, one.id)
    await house.client.add_link(child.id, two.id, when="failure")
    again = await house.client.add_link(child.id, one.id, delay="PT5M")
    assert {(link.schedule, link.when, link.delay) for link in again.after} == {
        (one.id, "success", "PT5M"), (two.id, "failure", "PT0S"),
    }  # fmt: skip
    left = await house.client.remove_link(child.id, one.id)
    assert [link.schedule for link in left.after] == [two.id]
    with pytest.raises(NotFound, match=f"^child does not run after '{two.id}' on any[.]$"):
        await house.client.remove_link(child.id, two.id, when="any")
    with pytest.raises(NotFound, match=f"does not run after '{one.id}'[.]$"):
        await house.client.remove_link(child.id, one.id)
    alone = await made(house, "alone", one.id)
    with pytest.raises(Conflict, match="Nothing would start"):
        await house.client.remove_link(alone.id, one.id)
    told = [event.data["changed"] for event in await house.told("schedule.updated")]
    assert told == [["after"]] * 4


async def test_a_chain_is_bounded_in_length_width_and_in_what_one_run_leads_to(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaining, "LONGEST", 3)
    monkeypatch.setattr(chaining, "MOST_CHILDREN", 2)
    monkeypatch.setattr(chaining, "MOST_FROM_ONE", 5)
    one = await made(house, "1")
    two = await made(house, "2", one.id)
    three = await made(house, "3", two.id)
    with pytest.raises(Invalid, match="more than 3 schedules would run one after another"):
        await made(house, "4", three.id)
    await made(house, "2b", one.id)
    with pytest.raises(Invalid, match="more than 2 schedules would run after"):
        await made(house, "2c", one.id)
    wide = await made(house, "3b", two.id)
    monkeypatch.setattr(chaining, "MOST_CHILDREN", 3)
    with pytest.raises(Invalid, match="could lead to more than 5 others"):
        await house.client.add_link(wide.id, one.id, when="failure")
    monkeypatch.setattr(chaining, "MOST_TOGETHER", 3)
    with pytest.raises(Invalid, match="more than 3 schedules would hang together"):
        await house.client.add_link(two.id, (await made(house, "0")).id)


async def test_the_items_of_a_batch_are_judged_together(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaining, "MOST_CHILDREN", 2)
    one = await made(house, "one")
    item = {"handler": "hands", "method": "work", "guild_id": "1", "after": [{"schedule": one.id}]}
    batch = await house.client.create_schedules([item, item, item, {**item, "after": [{"schedule": "sch_none"}]}])
    assert [each.status for each in batch.items] == [201, 201, 422, 422]
    assert len((await house.client.get_chain(one.id)).edges) == 2


async def test_what_one_may_not_see_cannot_be_followed_nor_is_it_shown(house: House) -> None:
    theirs = await post(house, MOD, name="theirs")
    with pytest.raises(NotFound):
        await as_(house, STRANGER).get_chain(theirs.id)
    with pytest.raises(NotFound):
        await as_(house, ANNA).get_chain(theirs.id)
    with pytest.raises(ScheduleZeroError):
        await as_(house, ANNA).add_link(theirs.id, theirs.id)
    with pytest.raises(Invalid, match="there is no schedule"):
        await post(house, MOD, after=(After(schedule=(await made(house, "other", guild_id="2")).id),))
    child = await post(house, MOD, name="child", after=(After(schedule=theirs.id),))
    assert {node.id for node in (await as_(house, MOD).get_chain(child.id)).nodes} == {theirs.id, child.id}
    assert (await as_(house, BEN).list_chains(guild_id="1")).items == ()
    assert len((await as_(house, MOD).list_chains(guild_id="1")).items) == 1
    with pytest.raises(NotFound):
        await as_(house, STRANGER).list_chains(guild_id="1")
    with pytest.raises((Forbidden, NotFound)):
        await as_(house, BEN).add_link(child.id, theirs.id)


async def test_a_chain_is_shown_whole_and_drawn(house: House) -> None:
    top = await made(house, "backup")
    left, right = await made(house, "left", top.id), await made(house, "right", After(schedule=top.id, when="failure"))
    bottom = await made(house, "bottom", *(After(schedule=each.id, when="all") for each in (left, right)))
    await made(house, "late", After(schedule=bottom.id, when="any", delay="PT10M"))
    await house.client.pause_schedule(right.id)
    chain = await house.client.get_chain(bottom.id)
    assert next(node.name for node in chain.nodes) == "backup"
    assert drawn(chain) == (
        "backup\n"
        "├─ on success: left\n"
        "│  └─ when all have succeeded: bottom\n"
        "│     └─ in any case, 10 min later: late\n"
        "└─ on failure: right [paused]\n"
        "   └─ when all have succeeded: bottom (see above)"
    )
    (whole,) = (await house.client.list_chains(guild_id="1")).items
    assert {node.id for node in whole.nodes} == {node.id for node in chain.nodes}
    alone = await made(house, "alone")
    assert drawn(await house.client.get_chain(alone.id)) == "alone"


async def test_chains_come_page_by_page(house: House) -> None:
    for number in range(3):
        await made(house, f"child {number}", (await made(house, f"parent {number}")).id)
    first = await house.client.list_chains(guild_id="1", limit=2)
    rest = await house.client.list_chains(guild_id="1", limit=2, cursor=first.next)
    assert [len(first.items), len(rest.items), rest.next] == [2, 1, None]
    assert len({node.id for chain in (*first.items, *rest.items) for node in chain.nodes}) == 6


async def test_what_was_followed_and_is_gone_is_shown_as_gone_and_found_by_the_check(house: House) -> None:
    one, two = await made(house, "one"), await made(house, "two")
    child = await made(house, "child", one.id)
    both = await made(house, "both", two.id, trigger=DAILY)
    assert (await house.client.check_chains(guild_id="1")).items == ()
    await house.client.delete_schedule(one.id)
    await house.client.delete_schedule(two.id)
    chain = await house.client.get_chain(child.id)
    assert [(node.title, node.state) for node in chain.nodes] == [("one", "gone"), ("child", "active")]
    assert chain.notes == ("one is gone: nothing follows any more",)
    report = await house.client.check_chains(guild_id="1")
    assert report.links == 2
    assert [(each.kind, each.schedules[0]) for each in report.items] == [
        ("gone", child.id), ("gone", both.id), ("never", child.id),
    ]  # fmt: skip
    kept = await house.client.patch_schedule(child.id, {"name": "other"})
    assert [link.schedule for link in kept.after] == [one.id]
    await house.rewrite(two.id, state="active", after=f'[{{"schedule":"{both.id}","when":"any","delay":"PT0S"}}]')
    await house.rewrite(one.id, state="active", guild_id="2")
    found = {each.kind: each for each in (await house.client.check_chains(any_guild=True)).items}
    assert set(found) == {"cycle", "foreign"}
    assert "two → both → two" in found["cycle"].words or "both → two → both" in found["cycle"].words


# ── what is taken from the parent ──────────────────────────────────────────────────────────────────────────────


async def test_placeholders_are_looked_at_when_they_are_saved(house: House) -> None:
    one = await made(house, "one")
    for args, sentence in (
        ({"n": "{parent.rows}"}, "args.n: '{parent.rows}' cannot be filled in"),
        ({"n": "{parent.result"}, "cannot be filled in"),
        ({"n": "{parent.state.x}"}, "only a result has parts"),
        ({"n": "{parent:two.state}"}, "it does not run after 'two'"),
        ({"m": "{parent.state}"}, "args.m"),
    ):
        with pytest.raises(Invalid, match=sentence.replace("{", r"\{").replace("(", r"\(")):
            await made(house, "child", one.id, args=args)
    await made(house, "by type", one.id, args={"n": "{parent.result.n}"})
    await made(house, "by name", one.id, args={"n": "{parent:one.result.n}"})
    await made(house, "by id", one.id, args={"n": f"{{parent:{one.id}.result.n}}"})
    with pytest.raises(Invalid, match=r"args\.n"):
        await made(house, "alone", args={"n": "{parent.result.n}"})


async def test_a_schedule_with_times_of_its_own_says_what_it_takes_then(house: House) -> None:
    one = await made(house, "one")
    with pytest.raises(Invalid, match=r"say what then: \{parent.result.n\|…\}"):
        await made(house, "child", one.id, trigger=DAILY, args={"n": "{parent.result.n}"})
    child = await made(house, "child", one.id, trigger=DAILY, args={"n": "{parent.result.n|7}"})
    with pytest.raises(Invalid, match="n"):
        await house.client.patch_schedule(child.id, {"after": []})
    house.run()
    assert (await house.ended((await house.run_now(child)).id)).result == {"n": 7}
    alone = await made(house, "no time", one.id, args={"n": "{parent.result.n}"})
    with pytest.raises(Invalid, match=r"args.n: .* this run follows none; give a value for this run"):
        await house.run_now(alone)
    assert (await house.ended((await house.run_now(alone, n=9)).id)).result == {"n": 9}


@pytest.mark.slow
async def test_at_its_own_time_a_run_takes_the_fallback(house: House) -> None:
    from schedule_zero.event import EventKind

    one = await house.schedule()
    child = await house.every(60, first_in=1, after=(After(schedule=one.id),), args={"n": "{parent.result.n|5}"})
    house.run()
    told = await house.heard(EventKind.RUN_SUCCEEDED, schedule_id=child.id)
    assert told.run_id is not None
    assert (await house.client.get_run(told.run_id)).result == {"n": 5}


# ── the graph ──────────────────────────────────────────────────────────────────────────────────────────────────

PAIRS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=20, unique=True)


def _reaches(pairs: list[tuple[str, str]], start: str) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        here = left.pop()
        for parent, child in pairs:
            if parent == here and child not in found:
                found.add(child)
                left.append(child)
    return found


@given(PAIRS)
def test_a_circle_is_found_exactly_where_there_is_one(pairs: list[tuple[str, str]]) -> None:
    way = cycle_in(pairs)
    assert (way is not None) is any(id in _reaches(pairs, id) for id in "abcdefgh")
    if way is not None:
        assert way[0] == way[-1]
        assert all(step in pairs for step in itertools.pairwise(way))


@given(PAIRS)
def test_without_a_circle_parents_come_first_and_ways_are_counted(pairs: list[tuple[str, str]]) -> None:
    ids = {id for pair in pairs for id in pair}
    if cycle_in(pairs) is not None:
        assert sorted(in_order(ids, pairs)) == sorted(ids)
        return
    order = in_order(ids, pairs)
    assert all(order.index(parent) < order.index(child) for parent, child in pairs)

    def ways(id: str) -> int:
        return 1 + sum(ways(child) for parent, child in pairs if parent == id)

    def depth(id: str, up: bool) -> int:
        return 1 + max((depth(b if up else a, up) for b, a in pairs if (a if up else b) == id), default=0)

    assert most_from_one(pairs) == max((ways(id) for id in ids), default=1)
    for id in ids:
        assert longest_through(id, pairs) == depth(id, up=True) + depth(id, up=False) - 1
    groups = together(pairs)
    assert sorted(id for some in groups for id in some) == sorted(ids)
    assert all(any({parent, child} <= some for some in groups) for parent, child in pairs)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=25))
def test_whatever_links_people_ask_for_no_circle_is_ever_saved(steps: list[tuple[int, int, bool]]) -> None:
    from core.ledger.memory import MemoryDatabase, MemoryDriver
    from tests.engine.house import HandClock

    async def live() -> None:
        database = MemoryDatabase()
        from core.ledger.ledger import StoredLedger

        house = House(lambda: StoredLedger(MemoryDriver(database.connect)), HandClock())
        await house.open(run=False)
        ids = [(await made(house, str(number))).id for number in range(6)]
        for child, parent, adding in steps:
            try:
                if adding:
                    await house.client.add_link(ids[child], ids[parent], when="any")
                else:
                    await house.client.remove_link(ids[child], ids[parent])
            except (Invalid, NotFound):
                pass
        pairs = [(edge.parent, edge.child) for chain in (await house.client.list_chains(guild_id="1")).items
                 for edge in chain.edges]  # fmt: skip
        assert cycle_in(pairs) is None
        assert (await house.client.check_chains(guild_id="1")).items == ()
        await house.kill()
        database.close()

    asyncio.run(live())


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=15, unique=True).map(
        lambda pairs: [(min(a, b), max(a, b)) for a, b in pairs if a != b]
    )
)
def test_a_drawn_chain_has_each_schedule_once_and_each_link(pairs: list[tuple[int, int]]) -> None:
    pairs = sorted(set(pairs))
    nodes = tuple(views.ChainNode(id=str(n), name=f"n{n}", state="active") for n in range(7))
    edges = tuple(views.ChainEdge(parent=str(a), child=str(b), when="any", delay="PT0S") for a, b in pairs)
    lines = drawn(views.ChainView(nodes=nodes, edges=edges)).splitlines()
    whole = [line for line in lines if not line.endswith("(see above)")]
    assert sorted(line.split()[-1] for line in whole) == [f"n{n}" for n in range(7)]
    assert sum("in any case" in line for line in lines) == len(pairs)

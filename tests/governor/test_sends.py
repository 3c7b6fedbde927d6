"""Sends: one channel's rate holds back that channel alone, and direct messages are counted for the guild, or the person."""

from __future__ import annotations

import random

import msgspec
import pytest

from core.governor.explain import sentence_of, why_of
from core.governor.fairness import FairQueue, Waiting
from core.governor.gates import SCOPES_KEPT
from core.governor.governor import Governor
from core.governor.measures import Measures, Stored
from core.governor.own_scopes import KEPT
from core.governor.ring import SMALL
from core.governor.sends import OTHERS, destination_of, guild_of
from core.governor.settings import GovernorSettings, GuildQuota, Plan
from core.governor.verdict import Admit, Wait
from schedule_zero.instant import parse

TREE = {"global"}
"""The rates of all that is sent."""
SEND, DM = "discord.send_message", "discord.send_dm"
FIVE = GovernorSettings(plans={"p": Plan(sends_per_channel="5/min", dms_per_hour=2)}, default_plan="p")


def channel(id: object, guild: str | None = "1") -> str:
    args = msgspec.json.encode({"channel_id": id, "content": "x"}).decode()
    return destination_of("send_message", args, guild, "111")


def take(governor: Governor, there: str, now: float, guild: str | None = "1", method: str = SEND) -> Admit | Wait:
    return governor.take(guild, method, ["bot"], now, there)


# ── which scope ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_counts_in_its_channel_under_its_own_guild() -> None:
    assert channel("789") == "channel:1/789"
    assert channel("789", "2") == "channel:2/789"
    assert channel("789", None) == ""


@pytest.mark.parametrize("id", ["{parent.result.channel}", "", 7, None, ["7"], "7/8", "x" * 5000])
def test_what_names_no_channel_beforehand_counts_in_one_for_all_of_these(id: object) -> None:
    assert channel(id) == f"channel:1/{OTHERS}"


@pytest.mark.parametrize("id", ["0789", "00000000000000000789"])
def test_however_a_channel_is_spelled_it_is_one_channel(id: str) -> None:
    assert channel(id) == channel("789")


def test_a_direct_message_counts_for_its_guild_and_outside_of_guilds_for_the_person_who_set_it() -> None:
    assert destination_of("send_dm", '{"user_id": "9"}', "1", "111") == "dms:1"
    assert destination_of("send_dm", '{"user_id": "9"}', None, "111") == "person:111"
    assert destination_of("send_dm", '{"user_id": "9"}', None, "token of the operator") == ""


def test_a_scope_tells_its_guild_whatever_the_guild_is_called() -> None:
    assert [guild_of(scope) for scope in ("channel:1/7", "channel:a/b/7", "dms:a/b", "person:1", "guild:1")] == [
        "1", "a/b", "a/b", None, None,
    ]  # fmt: skip


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_channel_used_up_leaves_the_others_and_other_guilds_alone() -> None:
    governor = Governor(FIVE)
    assert [isinstance(take(governor, "channel:1/7", 0.0), Admit) for _ in range(6)] == [True] * 5 + [False]
    assert take(governor, "channel:1/7", 0.0) == Wait("channel:1/7", "sends_per_channel", 5, 5, 12.0)
    assert take(governor, "channel:1/8", 0.0) == Admit("bot")
    assert take(governor, "channel:2/7", 0.0, "2") == Admit("bot")
    assert isinstance(take(governor, "channel:1/7", 12.0), Admit)


def test_direct_messages_are_counted_by_the_hour() -> None:
    governor = Governor(FIVE)
    assert [isinstance(take(governor, "dms:1", 0.0, method=DM), Admit) for _ in range(3)] == [True, True, False]
    assert take(governor, "person:111", 0.0, None, DM) == Admit("bot")
    assert isinstance(take(governor, "dms:1", 1800.0, method=DM), Admit)


def test_none_an_hour_is_none_until_that_changes() -> None:
    measures = Measures(GovernorSettings(plans={"p": Plan(dms_per_hour=0)}, default_plan="p"))
    governor = Governor(measures)
    assert take(governor, "dms:1", 0.0, method=DM) == Wait("dms:1", "dms_per_hour", 0, 0, None)
    measures.put("1", Stored(own=GuildQuota(dms_per_hour=1)), 0)
    governor.remeasure("1", 0.0)
    assert take(governor, "dms:1", 0.0, method=DM) == Admit("bot")


def test_a_refusal_charges_nothing_and_a_start_that_never_was_is_taken_back() -> None:
    governor = Governor(GovernorSettings(plans={"p": Plan(running=1, sends_per_channel="2/min")}, default_plan="p"))
    assert take(governor, "channel:1/7", 0.0) == Admit("bot")
    assert take(governor, "channel:1/7", 0.0) == Wait("guild:1", "running", 1, 1)
    governor.give_back("1", SEND, "bot", 0.0, "channel:1/7")
    for _ in range(2):
        assert take(governor, "channel:1/7", 1.0) == Admit("bot")
        governor.release("1", SEND, "bot", 0.1, 1.0)
    assert isinstance(take(governor, "channel:1/7", 1.0), Wait)
    assert governor.explain("1", SEND, ["bot"], 1.0, "channel:1/7") == take(governor, "channel:1/7", 1.0)


def test_no_window_ever_holds_more_than_the_rate_allows_for_any_channel() -> None:
    dice, governor, now = random.Random(1), Governor(FIVE), 0.0
    sent: dict[str, list[float]] = {}
    for _ in range(5000):
        now += dice.random() * 3
        there = f"channel:1/{dice.randrange(4)}"
        if isinstance(take(governor, there, now), Admit):
            if dice.random() < 0.2:
                governor.give_back("1", SEND, "bot", now, there)
            else:
                sent.setdefault(there, []).append(now)
    for times in sent.values():
        assert len(times) > 100
        assert all(later - earlier > 12.0 - 1e-6 for earlier, later in zip(times, times[5:], strict=False))


# ── settings, and restarts ─────────────────────────────────────────────────────────────────────────────────────


def test_a_changed_measure_holds_at_once_and_what_is_in_use_stays_in_use() -> None:
    measures = Measures(FIVE)
    governor = Governor(measures)
    for _ in range(5):
        take(governor, "channel:1/7", 0.0)
    measures.put("1", Stored(own=GuildQuota(sends_per_channel="10/min")), 0)
    governor.remeasure("1", 0.0)
    assert sum(isinstance(take(governor, "channel:1/7", 0.0), Admit) for _ in range(9)) == 5
    measures.put("1", Stored(own=GuildQuota(sends_per_channel=None)), 0)
    governor.remeasure("1", 0.0)
    assert take(governor, "channel:1/7", 0.0) == Admit("bot")
    assert governor.changed(0.0)["channel:1/7"] == 0.0


def test_a_restart_neither_forgets_nor_forgives() -> None:
    old = Governor(FIVE)
    for _ in range(5):
        take(old, "channel:1/7", 100.0)
    take(old, "person:111", 100.0, None, DM)
    kept = old.changed(100.0)
    assert kept == old.rate_state(100.0)
    new = Governor(FIVE)
    new.restore_rates(kept, 7.0)
    refused = take(new, "channel:1/7", 7.0)
    assert isinstance(refused, Wait)
    assert refused.until == pytest.approx(19.0)
    assert take(new, "channel:1/8", 7.0) == Admit("bot")
    assert [isinstance(take(new, "person:111", 7.0, None, DM), Admit) for _ in range(2)] == [True, False]


def test_channels_at_rest_are_forgotten_here_and_in_the_store_and_those_in_use_are_not() -> None:
    governor, now = Governor(FIVE), 0.0
    stored: dict[str, float] = {}
    for number in range(20 * KEPT):
        now += 1.0
        take(governor, f"channel:1/{number}", now)
        for _ in range(2):
            take(governor, "channel:1/busy", now)
        for scope, ahead in governor.changed(now).items():
            stored.pop(scope, None)
            if ahead:
                stored[scope] = ahead
    assert len(dict(governor.own.tats())) <= 2 * KEPT
    assert len(stored) <= 2 * KEPT
    assert isinstance(take(governor, "channel:1/busy", now), Wait)


def test_an_erased_guilds_channels_are_forgotten_and_what_it_sent_to_people_and_what_others_sent_is_not() -> None:
    governor = Governor(FIVE)
    mine, others = ["channel:1/7", "channel:1/8", "person:1"], ["channel:2/7", "dms:2", "person:2"]
    governor.restore_rates({"channel:1/9": 40.0, "channel:2/9": 40.0}, 0.0)
    for there in (*mine, "dms:1", *others):
        take(governor, there, 0.0, guild_of(there))
    governor.own.forget("1", person=False)
    assert set(governor.rate_state(0.0)) - TREE == {"person:1", "dms:1", "channel:2/9", *others}
    governor.own.forget("1", person=True)
    assert set(governor.rate_state(0.0)) - TREE == {"dms:1", "channel:2/9", *others}
    assert set(governor.changed(0.0)) - TREE == {"dms:1", *others}


def test_the_busiest_channels_and_the_direct_messages_of_a_guild_are_told() -> None:
    governor = Governor(FIVE)
    for number in range(4):
        for _ in range(number + 1):
            take(governor, f"channel:1/{number}", 0.0)
    take(governor, "channel:2/9", 0.0, "2")
    take(governor, "dms:1", 0.0, method=DM)
    dms, busy = governor.own.sends_of("1", 0.0, 3)
    assert [(each.scope, each.taken(0.0)) for each in busy] == [
        ("channel:1/3", 4), ("channel:1/2", 3), ("channel:1/1", 2),
    ]  # fmt: skip
    assert dms is not None
    assert dms.name == "dms:1"
    assert governor.own.sends_of("3", 0.0, 3) == (None, [])


# ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (Wait("channel:1/789", "sends_per_channel", 5, 5, 12.0),
         "Channel 789 has used 5 of 5 sends its rate allows; the next can start at 2026-11-21T12:00:12+00:00."),
        (Wait("dms:1", "dms_per_hour", 10, 10, 60.0),
         "Guild 1 has used 10 of 10 direct messages an hour; the next can start at 2026-11-21T12:01:00+00:00."),
        (Wait("person:111", "dms_per_hour", 10, 10, 60.0),
         "Person 111 has used 10 of 10 direct messages an hour; the next can start at 2026-11-21T12:01:00+00:00."),
        (Wait("channel:1/others", "sends_per_channel", 5, 5, 12.0),
         "What names its channel late has used 5 of 5 sends its rate allows; the next can start at 2026-11-21T12:00:12+00:00."),
    ],
)  # fmt: skip
def test_a_refusal_names_the_channel_its_use_and_when_the_next_may_go(wait: Wait, words: str) -> None:
    noon = parse("2026-11-21T12:00:00Z")
    assert sentence_of(wait, now=noon, monotonic=0.0) == words
    assert why_of(wait, now=noon, monotonic=0.0)["limit"] in ("sends_per_channel", "dms_per_hour")


# ── in the queue ───────────────────────────────────────────────────────────────────────────────────────────────


def entry(number: int, there: str) -> Waiting:
    return Waiting(f"run{number:05}", "1", SEND, "discord", 1, number, destination=there)


def test_runs_to_different_channels_do_not_wait_for_each_other() -> None:
    queue, governor = FairQueue(), Governor(FIVE)
    for number in range(20):
        queue.put(entry(number, "channel:1/7"))
    queue.put(entry(99, "channel:1/8"))
    out = []
    while (each := queue.next(0.0)) is not None:
        verdict = take(governor, each.destination, 0.0)
        if isinstance(verdict, Wait):
            queue.park(each, verdict)
        else:
            queue.started(each)
            out.append(each.destination)
    assert out == ["channel:1/7"] * 5 + ["channel:1/8"]
    assert queue.wake_at(0.0) == 12.0
    held = queue.why("run00010")
    assert held is not None
    assert held.scope == "channel:1/7"


def test_channels_come_and_go_without_leaving_anything_in_the_queue() -> None:
    queue, governor, now = FairQueue(), Governor(FIVE), 0.0
    for number in range(5 * SCOPES_KEPT):
        now += 100.0
        there = f"channel:1/{number}"
        for turn in range(6):
            queue.put(entry(number * 10 + turn, there))
        for moment in (now, now + 12.0):
            while (each := queue.next(moment)) is not None:
                verdict = take(governor, each.destination, moment)
                if isinstance(verdict, Wait):
                    queue.park(each, verdict)
                else:
                    queue.started(each)
                    queue.finished(each, 0.01)
                    governor.release("1", SEND, "bot", 0.01, moment)
        assert queue.waiting() == 0
    [account] = queue._accounts.values()
    assert len(account.shares[1].lanes) <= 2 * SMALL
    assert len(queue._gates._by_scope) <= 2 * SCOPES_KEPT


@pytest.mark.slow
def test_of_many_channels_the_run_that_is_due_first_is_next_whatever_comes_and_goes() -> None:
    dice, queue = random.Random(7), FairQueue()
    here: dict[str, Waiting] = {}
    parked: list[str] = []
    for number in range(4000):
        deed = dice.random()
        if deed < 0.55 or not here:
            made = Waiting(
                f"run{number:05}", "1", SEND, "discord", 1, dice.randrange(10**6),
                destination=f"channel:1/{dice.randrange(200)}",
            )  # fmt: skip
            queue.put(made)
            here[made.run_id] = made
        elif deed < 0.7:
            gone = here[dice.choice(sorted(here))]
            if gone.destination not in parked:
                queue.withdraw(gone.run_id)
                del here[gone.run_id]
        else:
            first = min(
                (each for each in here.values() if each.destination not in parked),
                key=lambda each: (each.due, each.run_id), default=None,
            )  # fmt: skip
            given = queue.next(0.0)
            assert given is first
            if given is not None and deed < 0.8:
                queue.park(given, Wait(given.destination, "sends_per_channel", 1, 1, 60.0))
                parked.append(given.destination)
            elif given is not None:
                queue.started(given)
                queue.finished(given, 0.01)
                del here[given.run_id]

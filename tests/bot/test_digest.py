"""What was skipped is told once per guild and hour, with how often it was; nothing of it is lost and nothing told twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from bot import notices
from bot.aside import Aside
from bot.digest import HOUR_S, Digest, whose
from bot.notice_letters import Notice, letter_of, notice_of
from schedule_zero.event import Event, EventKind
from schedule_zero.views import GuildChannels, GuildSettings
from tests.bot.stage import Host, connected
from tests.bot.telling import AT, GUILD, blocked, choose, event_of, make_schedule, tell
from tests.bot.test_aside import Naps
from tests.discord_server import world
from tests.discord_server.app import DiscordServer


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def skipped(seq: int, reason: str = "overlap", number: int = 1, **fields: Any) -> Notice:
    schedule = make_schedule(Host(), number, **fields)
    return notice_of(event_of(EventKind.RUN_SKIPPED, schedule, seq, reason=reason), schedule)


def never(place: str) -> bool:
    return False


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def aside() -> Aside:
    return Aside(None)


@pytest.fixture
def digest(aside: Aside, clock: Hand) -> Digest:
    return Digest(aside, clock)


def test_the_first_is_told_at_once_and_what_follows_waits_for_the_hour(digest: Digest, clock: Hand) -> None:
    page = [skipped(1), skipped(2, number=2)]
    assert digest.divide(page, never) == (page, {})
    clock.now += 60
    more = [skipped(3), skipped(4, "quota")]
    now, later = digest.divide(more, never)
    assert (now, list(later.values())) == ([], [more])
    assert digest.gather(later, set()) == {f"{GUILD}/skipped": HOUR_S - 60}
    clock.now += HOUR_S
    waits_still = digest.divide([skipped(5)], never)
    assert (waits_still[0], len(waits_still[1])) == ([], 1)


def test_after_a_quiet_hour_it_is_told_at_once_again(digest: Digest, clock: Hand) -> None:
    digest.divide([skipped(1)], never)
    clock.now += HOUR_S
    page = [skipped(2)]
    assert digest.divide(page, never) == (page, {})


def test_guilds_and_persons_have_an_hour_each_and_what_is_urgent_waits_for_none(digest: Digest) -> None:
    digest.divide([skipped(1)], never)
    other, person = skipped(2, guild_id="77"), skipped(3, metadata={"kind": "reminder"})
    assert person.guild_id is None
    host = Host()
    event = blocked(host)
    urgent = notice_of(event, host.client.world.schedules[event.schedule_id or ""])
    assert digest.divide([other, person, urgent], never) == ([other, person, urgent], {})


def test_what_was_told_is_not_put_aside_when_its_page_comes_again(digest: Digest) -> None:
    page = [skipped(1)]
    digest.divide(page, never)
    assert digest.divide(page, lambda place: place == "1-1") == (page, {})


def test_what_happens_often_is_counted_and_not_kept_so_often(aside: Aside) -> None:
    aside.gather("g/skipped", [skipped(seq) for seq in range(1, 5000)], set())
    aside.gather("g/skipped", [skipped(seq) for seq in range(4000, 5000)], set())  # the page came again
    aside.gather("g/skipped", [skipped(6000, number=2)], set())
    often, once = aside.of("g/skipped")
    assert (often.times, often.place, once.times) == (4999, "1-4999", 1)
    assert letter_of([often, once]).content.splitlines() == [
        "⏭ **standup 1** was skipped, because an earlier run of it was not over. `sch_00000000000000000001` (4,999 times)",
        "⏭ **standup 2** was skipped, because an earlier run of it was not over. `sch_00000000000000000002`",
    ]


def test_what_comes_while_it_is_being_told_counts_for_the_next_hour(aside: Aside) -> None:
    aside.gather("g/skipped", [skipped(1), skipped(2)], set())
    telling = aside.of("g/skipped")
    aside.gather("g/skipped", [skipped(3), skipped(4)], {each.place for each in telling})
    aside.take("g/skipped", telling)
    assert [(each.place, each.times) for each in aside.of("g/skipped")] == [("1-4", 2)]


def test_the_core_is_asked_for_the_words_once_an_hour(digest: Digest, clock: Hand) -> None:
    first = _event(1, "quota")
    assert digest.again(first) is None
    digest.learn(first, skipped(1, "quota"))
    again = digest.again(_event(2, "quota"))
    assert again is not None
    assert (again.place, again.times) == ("1-2", 1)
    assert digest.again(_event(3, "overlap")) is None
    digest.learn(_event(4, "missed"), skipped(4, "missed"))
    assert digest.again(_event(5, "missed")) is None
    clock.now += HOUR_S
    assert digest.again(_event(6, "quota")) is None


def _event(seq: int, reason: str) -> Event:
    return event_of(EventKind.RUN_SKIPPED, make_schedule(Host()), seq, reason=reason)


def test_a_shelf_is_somebodys() -> None:
    assert [whose(shelf) for shelf in ("1", "1/skipped", "@2/skipped")] == ["1", "1", "@2"]


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Naps]:
    naps = Naps()
    monkeypatch.setattr(notices, "_sleep", naps.nap)
    yield naps
    naps.end()


@pytest.mark.slow
async def test_a_guild_whose_runs_are_skipped_all_the_time_hears_of_it_once_an_hour(
    server: DiscordServer, naps: Naps
) -> None:
    async with connected(server, None) as host:
        choose(host, log=world.GENERAL)
        schedule = make_schedule(host, state="active")
        for start in range(1, 301, 50):
            events = [event_of(EventKind.RUN_SKIPPED, schedule, start + n, reason="quota") for n in range(50)]
            await tell(host, *events)
        assert len(server.history(world.GENERAL)) == 1
        assert [HOUR_S - 60 <= pause <= 1.2 * HOUR_S for pause in naps.asked] == [True]
        naps.end()
        await server.wait_messages(2, channel_id=world.GENERAL)
    first, hours = sorted(server.history(world.GENERAL), key=lambda message: int(message["id"]))
    words = "**standup 1** was skipped, because the runs its server may have are used up."
    assert words in first["content"]
    assert first["content"].endswith("(50 times)")
    assert hours["content"].endswith("(250 times)")


@pytest.mark.slow
async def test_a_server_that_is_slowed_down_and_the_operators_hear_of_it_once(server: DiscordServer) -> None:
    event = Event(
        epoch=1, seq=9, at=AT, kind=EventKind.QUOTA_REACHED, guild_id=GUILD,
        data={"scope": f"guild:{GUILD}", "limit": "suspicion", "rule": "links", "until": 1_800_000_000_000_000,
              "words": "sent 60 messages with links within an hour"},
    )  # fmt: skip
    async with connected(server, None, operator_guild_id=str(world.OTHER_GUILD)) as host:
        choose(host, default=world.GENERAL)
        channels = GuildChannels(default=str(world.OTHER_GENERAL))
        host.client.world.settings[str(world.OTHER_GUILD)] = GuildSettings(
            guild_id=str(world.OTHER_GUILD), channels=channels
        )
        await tell(host, event)
        await tell(host, event)
        await tell(host, msgspec.structs.replace(event, seq=10, data={"limit": "runs_per_day"}))
    (own,) = server.history(world.GENERAL)
    assert own["content"] == (
        "🐢 This server sent 60 messages with links within an hour, so its messages go out slowly until "
        "<t:1800000000:F> (<t:1800000000:R>). Nothing was deleted."
    )
    (theirs,) = server.history(world.OTHER_GENERAL)
    assert theirs["content"].startswith(
        f"🐢 Server `{GUILD}` sent 60 messages with links within an hour. It is slowed down"
    )


def test_notices_that_an_earlier_version_put_aside_are_read() -> None:
    old = b'{"place":"1-7","at":"x","guild_id":"1","owner_id":"2","schedule_id":"s","line":"l","title":"t"}'
    assert msgspec.json.decode(old, type=Notice).gist == "s was missed"

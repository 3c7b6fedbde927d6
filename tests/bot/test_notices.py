"""What people have to hear of, they hear once: a guild in the channel it chose, a person in private."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot import notices
from schedule_zero.event import EventKind
from tests.bot.stage import POST_MESSAGE, ShiftedClock, connected
from tests.bot.telling import AT, blocked, choose, event_of, make_schedule, tell
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.permissions import Permission

pytestmark = pytest.mark.slow


async def test_a_blocked_schedule_is_told_once_with_a_button_to_resume(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, default=world.NEWS, failures=world.GENERAL)
        await tell(host, blocked(host))
    (message,) = server.history(world.GENERAL)
    assert "**standup 1** is blocked" in message["content"]
    assert "the channel no longer exists" in message["content"]
    (button,) = message["components"][0]["components"]
    assert (button["label"], button["custom_id"]) == ("Resume", "sz1:resume:sch_00000000000000000001:3")


async def test_a_message_of_unknown_fate_is_told_with_a_button_to_post_it_again(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, default=world.GENERAL)
        failed = event_of(EventKind.RUN_FAILED, make_schedule(host), reason="unknown", error="unknown: nobody can tell")
        await tell(host, failed)
    (message,) = server.history(world.GENERAL)
    (button,) = message["components"][0]["components"]
    assert (button["label"], button["custom_id"]) == ("Post again", "sz1:again:run_00000000000000000001:")


async def test_after_an_outage_a_guild_gets_one_message(server: DiscordServer) -> None:
    # Complaint 22: after downtime nothing, or a flood.
    async with connected(server, None) as host:
        choose(host, log=world.GENERAL)
        missed = {"from": AT, "to": AT, "count": 180}
        events = [
            event_of(
                EventKind.RUN_SKIPPED,
                make_schedule(host, number, state="active"),
                number,
                reason="missed",
                missed=missed,
            )
            for number in range(1, 61)
        ]
        await tell(host, *events)
    (message,) = server.history(world.GENERAL)
    assert len(message["content"]) <= 2_000
    assert "**standup 1** was missed while the service was away: 180 times, from <t:" in message["content"]
    assert "more" in message["content"].splitlines()[-1]


async def test_what_nobody_needs_to_hear_is_not_told(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, default=world.GENERAL)
        schedule = make_schedule(host)
        await tell(
            host,
            event_of(EventKind.RUN_SUCCEEDED, schedule),
            event_of(EventKind.RUN_FAILED, schedule, reason="rejected"),
            event_of(EventKind.RUN_SKIPPED, schedule, reason="superseded"),
            msgspec.structs.replace(event_of(EventKind.CORE_STARTED, schedule), schedule_id=None),
            event_of(EventKind.SCHEDULE_BLOCKED, msgspec.structs.replace(schedule, id="sch_99999999999999999999")),
        )
    assert server.messages() == []


async def test_a_repeated_page_tells_nothing_twice(server: DiscordServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as host:
        choose(host, default=world.GENERAL)
        events = [blocked(host, 1, 7), blocked(host, 2, 8)]
        await tell(host, *events)
        server.forget_nonces()
        await tell(host, events[0])
        await tell(host, *events, blocked(host, 3, 9))
    async with connected(server, tmp_path) as host:
        choose(host, default=world.GENERAL)
        await tell(host, blocked(host, 1, 7), blocked(host, 2, 8), blocked(host, 3, 9), blocked(host, 4, 10))
    told = [message["content"] for message in server.history(world.GENERAL)]
    assert [sorted(number for number in "1234" if f"standup {number}" in text) for text in told] == [
        ["1", "2"],
        ["3"],
        ["4"],
    ]


async def test_a_notice_cut_off_between_post_and_answer_is_not_told_again(
    server: DiscordServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as host:
        choose(host, default=world.GENERAL)
        fault = server.fault(POST_MESSAGE, "hang", when="after")
        telling = asyncio.create_task(tell(host, blocked(host, 1, 7), blocked(host, 2, 8)))
        await server.wait_fault(fault.id)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        server.clear_faults()
    async with connected(server, tmp_path) as host:
        choose(host, default=world.GENERAL)
        await tell(host, blocked(host, 1, 7), blocked(host, 2, 8), blocked(host, 3, 9))
    assert len(server.history(world.GENERAL)) == 2
    assert sum("standup 1" in message["content"] for message in server.history(world.GENERAL)) == 1


async def test_without_a_usable_channel_the_author_is_told_in_person(server: DiscordServer) -> None:
    # Complaint 2: items vanish and nobody is told.
    async with connected(server, None) as host:
        choose(host, failures=world.READ_ONLY, default=999)
        await tell(host, blocked(host))
        await tell(host, blocked(host, 2, 8, guild_id=None))
    assert len(server.history(server.direct_messages(world.MEMBER))) == 2


REMINDER = {"kind": "reminder"}
DIRECT = {"method": "send_dm", "args": {"user_id": str(world.MEMBER), "content": "see Dr. X"}}
HERE = {"args": {"channel_id": str(world.GENERAL), "content": "see Dr. X"}}


@pytest.mark.parametrize(
    "fields",
    [{"metadata": REMINDER} | DIRECT, {"metadata": REMINDER} | HERE, DIRECT],
    ids=["a reminder in person", "a reminder in a channel", "a direct message"],
)
async def test_of_a_private_text_its_owner_hears_in_person_and_no_channel_does(
    server: DiscordServer, fields: dict[str, Any]
) -> None:
    private = {"name": None, "owner_id": str(world.MEMBER)} | fields
    async with connected(server, None) as host:
        choose(host, default=world.NEWS, failures=world.GENERAL, log=world.GENERAL)
        missed = event_of(EventKind.RUN_SKIPPED, make_schedule(host, 2, **private), 8, reason="missed")
        unknown = event_of(EventKind.RUN_FAILED, make_schedule(host, 3, **private), 9, reason="unknown")
        await tell(host, blocked(host, 1, 7, **private), missed, unknown)
        server.accept_dms(world.MEMBER, accepts=False)
        await tell(host, blocked(host, 4, 10, **private))
    (message,) = server.history(server.direct_messages(world.MEMBER))
    assert message["content"].count("see Dr. X") == 3
    assert len(server.messages()) == 1


async def test_of_what_nobody_could_be_told_the_log_says_what_it_was_and_nothing_private(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.accept_dms(world.MEMBER, accepts=False)
    private: dict[str, Any] = {"name": None, "owner_id": str(world.MEMBER), "metadata": REMINDER} | DIRECT
    async with connected(server, None) as host:
        schedules = [make_schedule(host, number, **private) for number in (1, 2, 3)]
        missed = event_of(EventKind.RUN_SKIPPED, schedules[1], 8, reason="missed")
        unknown = event_of(EventKind.RUN_FAILED, schedules[2], 9, reason="unknown")
        await tell(host, blocked(host, 1, 7, **private), missed, unknown)
    assert (
        f"nobody could be told: {schedules[0].id} will not run until it is resumed, {schedules[1].id} was missed, "
        f"it is not known whether {schedules[2].id} posted"
    ) in caplog.text
    assert "Dr. X" not in caplog.text


async def test_without_a_channel_every_owner_hears_of_their_own_and_of_nobody_elses(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        await tell(
            host,
            blocked(host, 1, 7, owner_id=str(world.MEMBER)),
            blocked(host, 2, 8, owner_id=str(world.MODERATOR)),
            blocked(host, 3, 9, owner_id=str(world.MEMBER), guild_id=str(world.OTHER_GUILD)),
            blocked(host, 4, 10, owner_id=str(world.MEMBER), metadata=REMINDER),
        )
    told = {
        who: [message["content"] for message in server.history(server.direct_messages(who))]
        for who in (world.MEMBER, world.MODERATOR)
    }
    assert [[number for number in "1234" if f"standup {number}" in text] for text in told[world.MEMBER]] == [
        ["1", "3", "4"]
    ]
    assert [[number for number in "1234" if f"standup {number}" in text] for text in told[world.MODERATOR]] == [["2"]]


async def test_a_digest_names_on_each_button_what_it_is_for(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, default=world.GENERAL)
        await tell(host, *(blocked(host, number, number) for number in range(1, 31)))
        await tell(host, *(blocked(host, number, number, name=f"*{'x' * 90}") for number in (31, 32)))
    digest, long = server.history(world.GENERAL)
    buttons = [button for row in digest["components"] for button in row["components"]]
    assert [button["label"] for button in buttons] == [f"Resume: standup {number}" for number in range(1, 26)]
    assert [button["custom_id"][-3:] for button in buttons][:2] == ["1:3", "2:3"]
    assert digest["content"].splitlines()[-1].endswith("more; `/schedule list` shows them all")
    label = long["components"][0]["components"][0]["label"]
    assert label.startswith("Resume: *xxx")
    assert len(label) == 80


async def test_a_notice_is_told_once_although_its_page_shrank_after_a_crash(
    server: DiscordServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as host:
        choose(host, default=world.GENERAL)
        fault = server.fault(POST_MESSAGE, "hang", when="after")
        telling = asyncio.create_task(tell(host, blocked(host, 1, 7), blocked(host, 2, 8)))
        await server.wait_fault(fault.id)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        server.clear_faults()
    for _ in range(2):
        async with connected(server, tmp_path) as host:
            choose(host, default=world.GENERAL)
            events = [blocked(host, 1, 7), blocked(host, 2, 8), blocked(host, 3, 9)]
            del host.client.world.schedules[events[0].schedule_id or ""]
            await tell(host, *events)
    told = [message["content"] for message in server.history(world.GENERAL)]
    assert [[number for number in "123" if f"standup {number}" in text] for text in told] == [["1", "2"], ["3"]]


@pytest.mark.parametrize("chosen", [None, world.READ_ONLY, world.NEWS], ids=["in person", "refused", "another channel"])
async def test_a_notice_cut_off_is_looked_for_where_it_was_begun(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock, chosen: int | None
) -> None:
    begun = world.GENERAL if chosen == world.NEWS else None
    async with connected(server, tmp_path) as host:
        choose(host, **({} if begun is None else {"default": begun}))
        fault = server.fault(POST_MESSAGE, "hang", when="after")
        telling = asyncio.create_task(tell(host, blocked(host)))
        await server.wait_fault(fault.id)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        server.clear_faults()
    clock.ahead += 3_600
    server.advance_clock(3_600)
    async with connected(server, tmp_path) as host:
        choose(host, **({} if chosen is None else {"default": chosen}))
        await tell(host, blocked(host))
    assert len(server.messages()) == 1


async def test_who_cannot_be_told_holds_nobody_else_up(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host)
        await tell(host, blocked(host, owner_id=str(world.CLOSED)))
        await tell(host, blocked(host, 2, 8, owner_id="operator"))
        choose(host, default=world.GENERAL)
        await tell(host, blocked(host, 3, 9))
    assert len(server.messages()) == 1


async def test_while_discord_is_away_the_notice_waits(server: DiscordServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(notices, "_sleep", wait)
    async with connected(server, None) as host:
        choose(host, default=world.GENERAL)
        server.fault(POST_MESSAGE, "status", status=503)
        await tell(host, blocked(host))
        await server.wait_messages(1)
    assert 5.0 <= waited[0] <= 6.0
    assert len(server.messages()) == 1


async def test_an_author_who_left_is_told_of_as_such(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, default=world.GENERAL)
        await tell(host, blocked(host, state="needs_owner"))
    assert "waits for a new owner" in server.history(world.GENERAL)[0]["content"]


@pytest.mark.parametrize("deny", [Permission.SEND_MESSAGES, Permission.VIEW_CHANNEL])
async def test_a_right_taken_away_later_falls_back_to_the_default(server: DiscordServer, deny: Permission) -> None:
    async with connected(server, None) as host:
        choose(host, failures=world.NEWS, default=world.GENERAL)
        server.set_overwrite(world.NEWS, world.BOT_ROLE, deny=int(deny))
        await tell(host, blocked(host))
    assert len(server.messages(world.GENERAL)) == 1

"""How the runs of a job ended is told in the channel that was chosen for it, on the occasions that were chosen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schedule_zero import requests as ask
from schedule_zero.errors import Invalid
from schedule_zero.event import Event, EventKind
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from tests.bot.fake_core import START, make_run
from tests.bot.stage import Host, connected
from tests.bot.telling import choose, event_of, make_schedule, tell
from tests.discord_server import world
from tests.discord_server.app import DiscordServer

pytestmark = pytest.mark.slow
SECOND_RUN = "run_00000000000000000002"


def _job(host: Host, on: str = "fail", channel: int = world.NEWS, **fields: Any) -> Schedule:
    metadata = {"notify": str(channel), "notify_on": on}
    plain = {"handler": "reports", "method": "build", "args": {"token": "hunter2"}, "state": "active"}
    return make_schedule(host, metadata=metadata, **(plain | fields))


def _ended(job: Schedule, kind: EventKind, seq: int = 7, run: str = "run_00000000000000000001", **data: Any) -> Event:
    return msgspec.structs.replace(event_of(kind, job, seq, **data), run_id=run)


async def test_a_failure_is_told_in_the_chosen_channel_with_its_reason_and_a_button(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, default=world.GENERAL, failures=world.GENERAL)
        failed = _ended(_job(host), EventKind.RUN_FAILED, reason="error", error="ValueError: hunter2 is wrong")
        await tell(host, failed)
    (message,) = server.history(world.NEWS)
    assert message["content"].startswith("❌ **standup 1** failed: ValueError: ")
    assert "hunter2" not in message["content"]
    (button,) = message["components"][0]["components"]
    assert (button["label"], button["custom_id"]) == ("Show run", "sz1:show_run:run_00000000000000000001:")
    assert server.history(world.GENERAL) == []


async def test_what_one_run_was_given_in_secret_is_not_told(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        failed = _ended(_job(host), EventKind.RUN_FAILED, reason="error", error="ValueError: swordfish is wrong")
        run = make_run(failed.run_id or "", failed.schedule_id or "", RunState.FAILED, args={"token": "swordfish"})
        host.client.world.runs[run.id] = run
        await tell(host, failed)
    (message,) = server.history(world.NEWS)
    assert "ValueError: " in message["content"]
    assert "swordfish" not in message["content"]


async def test_where_the_core_does_not_say_what_is_secret_the_error_is_left_out(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        host.client.world.refuse[ask.GetRun] = Invalid("this core knows no runs")
        await tell(
            host, _ended(_job(host), EventKind.RUN_FAILED, reason="error", error="ValueError: swordfish is wrong")
        )
    (message,) = server.history(world.NEWS)
    assert message["content"].startswith("❌ **standup 1** failed: ")
    assert "swordfish" not in message["content"]


@pytest.mark.parametrize(
    ("on", "ends", "told"),
    [
        ("fail", ["succeeded", "failed", "timed_out"], ["❌", "⏱️"]),
        ("always", ["succeeded", "failed"], ["✅", "❌"]),
        ("change", ["succeeded", "failed", "failed", "succeeded", "succeeded"], ["❌", "✅"]),
        ("nonsense", ["succeeded", "failed"], ["❌"]),
    ],
)  # fmt: skip
async def test_it_is_told_on_the_chosen_occasions(
    server: DiscordServer, on: str, ends: list[str], told: list[str]
) -> None:
    async with connected(server, None) as host:
        job = _job(host, on)
        for number, end in enumerate(ends, 1):
            run = make_run(f"run_{number:020d}", job.id, RunState(end))
            host.client.world.runs = {run.id: run, **host.client.world.runs}  # the newest first, as the core lists them
            host.client.world.finish_runs = False
            await tell(host, _ended(job, EventKind(f"run.{end}"), number, run.id))
    assert [message["content"].partition(" ")[0] for message in server.history(world.NEWS)] == told


async def test_a_run_somebody_waited_for_too_long_is_told_whatever_was_chosen(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        job = _job(host)
        early = (START - timedelta(minutes=20)).isoformat()
        for id, due, occurrence in (
            ("run_00000000000000000001", early, "m:1"), (SECOND_RUN, early, "t:1"),
            ("run_00000000000000000003", START.isoformat(), "m:3"),
        ):  # fmt: skip
            host.client.world.runs[id] = make_run(id, job.id, RunState.SUCCEEDED, due=due, occurrence=occurrence)
            await tell(host, _ended(job, EventKind.RUN_SUCCEEDED, int(id[-1]), id))
    (message,) = server.history(world.NEWS)
    assert message["content"].startswith("✅ **standup 1** succeeded.")


async def test_a_job_is_looked_up_once_and_again_when_it_changed(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        quiet = make_schedule(host, handler="reports", method="build", state="active")
        for seq in range(1, 6):
            await tell(host, _ended(quiet, EventKind.RUN_FAILED, seq, reason="rejected"))
        assert len(host.client.world.of(ask.GetSchedule)) == 1
        job = _job(host)
        await tell(host, event_of(EventKind.SCHEDULE_UPDATED, job, 6), _ended(job, EventKind.RUN_FAILED, 7))
    (message,) = server.history(world.NEWS)
    assert "failed: nothing is known of the reason" in message["content"]


async def test_a_channel_that_cannot_be_used_gives_way_to_the_servers(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, failures=world.GENERAL)
        await tell(host, _ended(_job(host, channel=99), EventKind.RUN_FAILED, reason="rejected"))
    (message,) = server.history(world.GENERAL)
    assert "**standup 1** failed: rejected" in message["content"]


async def test_messages_are_not_told_of_as_jobs(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        posts = _job(host, handler="discord", method="send_message")
        await tell(host, _ended(posts, EventKind.RUN_FAILED, reason="rejected"))
    assert server.messages() == []

"""The server as a process: it outlives its bots, says what is wrong, and ends when told."""

import asyncio
from pathlib import Path

import aiohttp
import msgspec
import pytest

from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.invocation import NotPossible
from tests.discord_server.process import DiscordProcess
from tests.discord_server.records import JournalEntry
from tests.discord_server.sample_bot import Bot, point_at, running
from tests.discord_server.state import Settings


@pytest.mark.slow
async def test_the_process_outlives_its_bots_and_keeps_their_messages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = tmp_path / "messages.jsonl"
    async with DiscordProcess(Settings(state_file=state, nonce_seconds=60)) as server:
        point_at(server.api_url, server.address.gateway, monkeypatch)
        for _ in range(2):
            async with running(Bot()) as bot:
                await bot.get_partial_messageable(world.GENERAL).send("tea", nonce="run-1")
                answer = await server.invoke("remind me", {"when": "in 1 hour"})
                assert answer.content.startswith("in 1 hour")
        assert [entry.duplicate for entry in await server.wait_messages(2)] == [False, True]
        assert len(await server.history(world.GENERAL)) == 1
        lines = state.read_bytes().splitlines()
        assert [msgspec.json.decode(line, type=JournalEntry).nonce for line in lines] == ["run-1", "run-1"]
        assert await server.stop() == 0


@pytest.mark.slow
async def test_a_taken_port_is_told_in_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    async with DiscordServer() as server:
        taken = DiscordProcess(port=int(server.url.rsplit(":", 1)[1]))
        with pytest.raises(RuntimeError, match="ended with 1"):
            await taken.start()
    assert capfd.readouterr().err.startswith("the simulated Discord cannot start:")


@pytest.mark.slow
async def test_control_errors_say_what_is_wrong() -> None:
    async with DiscordProcess() as server:
        with pytest.raises(NotPossible, match="no command /remind is synced"):
            await server.invoke("remind me")
        with pytest.raises(TimeoutError, match="message number 1"):
            await server.wait_messages(timeout=0.05)
        with pytest.raises(ValueError, match="unknown field"):
            await server.act("delete_channel", channel="general")
        with pytest.raises(LookupError, match="77"):
            await server.wait_fault(77)


@pytest.mark.slow
async def test_the_process_ends_on_sigterm_even_while_a_request_hangs() -> None:
    async with DiscordProcess() as server:
        fault = await server.fault("GET /users/*", "hang")
        async with aiohttp.ClientSession(headers={"Authorization": f"Bot {server.address.token}"}) as bot:
            hanging = asyncio.create_task(bot.get(server.api_url + "/users/1"))
            await server.wait_fault(fault.id)
            assert await server.stop() == 0
            with pytest.raises(aiohttp.ClientError):
                await hanging


@pytest.mark.slow
async def test_the_process_ends_with_whoever_started_it() -> None:
    async with DiscordProcess() as server:
        assert await server.let_go() == 0

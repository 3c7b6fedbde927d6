"""What lasts over a restart, and what the playground may grow to."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import discord
import pytest
import simcord
from discord.webhook.async_ import async_context

from bot.playground import history, keeping, simcord_internals
from bot.playground.playground import Playground, PlaygroundUnavailable
from bot.playground.simcord_internals import PINNED
from tests.playground.conftest import Start, Started
from tests.playground.tiny_bot import TinyBot
from tests.playground.visitor import Visitor

pytestmark = pytest.mark.slow


async def test_messages_outlive_a_restart_and_ephemeral_answers_do_not(start: Start) -> None:
    started = await start()
    visitor = await Visitor(started.site, "general").open()
    await started.post("lasting")
    await visitor.run("note", when="tea")
    await visitor.sees("noted: tea")
    assert (await Visitor((await start()).site, "general").open()).texts == ["lasting"]


async def test_what_belongs_to_one_process_does_not_come_back_half(start: Start) -> None:
    started = await start()
    general, staff = (started.bot.get_channel(started.channel(name)) for name in ("general", "staff"))
    assert isinstance(general, discord.TextChannel)
    assert isinstance(staff, discord.TextChannel)
    thread = await staff.create_thread(name="aside", type=discord.ChannelType.public_thread)
    await thread.send("in a thread")
    webhook = await general.create_webhook(name="other")
    await webhook.send("by a webhook", wait=True)
    await started.post("by the bot")
    visitor = await Visitor((await start()).site, "general").open()
    assert visitor.texts == ["by the bot"]


async def test_a_post_that_is_to_come_once_is_kept_before_it_is_answered(started: Started, tmp_path: Path) -> None:
    for n in range(3):
        await asyncio.gather(*(started.post(f"post {n}-{m}", nonce=f"{n}-{m}") for m in range(20)))
        saved = (tmp_path / "playground" / keeping.HISTORY).read_bytes()
        assert all(f'"post {n}-{m}"'.encode() in saved for m in range(20))


async def test_a_history_that_cannot_be_taken_holds_up_no_post_and_no_later_keeping(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = history.take

    def broken(*_: object) -> bytes:
        raise KeyError("a defect")

    monkeypatch.setattr(history, "take", broken)
    await started.post("one", nonce="1")
    monkeypatch.setattr(history, "take", take)
    await started.post("two", nonce="2")
    saved = (tmp_path / "playground" / keeping.HISTORY).read_bytes()
    assert b'"one"' in saved
    assert b'"two"' in saved


async def test_messages_are_kept_while_the_playground_runs_and_not_only_at_its_end(
    started: Started, tmp_path: Path
) -> None:
    saved = tmp_path / "playground" / keeping.HISTORY
    await started.post("lasting")
    async with asyncio.timeout(10):
        while not saved.exists() or b"lasting" not in saved.read_bytes():  # the file is all that tells
            await asyncio.sleep(0.02)


async def test_the_address_is_the_same_after_a_restart(start: Start) -> None:
    first = (await start()).playground.address("http://127.0.0.1:8080")
    assert (await start()).playground.address("http://127.0.0.1:8080") == first


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
async def test_token_and_history_are_for_their_owner_alone(start: Start, tmp_path: Path) -> None:
    await (await start()).post("private")
    (tmp_path / "playground" / keeping.TOKEN).chmod(0o644)
    await start()
    for name in (keeping.TOKEN, keeping.HISTORY):
        assert stat.S_IMODE((tmp_path / "playground" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe", b"two words that are long enough to be one"])
def test_a_damaged_token_is_replaced_by_a_lasting_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / keeping.TOKEN).write_bytes(content)
    token = keeping.ensure_token(tmp_path)
    assert token.encode() != content
    assert keeping.ensure_token(tmp_path) == token


@pytest.mark.parametrize("content", [b"", b"{", b'{"form": 2, "messages": {}, "commands": [], "nonces": []}', b"\xff"])
async def test_a_damaged_history_is_set_aside_with_a_word_and_the_playground_opens(
    start: Start, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "playground"
    folder.mkdir()
    (folder / keeping.HISTORY).write_bytes(content)
    with caplog.at_level(logging.WARNING, "bot.playground.playground"):
        started = await start()
    assert "cannot be read" in caplog.text
    assert (folder / f"{keeping.HISTORY}.unreadable").read_bytes() == content
    assert (await Visitor(started.site, "general").open()).texts == []


async def test_a_folder_that_cannot_be_written_costs_the_history_and_nothing_else(
    started: Started, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = await Visitor(started.site, "general").open()
    folder = tmp_path / "playground"
    folder.rename(tmp_path / "elsewhere")
    folder.write_text("a file where the folder was")
    await started.post("still here")
    await visitor.sees("still here")
    await started.playground.close()
    assert "cannot be kept" in caplog.text


@pytest.mark.slow
async def test_the_world_keeps_its_size_whatever_happens_in_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    assert simcord_internals.KEPT == 200
    monkeypatch.setattr(simcord_internals, "KEPT", 60)
    started = await start()
    visitor = await Visitor(started.site, "general").open()
    for number in range(80):
        await started.post(f"message {number}", nonce=number)
        await visitor.run("note", when="tea")
    await started.post("last")
    await visitor.sees("last")
    backend = started.env.backend
    assert len(backend.messages[started.channel("general")]) <= 60
    records = (backend.transcript, backend.http_requests, backend.interactions, backend.interaction_tokens)
    assert [len(record) <= 60 for record in (*records, backend._sequences)] == [True] * 5
    assert len(visitor.texts) == 50  # what SimCord shows at once


async def test_ids_in_use_are_remembered_in_bounded_room(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simcord_internals, "KEPT", 1)
    started = await start()
    visitor = await Visitor(started.site, "general").open()
    for number in range(60):
        await started.post(f"message {number}")
    await started.post("last")
    await visitor.sees("last")
    assert len(started.env.backend._reserved_ids) <= 50


async def test_uploaded_files_take_bounded_room(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simcord_internals, "KEPT_FILES", 100)
    visitor = await Visitor(started.site, "general").open()
    for number in range(5):
        told = visitor.envelope("run_command", **await visitor.command("weigh"), options={"file": {"upload": 0}})
        await visitor.upload(told, "file", f"plan{number}.txt", bytes(60))
        await visitor.sees(f"plan{number}.txt has 60 bytes")
    await started.post("after")
    await visitor.sees("after")
    assert sum(map(len, started.env.backend.cdn._blobs.values())) <= 100


def test_simcord_is_the_version_whose_private_names_we_use() -> None:
    assert simcord.__version__ == PINNED, (
        f"simcord is {simcord.__version__}, and bot/playground knows the private names of {PINNED}: "
        "compare simcord_internals.py and page.py with the new release, then change PINNED and pyproject.toml"
    )


async def test_another_simcord_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simcord, "__version__", "9.9.9")
    with pytest.raises(PlaygroundUnavailable, match=r"needs simcord 3\.2\.1 and finds 9\.9\.9.*extra `playground`"):
        await Playground(TinyBot(), tmp_path).start()


async def test_a_missing_simcord_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bot.playground.simcord_internals", None)
    with pytest.raises(PlaygroundUnavailable, match="extra `playground`"):
        await Playground(TinyBot(), tmp_path).start()


@pytest.mark.slow
def test_importing_the_playground_loads_no_simulation() -> None:
    script = "import sys, bot.playground.playground; print('simcord' in sys.modules, 'PIL' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


async def test_a_start_that_fails_leaves_the_library_as_it_was_and_history_untouched(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = await start()
    await started.post("lasting")
    await started.playground.close()

    class Failing(TinyBot):
        async def setup_hook(self) -> None:
            raise LookupError("no commands today")

    other = tmp_path / "playground" / keeping.HISTORY
    before = other.read_bytes()
    with pytest.raises(LookupError):
        await Playground(Failing(), tmp_path).start()
    assert other.read_bytes() == before
    assert "request" not in vars(contextvars.Context().run(async_context.get))


async def test_a_second_playground_in_one_process_is_refused_and_the_first_goes_on(
    started: Started, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="another playground is open"):
        await Playground(TinyBot(), tmp_path / "other").start()
    visitor = await Visitor(started.site, "general").open()
    await visitor.run("note", when="tea")
    await visitor.sees("noted: tea")

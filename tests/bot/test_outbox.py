"""The outbox: durable before it is relied on, whole after every crash, small for ever."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import outbox as module
from bot.nonce import nonce_of
from bot.outbox import Entry, Outbox, OutboxError

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "outbox.jsonl"


def _entry(key: str, at: float = 1_000.0, **fields: object) -> Entry:
    return Entry(key, 7, at, "digest", **fields)  # type: ignore[arg-type]


async def _reopened(path: Path, now: float = 1_000.0) -> Outbox:
    outbox = Outbox(path, clock=lambda: now)
    await outbox.open()
    return outbox


async def test_an_intent_is_on_disk_when_intend_returns(path: Path) -> None:
    outbox = await _reopened(path)
    await outbox.intend(_entry("a"))
    assert path.read_bytes().endswith(b'["a",7,1000.0,"digest",[],null]\n')
    await outbox.close()


async def test_what_was_known_is_known_after_a_crash(path: Path) -> None:
    outbox = await _reopened(path)
    await outbox.intend(_entry("open", covers=("1-5", "1-6")))
    await outbox.intend(_entry("sent"))
    await outbox.settle("sent", 42)
    await outbox.intend(_entry("refused"))
    outbox.withdraw("refused")
    await outbox.intend(_entry("barrier"))
    survivor = await _reopened(path)  # nothing was closed: the first one simply stopped
    known = survivor.get("open")
    assert known is not None
    assert (known.message_id, known.at, known.covers) == (None, 1_000.0, ("1-5", "1-6"))
    assert survivor.covering("1-6") == known
    sent = survivor.get("sent")
    assert sent is not None
    assert sent.message_id == 42
    assert survivor.owner_of(42) == "sent"
    assert survivor.get("refused") is None
    await survivor.close()
    await outbox.close()


@pytest.mark.slow
@given(cut=st.integers(min_value=0, max_value=200))
def test_a_line_cut_off_anywhere_costs_nothing_but_itself(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("outbox") / "outbox.jsonl"

    async def story() -> None:
        outbox = await _reopened(path)
        await outbox.intend(_entry("first"))
        await outbox.settle("first", 1)
        whole = path.stat().st_size
        await outbox.intend(_entry("second"))
        await outbox.close()
        os.truncate(path, min(path.stat().st_size, whole + cut))
        survivor = await _reopened(path)
        first = survivor.get("first")
        assert first is not None
        assert first.message_id == 1
        await survivor.intend(_entry("third"))
        await survivor.close()
        third = (await _closed(path)).get("third")
        assert third is not None

    asyncio.run(story())


@pytest.mark.parametrize(
    "damage",
    [b"\xff\xfe\x00", b'["\xff\xfe",1,1.0,"d",[],null]', b'["k"', b"[" * 100_000, b'["k","x",1.0,"d",[],null]', b"{}"],
)
async def test_a_damaged_line_is_left_out_and_said_once(
    path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir(parents=True)
    whole = [b'["a",7,1000.0,"digest",[],null]', b'["b",7,1000.0,"digest",[],9]']
    path.write_bytes(b"\n".join([whole[0], damage, damage, whole[1], b""]))
    survivor = await _closed(path)
    assert (survivor.get("a") is not None, survivor.owner_of(9)) == (True, "b")
    assert [record.getMessage() for record in caplog.records] == [f"{path}: 2 damaged lines were left out"]
    assert path.read_bytes().splitlines() == whole


async def test_nobody_else_may_read_it(path: Path) -> None:
    path.parent.mkdir(parents=True)
    for leftover in (path, path.with_suffix(".new")):
        leftover.write_bytes(b"")
        leftover.chmod(0o644)
    outbox = await _reopened(path)
    assert path.stat().st_mode & 0o777 == 0o600
    await outbox.close()


async def _closed(path: Path) -> Outbox:
    outbox = await _reopened(path)
    await outbox.close()
    return outbox


async def test_intents_that_come_together_share_an_fsync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = await _reopened(path)
    real, calls = os.fsync, []

    def counted(handle: int) -> None:
        calls.append(handle)
        real(handle)

    monkeypatch.setattr("os.fsync", counted)
    await asyncio.gather(*(outbox.intend(_entry(str(number))) for number in range(100)))
    assert len(calls) <= 3
    await outbox.close()


async def test_a_write_that_fails_takes_its_intents_back_and_the_next_one_is_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = await _reopened(path)
    await outbox.intend(_entry("before"))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        with pytest.raises(OutboxError, match="No space left on device"):
            await outbox.intend(_entry("lost"))
    assert outbox.get("lost") is None
    await outbox.intend(_entry("after"))
    await outbox.close()
    survivor = await _closed(path)
    assert survivor.get("before") is not None
    assert survivor.get("lost") is None
    assert survivor.get("after") is not None


async def test_an_intent_whose_caller_gave_up_is_withdrawn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = await _reopened(path)
    written = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = os.fsync

    def slow(handle: int) -> None:
        loop.call_soon_threadsafe(written.set)
        real(handle)

    monkeypatch.setattr("os.fsync", slow)
    intending = asyncio.create_task(outbox.intend(_entry("given up")))
    await asyncio.sleep(0)
    intending.cancel()
    await asyncio.gather(intending, return_exceptions=True)
    assert outbox.get("given up") is None
    await written.wait()
    await outbox.close()
    assert (await _closed(path)).get("given up") is None


async def test_the_file_does_not_grow_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REWRITE_AFTER", 50)
    monkeypatch.setattr(module, "KEPT_SENT", 10)
    outbox = await _reopened(path)
    for number in range(200):
        await outbox.intend(_entry(f"k{number}"))
        await outbox.settle(f"k{number}", number + 1)
    assert len(path.read_bytes().splitlines()) <= 80
    await outbox.close()
    survivor = await _closed(path)
    newest = survivor.get("k199")
    assert newest is not None
    assert newest.message_id == 200
    assert survivor.get("k0") is None
    assert len(path.read_bytes().splitlines()) == 10


async def test_open_intents_are_kept_for_a_month_however_many_follow(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_SENT", 1)
    outbox = await _reopened(path)
    await outbox.intend(_entry("open", at=1_000.0))
    for number in range(5):
        await outbox.intend(_entry(f"k{number}"))
        await outbox.settle(f"k{number}", number + 1)
    await outbox.close()
    kept = await _reopened(path, now=1_000.0 + 29 * 86_400)
    assert kept.get("open") is not None
    await kept.close()
    dropped = await _reopened(path, now=1_000.0 + 31 * 86_400)
    assert dropped.get("open") is None
    await dropped.close()


async def test_a_closed_outbox_refuses_and_says_so(path: Path) -> None:
    outbox = await _closed(path)
    with pytest.raises(OutboxError, match="the outbox is closed"):
        await outbox.intend(_entry("late"))
    outbox.withdraw("late")


async def test_closing_writes_what_is_pending(path: Path) -> None:
    outbox = await _reopened(path)
    pending = [asyncio.create_task(outbox.intend(_entry(str(number)))) for number in range(10)]
    await asyncio.sleep(0)
    await outbox.close()
    await asyncio.gather(*pending)
    survivor = await _closed(path)
    assert all(survivor.get(str(number)) is not None for number in range(10))


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutboxError, match=r"the outbox .*file.* cannot be used"):
        await Outbox(tmp_path / "file" / "outbox.jsonl").open()


async def test_in_memory_it_keeps_the_same_promises_for_one_process() -> None:
    outbox = Outbox(None)
    await outbox.open()
    await outbox.intend(_entry("a"))
    await outbox.settle("a", 9)
    entry = outbox.get("a")
    assert entry is not None
    assert entry.message_id == 9
    await outbox.close()


# ── the nonce ────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.text(max_size=30), st.text(max_size=10), st.dictionaries(st.text(max_size=5), st.text(max_size=20)))
def test_a_nonce_has_25_characters_and_is_the_same_for_the_same(run: str, part: str, args: dict[str, str]) -> None:
    nonce = nonce_of(run, part, args)
    assert len(nonce) == 25
    assert set(nonce) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert nonce == nonce_of(run, part, dict(reversed(args.items())))


def test_run_part_and_arguments_each_make_another_nonce() -> None:
    same = ("run_1", "message", ["1", "tea"])
    others = [("run_2", "message", ["1", "tea"]), ("run_1", "dm", ["1", "tea"]), ("run_1", "message", ["1", "cake"])]
    assert len({nonce_of(*same), *(nonce_of(*other) for other in others)}) == 4


def test_a_nonce_is_stable_across_versions() -> None:
    # A changed recipe would double messages that were cut off before an update.
    assert nonce_of("run_1", "message", ["1", "tea", []]) == "plqz73swl2m7lobcabb2dj2au"

"""The parts of a governor, each by itself: restarts, claims, outputs, notices, records, orders."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from core.log_settings import RotateSettings
from core.processes.control import Control
from core.processes.deployments import Claim, Deployments, clash, clash_within
from core.processes.identity import own_identity
from core.processes.notices import Notice, Notices, read_notice
from core.processes.output import tail, turn_over
from core.processes.places import LONGEST_SOCKET, Places, control_in, private_folder
from core.processes.port import ProcessError
from core.processes.record import Record, read_record, write_record
from core.processes.restarts import Again, GivenUp, Patience, after_end
from schedule_zero.process.notify import Notifier
from schedule_zero.process.silences import Silences
from tests.processes.household import Household, child

# ── restarts ─────────────────────────────────────────────────────────────────────────────────────────────────

PATIENCE = Patience(crashes=5, within_s=60.0, pause_s=0.1, longest_pause_s=0.5)


def test_pauses_double_up_to_the_longest_and_are_forgotten_in_time() -> None:
    assert after_end([0.0], 0.0, PATIENCE) == Again(0.1)
    assert after_end([0.0, 1.0], 1.0, PATIENCE) == Again(0.2)
    assert after_end([0.0, 1.0, 2.0, 3.0], 3.0, PATIENCE) == Again(0.5)
    assert after_end([0.0, 1.0, 2.0, 3.0, 61.5], 61.5, PATIENCE) == Again(0.4)


def test_the_last_end_within_the_time_that_is_one_too_many_ends_it() -> None:
    assert after_end([0.0, 1.0, 2.0, 3.0, 59.9], 59.9, PATIENCE) == GivenUp("it ended 5 times within 60 s")
    assert isinstance(after_end([0.0, 1.0, 2.0, 3.0, 60.0], 60.0, PATIENCE), Again)


def test_any_number_of_ends_has_a_pause() -> None:
    many = Patience(crashes=1_000_000, within_s=1e9, pause_s=0.1, longest_pause_s=30.0)
    assert after_end([float(each) for each in range(5000)], 5000.0, many) == Again(30.0)


# ── claims ───────────────────────────────────────────────────────────────────────────────────────────────────


def claim(name: str, **addresses: str) -> Claim:
    keys = {key.replace("_", "."): address for key, address in addresses.items()}
    return Claim(deployment=f"/etc/{name}.yaml", data_dir=f"/srv/{name}", addresses=keys)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080", True),
        ("localhost:8080", "tcp://127.0.0.1:8080", True),
        ("0.0.0.0:8080", "127.0.0.1:8080", True),
        ("tcp://*:8080", "[::1]:8080", True),
        ("127.0.0.1:8080", "127.0.0.1:8081", False),
        ("127.0.0.1:8080", "10.0.0.1:8080", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", False),
        ("ipc:///run/a", "ipc:///run/a", True),
        ("ipc:///run/a", "ipc:///run/b", False),
        ("tcp://127.0.0.1:1", "ipc:///run/a:1", False),
    ],
)
def test_two_addresses_meet_where_both_cannot_be_listened_at(one: str, other: str, meet: bool) -> None:
    found = clash(claim("a", http_bind=one), [claim("b", zmq_events=other)])
    assert (found is not None) is meet
    if meet:
        assert found == f"http.bind: {one} is taken by zmq.events of the deployment /etc/b.yaml; set another port"
    assert (clash_within({"http.bind": one, "zmq.events": other}) is not None) is meet


def test_claims_of_those_that_do_not_run_any_more_hinder_nobody(tmp_path: Path) -> None:
    deployments, places = Deployments(), Places(tmp_path / "a")
    dead = Claim(deployment="dead", data_dir=str(tmp_path / "b"), addresses={"http.bind": "127.0.0.1:1"})
    deployments.claim(dead, Places(tmp_path / "b"))
    assert list((private_folder() / "deployments").glob("*.json"))
    deployments.check(
        Claim(deployment="new", data_dir=str(tmp_path / "a"), addresses={"http.bind": "127.0.0.1:0"}), places
    )
    assert not list((private_folder() / "deployments").glob("*.json"))


def test_of_two_deployments_at_once_only_one_gets_an_address(tmp_path: Path) -> None:
    me, won, lost = own_identity(), [], []

    def go(name: str) -> None:
        one = Claim(deployment=name, data_dir=str(tmp_path / name), addresses={"zmq.events": "ipc:///x"}, governor=me)
        try:
            Deployments().claim(one, Places(tmp_path / name))
            won.append(name)
        except ProcessError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=go, args=(f"d{number}",)) for number in range(6)]
    deployments = Deployments()
    with deployments._alone():
        for thread in threads:
            thread.start()
        threads[-1].join(0.2)
        assert (won, lost) == ([], [])  # each waits until it is alone
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == [f"zmq.events: ipc:///x is taken by zmq.events of the deployment {won[0]}; set another port"] * 5


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / f"schedule-zero-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ProcessError, match="is not yours alone"):
        private_folder()


def test_sockets_lie_where_their_path_is_short_enough(tmp_path: Path) -> None:
    deep = Places(tmp_path / ("x" * 120))
    assert len(os.fsencode(control_in(deep.sockets()))) <= LONGEST_SOCKET
    assert deep.sockets() == Places(tmp_path / ("x" * 120)).sockets()
    assert deep.sockets() != Places(tmp_path / ("y" * 120)).sockets()


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────────

SMALL = RotateSettings(size="1KB", keep=2)


def test_an_output_is_turned_over_at_its_size_and_so_many_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "core.log"
    with file.open("a") as child_side:  # opened once, as a child has it
        for number in range(4):
            child_side.write(f"{number}" * 1200 + "\n")
            child_side.flush()
            assert turn_over(file, SMALL)
            assert not turn_over(file, SMALL)
        child_side.write("last\n")
    assert file.read_text() == "last\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["core.log", "core.log.1", "core.log.2"]
    assert (tmp_path / "core.log.1").read_text() == "3" * 1200 + "\n"
    assert not turn_over(tmp_path / "none.log", SMALL)


def test_the_end_of_an_output_is_read_without_reading_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "core.log"
    file.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert tail(file, 2) == ["line 99998", "line 99999"]
    assert len(tail(file, 70_000)) == 70_000
    assert tail(file, 0) == []
    assert tail(tmp_path / "none.log", 3) == []


# ── what children say ────────────────────────────────────────────────────────────────────────────────────────


def test_a_notice_is_of_whom_the_system_says_and_else_of_whom_it_says_itself() -> None:
    assert read_notice(b"READY=1\nSTATUS=a=b\nMAINPID=7", 5) == Notice(5, True, "a=b")
    assert read_notice(b"WATCHDOG=1\nMAINPID=7", None) == Notice(7, False, None)
    assert read_notice(b"\xff\x00", None) is None
    assert read_notice(b"WATCHDOG_USEC=90000000", 5) == Notice(5, False, None, 90.0)
    for number in (b"0", b"-1", b"x", b"9" * 400, b""):
        assert read_notice(b"WATCHDOG_USEC=" + number, 5) == Notice(5, False, None)


async def test_what_a_process_says_is_heard_with_its_own_id_and_beats_go_on(tmp_path: Path) -> None:
    heard: asyncio.Queue[Notice] = asyncio.Queue()
    path = Path(os.environ["TMPDIR"]) / "n"
    notices = Notices(path, heard.put_nowait)
    notices.open()
    try:
        notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "60000"})
        async with notifier.beating(), asyncio.timeout(30):
            assert await heard.get() == Notice(os.getpid(), False, None)
            notifier.ready("here\nand there")
            found = [await heard.get() for _ in range(4)]
            assert found[-1] == Notice(os.getpid(), True, "here and there")
    finally:
        notices.close()
    assert not path.exists()


async def test_that_a_process_may_be_silent_is_said_before_its_loop_turns_again_and_taken_back_afterwards() -> None:
    path = Path(os.environ["TMPDIR"]) / "n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(path))
        line.setblocking(False)
        notifier, silences = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000"}), Silences()
        silences.tell = notifier.may_be_silent
        async with notifier.beating(), asyncio.timeout(30):
            assert b"USEC" not in await asyncio.get_running_loop().sock_recv(line, 4096)
            with silences.during(60), silences.during(None), silences.during(20):
                assert b"WATCHDOG_USEC=90000000" in line.recv(4096)
            assert b"WATCHDOG_USEC=30000000" in line.recv(4096)
            notifier.ready()
            assert b"WATCHDOG_USEC=30000000" in await asyncio.get_running_loop().sock_recv(line, 4096)


async def test_a_word_that_found_a_full_queue_is_said_again() -> None:
    path = Path(os.environ["TMPDIR"]) / "n"
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
    ):
        line.bind(str(path))
        line.setblocking(False)
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # the queue is full then
            while True:
                other.sendto(b"noise", str(path))
        notifier = Notifier({"NOTIFY_SOCKET": str(path)})
        async with notifier.beating(), asyncio.timeout(30):
            notifier.ready()
            await asyncio.sleep(0)
            loop = asyncio.get_running_loop()
            while b"READY=1" not in await loop.sock_recv(line, 4096):
                pass


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "vsock:2:1"},
        {"NOTIFY_SOCKET": "/no/where", "WATCHDOG_USEC": "9000"},
    ],
)
async def test_where_nobody_listens_nothing_is_said_and_nothing_fails(environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    async with notifier.beating():
        notifier.ready("here")
        await asyncio.sleep(0.02)


# ── records and orders ───────────────────────────────────────────────────────────────────────────────────────


def test_a_record_is_for_its_owner_alone_and_one_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    file = tmp_path / "governor.json"
    assert read_record(file) is None
    record = Record(governor=own_identity(), kind="processes", deployment="d", sockets="/s")
    write_record(file, record)
    assert read_record(file) == record
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("{")
    with pytest.raises(ProcessError, match=r"governor.json cannot be read"):
        read_record(file)


async def test_orders_that_make_no_sense_are_answered_by_a_sentence(household: Household) -> None:
    governor = await household.started(child("reports-1", "ready"))
    control = Control(governor, control_in(governor.sockets))
    await control.open()

    async def said(line: bytes) -> dict[str, object]:
        reader, writer = await asyncio.open_unix_connection(str(control_in(governor.sockets)))
        writer.write(line)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return json.loads(answer) if answer else {}

    try:
        assert (await said(b'{"do": "status"}\n'))["error"] is None
        assert "Invalid value 'dance'" in str((await said(b'{"do": "dance"}\n'))["error"])
        assert "malformed" in str((await said(b"what\n"))["error"])
        assert "there is no process x" in str((await said(b'{"do": "restart", "name": "x"}\n'))["error"])
        assert await said(b"no end") == {}
        assert await said(b"x" * 200_000) == {}
    finally:
        await control.close()

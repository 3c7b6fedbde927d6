"""What a governor of processes promises, with small children that do as they are told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from core.processes import keeper
from core.processes.identity import Identity, identity_of
from core.processes.keeper import made_by
from core.processes.port import ProcessError
from core.processes.record import ChildRecord, Record, read_record, write_record
from core.processes.running import RunningProcess
from core.processes.settings import HandlerProcess
from tests.processes.household import Household, child, limits, lives, until

pytestmark = pytest.mark.slow


def diary(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def test_the_core_is_ready_before_handlers_and_bot_start(household: Household, tmp_path: Path) -> None:
    file, gate = tmp_path / "diary", tmp_path / "gate"
    os.mkfifo(gate)
    governor = await household.start(
        child("core", "diary", str(file), "ready-when", str(gate), kind="core"),
        child("bot", "diary", str(file), "ready", kind="bot"),
        child("reports-1", "diary", str(file), "ready"),
    )
    await until(lambda: diary(file))
    assert [each.state for each in governor.status().children] == ["starting", "waiting", "waiting"]
    assert len(diary(file)) == 1
    await asyncio.to_thread(gate.write_text, "")
    assert (await governor.ready(30)).healthy
    assert diary(file)[0].startswith("begin core")
    assert sorted(line.split()[1] for line in diary(file)) == ["bot", "core", "reports-1"]


async def test_handlers_stop_before_the_bot_before_the_core(household: Household, tmp_path: Path) -> None:
    file = tmp_path / "diary"
    kinds = {"core": "core", "bot": "bot", "reports-1": "handler", "reports-2": "handler"}
    governor = await household.started(
        *(child(name, "diary", str(file), "ready", kind=kind) for name, kind in kinds.items())  # type: ignore[arg-type]
    )
    pids = [household.pid(name) for name in kinds]
    await governor.stop()
    ends = [line.split()[1] for line in diary(file) if line.startswith("end")]
    assert ends[2:] == ["bot", "core"]
    assert sorted(ends[:2]) == ["reports-1", "reports-2"]
    assert not any(map(lives, pids))
    assert not household.places.record.exists()


async def test_a_child_that_is_killed_is_started_again_and_the_others_are_let_be(household: Household) -> None:
    await household.started(child("core", "ready", kind="core"), child("reports-1", "ready"))
    core, before = household.pid("core"), household.kill("reports-1")
    await household.back("reports-1", before)
    again = household.of("reports-1")
    assert (again.restarts, again.last_exit, again.says) == (1, "killed by SIGKILL", "at work")
    assert household.pid("core") == core


async def test_a_child_that_ends_by_itself_is_started_again(household: Household) -> None:
    await household.start(child("reports-1", "exit", "0"))
    await until(lambda: household.of("reports-1").restarts >= 2)
    assert household.of("reports-1").last_exit == "ended with exit code 0"


async def test_one_that_crashes_too_often_has_failed_with_its_last_line_and_the_others_live_on(
    household: Household,
) -> None:
    governor = await household.start(
        child("good-1", "ready"), child("bad-1", "say", "no such table", "exit", "1"), rules=limits(crashes=3)
    )
    await until(lambda: household.of("bad-1").state == "failed")
    await until(lambda: household.of("good-1").ready)
    bad = household.of("bad-1")
    assert bad.says == "it ended 3 times within 60 s, lastly: no such table"
    assert (bad.restarts, bad.pid) == (2, None)
    assert governor.health_check().wrong == {"bad-1": f"failed: {bad.says}"}


async def test_a_restart_by_name_tries_again_what_has_failed(household: Household, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    governor = await household.start(child("bad-1", "exit-unless", str(mended), "ready"), rules=limits(crashes=2))
    await until(lambda: household.of("bad-1").state == "failed")
    mended.touch()
    await governor.restart("bad-1")
    assert (await governor.ready(30)).healthy
    with pytest.raises(ProcessError, match="there is no process god-1; there are bad-1"):
        await governor.restart("god-1")


async def test_one_whose_input_is_wrong_is_not_tried_again(household: Household) -> None:
    await household.start(child("bad-1", "say", "reports has no Reprots", "exit", "2"))
    await until(lambda: household.of("bad-1").state == "failed")
    assert household.of("bad-1").says == "ended with exit code 2: reports has no Reprots"
    assert household.of("bad-1").restarts == 0


async def test_one_that_had_been_ready_and_ends_with_2_has_crashed_like_any_other(household: Household) -> None:
    await household.start(child("reports-1", "ready-then-exit", "2"), rules=limits(crashes=3))
    await until(lambda: household.of("reports-1").state == "failed")
    assert household.of("reports-1").restarts == 2
    assert household.of("reports-1").says == "it ended 3 times within 60 s"


async def test_what_was_logged_in_passing_or_by_an_earlier_process_is_no_reason_for_an_end(
    household: Household,
) -> None:
    household.places.make()
    household.places.output_of("bad-1").write_text("the end of another\n")
    logged = "2026-11-29 22:29:22,123 INFO    the core at tcp://127.0.0.1:4242 knows us"
    await household.start(
        child("bad-1", "say", logged, "exit", "2"), child("worse-1", "say", "no table", "say", logged, "exit", "2")
    )
    await until(lambda: household.of("bad-1").state == household.of("worse-1").state == "failed")
    assert household.of("bad-1").says == "ended with exit code 2: its input is wrong"
    assert household.of("worse-1").says == "ended with exit code 2: no table"


async def test_one_that_does_not_hear_sigterm_is_killed_with_its_group_when_the_time_is_over(
    household: Household, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    governor = await household.started(child("deaf-1", "deaf", "fork", str(left), "ready"), rules=limits(stop_s=0.3))
    pid, forked = household.pid("deaf-1"), int(left.read_text())
    began = time.monotonic()
    await governor.stop()
    assert time.monotonic() - began >= 0.3
    await until(lambda: not lives(pid) and not lives(forked))


async def test_a_second_request_to_stop_waits_for_nobody(household: Household) -> None:
    governor = await household.started(child("deaf-1", "deaf", "ready"))
    pid = household.pid("deaf-1")
    stopping = asyncio.create_task(governor.stop())
    await until(lambda: household.of("deaf-1").state == "stopping")
    governor.hurry()
    await stopping
    assert not lives(pid)


async def test_what_a_child_forked_goes_with_it(household: Household, tmp_path: Path) -> None:
    left = tmp_path / "left"
    await household.started(child("reports-1", "fork", str(left), "ready"))
    first = int(left.read_text().split()[0])
    await household.back("reports-1", household.kill("reports-1"))
    await until(lambda: not lives(first))


async def test_a_child_that_hangs_is_replaced(household: Household) -> None:
    await household.started(child("reports-1", "ready"), rules=limits(silent_s=1.0))
    hung = household.pid("reports-1")
    os.kill(hung, signal.SIGSTOP)
    await household.back("reports-1", hung)
    assert household.of("reports-1").last_exit == "it said nothing for 1 s and was killed"
    assert not lives(hung)


async def test_a_child_may_be_silent_for_as_long_as_it_said_and_no_longer(household: Household) -> None:
    await household.started(child("reports-1", "busy", "1.2"), rules=limits(silent_s=0.2))
    began, pid = time.monotonic(), household.pid("reports-1")
    await household.back("reports-1", pid)
    assert time.monotonic() - began > 0.9
    assert household.of("reports-1").last_exit == "it said nothing for 1.2 s and was killed"


async def test_what_a_child_said_and_since_when_it_is_ready_is_known_to_the_next_governor(household: Household) -> None:
    specs = [child("reports-1", "busy", "30")]
    await household.started(*specs, rules=limits(silent_s=0.2))
    before = household.of("reports-1")
    await household.die()
    await household.start(*specs, rules=limits(silent_s=0.2))
    after = household.of("reports-1")
    assert (after.pid, after.since, after.says, after.state) == (before.pid, before.since, "busy", "ready")
    for _ in range(50):  # more than twice the usual silence
        await asyncio.sleep(0.01)
    assert household.pid("reports-1") == before.pid


async def test_a_child_that_never_says_a_word_is_replaced(household: Household) -> None:
    await household.start(child("mute-1", "ready-when", "/dev/tty0/none"), rules=limits(first_word_s=0.2))
    await until(lambda: household.of("mute-1").restarts >= 1)


async def test_a_governor_that_was_held_up_itself_kills_nobody(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "LATE_S", 0.2)
    governor = await household.started(child("reports-1", "silent"), rules=limits(silent_s=3.0))
    pid = household.pid("reports-1")
    threading.Event().wait(3.6)  # the loop turns as little as if the machine slept
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert household.pid("reports-1") == pid
    assert governor.health_check().healthy


async def test_many_stops_at_once_all_hear_of_the_end(household: Household) -> None:
    governor = await household.started(child("core", "ready", kind="core"), child("reports-1", "ready"))
    pids = [household.pid(name) for name in ("core", "reports-1")]
    await asyncio.gather(*(governor.stop() for _ in range(5)))
    assert not any(map(lives, pids))
    with pytest.raises(ProcessError, match="is being stopped"):
        await governor.restart("core")


async def test_rapid_starts_and_stops_leave_nothing(household: Household, tmp_path: Path) -> None:
    file = tmp_path / "diary"
    for _ in range(8):
        governor = await household.start(child("reports-1", "diary", str(file), "ready"))
        await governor.stop()
        assert not household.places.record.exists()
    assert not any(lives(int(line.split()[2])) for line in diary(file) if line.startswith("begin"))


async def test_restarts_and_stops_at_once_leave_one_state(household: Household) -> None:
    governor = await household.started(child("reports-1", "ready"))
    await asyncio.gather(*(governor.restart("reports") for _ in range(5)))
    assert (await governor.ready(30)).healthy
    pid = household.pid("reports-1")
    await asyncio.gather(governor.restart("reports-1"), governor.stop(), return_exceptions=True)
    await governor.stop()
    assert not lives(pid)
    assert [each.state for each in governor.status().children] == ["stopped"]


async def test_what_is_asked_for_while_it_is_removed_does_not_bring_it_back(household: Household) -> None:
    governor = await household.started(
        child("core", "ready", kind="core"), child("reports-1", "deaf", "ready"), rules=limits(stop_s=0.2)
    )
    pid, kept = household.pid("reports-1"), governor._keepers["reports-1"]
    removing = asyncio.create_task(governor.remove_handler("reports"))
    await until(lambda: kept.state == "stopping")
    await asyncio.gather(removing, governor.restart("reports-1"))
    for _ in range(20):  # for what would begin now
        await asyncio.sleep(0.01)
    assert (kept.state, kept.running) == ("stopped", None)
    assert not lives(pid)
    assert [each.name for each in governor.status().children] == ["core"]


async def test_a_stop_that_comes_during_the_start_leaves_nothing_running(household: Household, tmp_path: Path) -> None:
    file = tmp_path / "diary"
    await household.started(child("old-1", "deaf", "ready"))
    await household.die()
    governor = household.make(child("new-1", "diary", str(file), "ready"))
    starting = asyncio.create_task(governor.start())  # it waits for the old one, which is deaf
    await until(lambda: household.places.record.exists() and governor._strays)
    stopping = asyncio.create_task(governor.stop())
    governor.hurry()
    await asyncio.gather(starting, stopping)
    for _ in range(20):  # for what would begin now
        await asyncio.sleep(0.01)
    assert household.of("new-1").pid is None
    assert not file.exists()
    assert not household.places.record.exists()


async def test_a_handler_is_added_and_removed_while_others_run(household: Household) -> None:
    more = [child("more-1", "ready"), child("more-2", "ready")]
    governor = await household.start(child("core", "ready", kind="core"), added=more)
    assert await governor.add_handler(HandlerProcess(module="m:M", name="more", count=2)) == ["more-1", "more-2"]
    assert (await governor.ready(30, ["more-1"])).healthy
    assert (await governor.ready(30)).healthy
    with pytest.raises(ProcessError, match="more is there already"):
        await governor.add_handler(HandlerProcess(module="m:M", name="more"))
    pids = [household.pid(each.name) for each in more]
    assert await governor.remove_handler("more-1") == ["more-1"]
    assert [each.name for each in governor.status().children] == ["core", "more-2"]
    assert await governor.remove_handler("more") == ["more-2"]
    assert not any(map(lives, pids))
    with pytest.raises(ProcessError, match="core is no handler"):
        await governor.remove_handler("core")


async def test_figures_tell_of_all_children(household: Household) -> None:
    governor = await household.started(child("core", "ready", kind="core"), child("reports-1", "ready"))
    figures = governor.get_metrics()
    assert (figures.children, figures.ready, figures.failed, figures.restarts) == (2, 2, 0, 0)
    assert figures.memory > 1_000_000
    core = household.of("core")
    assert core.memory is not None
    assert core.cpu_s is not None


async def test_a_health_check_takes_less_than_50_ms(household: Household) -> None:
    governor = await household.started(*(child(f"reports-{number}", "ready") for number in range(8)))
    took: list[float] = []
    for _ in range(20):
        began = time.perf_counter()
        assert governor.health_check().healthy
        took.append(time.perf_counter() - began)
    assert sorted(took)[10] < 0.05


# ── after a governor was killed ──────────────────────────────────────────────────────────────────────────────


async def test_the_next_governor_adopts_what_runs_and_hears_it(household: Household) -> None:
    specs = [child("core", "ready", kind="core"), child("reports-1", "ready")]
    await household.started(*specs)
    pids = [household.pid("core"), household.pid("reports-1")]
    await household.die()
    governor = await household.started(*specs)
    assert [each.pid for each in governor.status().children] == pids
    await household.back("reports-1", household.kill("reports-1"))
    assert household.of("reports-1").last_exit == "ended, and nobody saw how"
    await governor.stop()
    assert not any(map(lives, pids))


async def test_what_died_meanwhile_is_started_and_what_it_left_is_ended(household: Household, tmp_path: Path) -> None:
    left = tmp_path / "left"
    specs = [child("reports-1", "fork", str(left), "ready")]
    await household.started(*specs)
    pid = household.pid("reports-1")
    await household.die()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not lives(pid))
    await household.started(*specs)
    assert household.pid("reports-1") != pid
    await until(lambda: not lives(int(left.read_text().split()[0])))


async def test_what_is_not_wanted_any_more_or_not_so_is_ended_before_anything_else_starts(
    household: Household, tmp_path: Path
) -> None:
    file = tmp_path / "diary"
    await household.started(child("old-1", "diary", str(file), "ready"), child("same-1", "diary", str(file), "ready"))
    old, same = household.pid("old-1"), household.pid("same-1")
    await household.die()
    await household.started(child("same-1", "diary", str(file), "say", "changed", "ready"))
    assert not lives(old)
    assert not lives(same)
    lines = [line.rpartition(" ")[0] if line.startswith("begin") else line for line in diary(file)]
    assert sorted(lines[2:4]) == ["end old-1", "end same-1"]
    assert lines[4:] == ["begin same-1"]


async def test_what_was_added_and_removed_stays_so_for_the_next_governor(household: Household) -> None:
    specs, more = [child("one-1", "ready"), child("two-1", "ready")], [child("more-1", "ready")]
    governor = await household.start(*specs, added=more)
    await governor.add_handler(HandlerProcess(module="m:M", name="more"))
    await governor.remove_handler("two")
    assert (await governor.ready(30)).healthy
    pid = household.pid("more-1")
    await household.die()
    governor = await household.start(*specs, added=more)
    assert [each.name for each in governor.status().children] == ["one-1", "more-1"]
    assert household.pid("more-1") == pid


async def test_a_process_whose_governor_is_killed_before_it_was_written_down_never_begins(tmp_path: Path) -> None:
    file = tmp_path / "diary"
    running = RunningProcess.start(child("reports-1", "diary", str(file), "ready"), os.environ, tmp_path / "output")
    assert running._popen is not None
    assert running._popen.stdin is not None
    running._popen.stdin.close()  # as the system does for a governor that is killed
    await running.ended
    assert running.code == 1
    assert not file.exists()


async def test_what_cannot_be_written_down_is_not_let_go(household: Household, tmp_path: Path) -> None:
    file = tmp_path / "diary"
    governor = household.make(child("reports-1", "diary", str(file), "ready"), rules=limits(crashes=2))

    def full() -> None:
        raise OSError(28, "No space left on device")

    governor._house.note = full
    await governor.start()
    await until(lambda: household.of("reports-1").state == "failed")
    assert "No space left" in (household.of("reports-1").last_exit or "")
    assert not file.exists()
    governor._house.note = governor._note


# ── strangers ────────────────────────────────────────────────────────────────────────────────────────────────


class Stranger:
    """A process that leads a group, and whose id once was a child's."""

    def __init__(self) -> None:
        echo = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", echo], start_new_session=True, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        self.pid = self.process.pid

    def answers(self) -> bool:
        """Whether it lives; a signal that is on its way to it arrives before it can."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write("there?\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return self.process.stdout.readline() == "there?\n"


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    one = Stranger()
    yield one
    one.process.kill()
    with contextlib.suppress(BrokenPipeError):
        one.process.communicate()


async def test_a_stranger_that_has_a_childs_id_is_left_alone_and_the_record_cleaned(
    household: Household, stranger: Stranger
) -> None:
    spec = child("reports-1", "ready")
    household.places.make()
    once = Identity(stranger.pid, "boot/1")
    written = ChildRecord(
        name="reports-1", kind="handler", identity=once, made_by=made_by(spec, limits()), ready=True, restarts=0
    )
    record = Record(governor=once, kind="processes", deployment="test", sockets="/nowhere", children=(written,))
    write_record(household.places.record, record)
    governor = await household.started(spec)
    assert household.pid("reports-1") != stranger.pid
    assert stranger.answers()
    found = read_record(household.places.record)
    assert found is not None
    assert [each.identity.pid for each in found.children] == [household.pid("reports-1")]
    await governor.stop()
    assert stranger.answers()


def test_no_signal_reaches_a_process_that_is_another_by_now(stranger: Stranger) -> None:
    once, now = Identity(stranger.pid, "boot/1"), identity_of(stranger.pid)
    assert not once.is_alive()
    assert once.signal(signal.SIGKILL) is False
    once.kill_group()
    assert stranger.answers()
    assert now is not None
    assert now.signal(signal.SIGTERM)
    stranger.process.wait(30)
    assert not now.is_alive()


def test_an_identity_does_not_depend_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity_of(os.getpid())
    monkeypatch.setattr(psutil, "boot_time", lambda: 1.0)
    assert identity_of(os.getpid()) == before

"""`schedule-zero processes` as people and scripts use it: the service itself, under a governor."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from core.processes.control import Remote
from core.processes.places import control_in
from core.processes.record import read_record
from core.web.token import read_token
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.transport.http import HttpClient
from schedule_zero.trigger import DateTrigger
from tests.discord_server.process import DiscordProcess
from tests.processes.deployment import Deployment
from tests.processes.household import lives

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(120)]
NAMES = ["core", "reports-1", "reports-2"]


def wait(holds: Callable[[], bool]) -> None:
    """Until something is so that another process does."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


async def one_run(deployment: Deployment) -> str:
    """Have the handler do something; how that ended."""
    token = read_token(deployment.data)
    client = HttpClient(f"http://127.0.0.1:{deployment.ports['http.bind']}", token, timeout=30)
    try:
        made = await client.create_schedule(
            ScheduleSpec(handler="reports", method="build", trigger=DateTrigger(at="2100-01-01T00:00:00Z"), args={})
        )
        run = await client.run_schedule(made.id)
        async with asyncio.timeout(30):
            async for event in client.events("0", kinds=("run.succeeded", "run.failed")):
                if event.run_id == run.id:
                    return str(event.kind)
    finally:
        await client.close()
    return "nothing"


def test_ensure_brings_everything_up_once_to_do_work_and_stop_ends_it(
    deployment: Deployment, record_property: Callable[[str, object], None]
) -> None:
    assert deployment.done("ensure") == "everything is ready\n"
    status = deployment.status()
    assert [child["name"] for child in status["children"]] == NAMES
    assert all(child["ready"] and child["restarts"] == 0 for child in status["children"])
    assert all(child["memory"] > 1_000_000 for child in status["children"])
    assert asyncio.run(one_run(deployment)) == "run.succeeded"
    pids = deployment.pids()
    assert deployment.done("ensure") == "everything is ready\n"
    assert "a governor runs already" in deployment.done("start")
    assert deployment.pids() == pids
    assert "knows us" in deployment.done("output", "reports-1")
    table = deployment.done("status")
    assert all(name in table for name in NAMES)
    began = time.monotonic()
    assert deployment.done("stop") == "everything has ended\n"
    record_property("figures", f"stop of core and two handlers: {time.monotonic() - began:.2f} s")
    assert not any(map(lives, [*pids.values(), status["pid"]]))
    assert sorted(file.suffix for file in deployment.places.folder.iterdir() if file.suffix != ".log") == [".lock"]
    assert deployment.done("stop") == "nothing runs\n"
    assert "no governor runs" in deployment.done("status")


def test_ensure_says_what_does_not_get_ready_and_exits_with_1(deployment: Deployment) -> None:
    deployment.write(handlers=[{"module": "reports:Reprots", "name": "reports"}])
    said = deployment.do("ensure")
    assert said.code == 1
    assert said.err == (
        "not everything is ready: reports-1 failed: ended with exit code 2: reports has no Reprots; it has Reports "
        "(see 'schedule-zero processes status')\n"
    )
    (deployment.folder / "reports.py").write_text(
        (deployment.folder / "reports.py").read_text() + "Reprots = Reports\n"
    )
    deployment.done("restart", "reports-1")
    assert deployment.done("ensure") == "everything is ready\n"


def test_ensure_says_what_differs_from_what_runs_and_a_restart_brings_it(deployment: Deployment) -> None:
    deployment.write(core=False)
    deployment.done("start")
    pids = deployment.pids()
    deployment.write(core=False, handlers=[{"module": "reports:Reports", "name": "reports", "count": 1}])
    sentence = (
        "what runs is not what the configuration says now: processes.handlers differs; "
        "'schedule-zero processes restart' brings it\n"
    )
    assert deployment.done("start").endswith(sentence)
    assert deployment.pids() == pids
    deployment.write(handlers=[{"module": "reports:Reports", "name": "reports", "count": 1}], limits={"crashes": 9})
    assert "processes.core, processes.handlers, processes.limits differ" in deployment.done("start")
    deployment.done("restart")
    assert deployment.done("ensure") == "everything is ready\n"
    assert list(deployment.pids()) == ["core", "reports-1"]
    deployment.environ = {"SCHEDULE_ZERO__LOG__LEVEL": "debug"}
    said = deployment.do("ensure")
    assert (said.code, said.out) == (1, "")
    assert said.err == f"everything is ready, but {sentence.replace('processes.handlers', 'log.level')}"


def test_many_who_ensure_at_once_get_one_governor_and_one_of_each(deployment: Deployment) -> None:
    said = [deployment.end(each) for each in [deployment.begin("ensure") for _ in range(4)]]
    assert [each.code for each in said] == [0] * 4, said
    status = deployment.status()
    assert [child["name"] for child in status["children"]] == NAMES
    words = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    here = [each for each in words if str(deployment.file) in each]
    assert sorted(each[4] for each in here) == ["core", "processes"]


def test_after_a_kill_of_the_governor_what_runs_is_adopted_and_stop_ends_it_also_without_one(
    deployment: Deployment,
) -> None:
    deployment.done("ensure")
    before, pids = deployment.status(), deployment.pids()
    os.kill(before["pid"], signal.SIGKILL)
    wait(lambda: not lives(before["pid"]))
    alone = deployment.status()
    assert (alone["pid"], {child["name"]: child["pid"] for child in alone["children"]}) == (None, pids)
    assert "these go on without" in deployment.done("status")
    assert asyncio.run(one_run(deployment)) == "run.succeeded"
    deployment.done("ensure")
    assert deployment.pids() == pids
    governor = deployment.status()["pid"]
    os.kill(governor, signal.SIGKILL)
    wait(lambda: not lives(governor))
    deployment.environ = {"SCHEDULE_ZERO__LOG__LEVEL": "debug"}
    assert "log.level differs" in deployment.do("ensure").err  # the core that is adopted goes by what it read
    assert deployment.pids() == pids
    os.kill(deployment.status()["pid"], signal.SIGKILL)
    assert deployment.done("stop") == "everything has ended\n"
    assert not any(map(lives, pids.values()))
    assert not deployment.places.record.exists()


def test_stops_at_once_all_succeed(deployment: Deployment) -> None:
    deployment.write(core=False)
    deployment.done("start")
    pids = deployment.pids()
    said = [deployment.end(each) for each in [deployment.begin("stop") for _ in range(4)]]
    assert [each.code for each in said] == [0] * 4, said
    assert not any(lives(pid) for pid in pids.values() if pid)


def test_starts_and_stops_in_quick_turns_do_not_meet(deployment: Deployment) -> None:
    deployment.write(core=False)
    seen: set[int] = set()
    for _ in range(2):
        deployment.done("start")
        seen |= {pid for pid in deployment.pids().values() if pid}
        deployment.done("stop")
    deployment.done("start")
    seen |= {pid for pid in deployment.pids().values() if pid}
    deployment.done("restart")
    deployment.done("stop")
    assert not any(map(lives, seen))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_stops_a_governor_in_the_foreground_in_order_with_code_0(
    deployment: Deployment, number: signal.Signals
) -> None:
    deployment.write(core=False)
    governor = deployment.begin("start", "--foreground")
    wait(lambda: deployment.places.record.exists() and len(deployment.status()["children"]) == 2)
    wait(lambda: all(deployment.pids().values()))
    pids = deployment.pids()
    governor.send_signal(number)
    assert deployment.end(governor).code == 0
    assert not any(map(lives, pids.values()))
    assert not deployment.places.record.exists()


def test_a_governor_tells_its_own_keeper_that_it_is_ready_once_everything_is(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(os.environ["TMPDIR"]) / "n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(path))
        line.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "3000000")
        governor = deployment.begin("start", "--foreground")
        while b"READY=1" not in line.recv(4096):
            pass
        monkeypatch.delenv("NOTIFY_SOCKET")
        assert all(child["ready"] for child in deployment.status()["children"])
        assert b"WATCHDOG=1" in line.recv(4096)
        governor.send_signal(signal.SIGTERM)
        assert deployment.end(governor).code == 0


def test_handlers_are_added_removed_and_started_again_by_name(deployment: Deployment) -> None:
    deployment.write(handlers=[])
    deployment.done("ensure")
    assert deployment.done("add", "reports:Reports", "--name", "more", "--count", "2").startswith(
        "started: more-1, more-2"
    )
    deployment.done("ensure")
    before = deployment.pids()
    assert deployment.done("restart", "more-1") == "more-1 is started again\n"
    deployment.done("ensure")
    after = deployment.pids()
    assert (after["core"], after["more-2"]) == (before["core"], before["more-2"])
    assert after["more-1"] != before["more-1"]
    assert deployment.done("remove", "more").startswith("ended: more-1, more-2")
    assert list(deployment.pids()) == ["core"]
    wrong = {
        ("restart", "moer"): "there is no process moer; there are core\n",
        ("remove", "core"): "core is no handler; `processes stop` ends everything\n",
        ("output", "moer"): "moer has printed nothing here; there is output of core, governor, more-1, more-2\n",
        ("add", "reports"): "reports names no handler; write it as MODULE:OBJECT, for example reports:Reports\n",
    }
    for words, sentence in wrong.items():
        said = deployment.do(*words)
        assert said.err == sentence
        assert said.code in (1, 2)


def test_a_handler_that_is_added_and_fails_is_said_with_exit_1_and_does_not_keep_its_name(
    deployment: Deployment,
) -> None:
    deployment.write(handlers=[])
    deployment.done("ensure")
    said = deployment.do("add", "reports:Reprots", "--name", "more")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "more is not added, because it does not get ready: more-1 failed: ended with exit code 2: reports has no "
        "Reprots; it has Reports\n"
    )
    assert list(deployment.pids()) == ["core"]
    deployment.done("add", "reports:Reports", "--name", "more")
    assert [child["ready"] for child in deployment.status()["children"]] == [True, True]


def test_without_a_governor_what_needs_one_says_so(deployment: Deployment) -> None:
    for words in (("restart", "core"), ("add", "reports:Reports"), ("remove", "reports")):
        said = deployment.do(*words)
        assert said == (1, "", "no governor runs here; start one with 'schedule-zero processes start'\n")


def test_a_health_check_and_a_status_answer_within_50_ms(
    deployment: Deployment, record_property: Callable[[str, object], None]
) -> None:
    deployment.done("ensure")
    record = read_record(deployment.places.record)
    assert record is not None
    remote, took = Remote(control_in(Path(record.sockets))), []
    for ask in [remote.health_check, remote.status] * 10:
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    median = sorted(took)[10]
    record_property("figures", f"health check and status over the socket: {median * 1e3:.1f} ms (median)")
    assert median < 0.05
    assert remote.get_metrics().ready == 3
    assert Path(record.sockets, "control.sock").stat().st_mode & 0o077 == 0


def test_two_deployments_with_one_port_are_told_apart_before_anything_starts(
    deployment: Deployment, tmp_path: Path
) -> None:
    deployment.done("ensure")
    with Deployment(tmp_path / "two") as two:
        two.ports["zmq.clients"] = deployment.ports["zmq.handlers"]
        two.write()
        said = two.do("ensure")
        address = f"tcp://127.0.0.1:{two.ports['zmq.clients']}"
        assert said.err == (
            f"zmq.clients: {address} is taken by zmq.handlers of the deployment {deployment.file}; set another port\n"
        )
        assert said.code == 1
        assert two.do("start", "--foreground").err == said.err
        assert list(two.places.folder.glob("*.log")) == []


def test_two_deployments_with_one_data_dir_are_told_apart_before_anything_starts(
    deployment: Deployment, tmp_path: Path
) -> None:
    deployment.write(core=False)
    deployment.done("start")
    before = deployment.pids()
    with Deployment(tmp_path / "two", data_dir=deployment.data) as two:
        said = two.do("start")
        assert said.err == (
            f"data_dir: {deployment.data} is that of the deployment {deployment.file}, which runs; set another one\n"
        )
        assert said.code == 1
        assert deployment.pids().keys() == before.keys()
        deployment.done("stop")
        two.write(core=False)
        two.done("start")
        two.done("stop")


def test_no_command_acts_on_another_deployment_with_the_same_data_dir_and_status_says_whose_it_is(
    deployment: Deployment, tmp_path: Path
) -> None:
    deployment.write(core=False)
    deployment.done("start")
    before = deployment.status()["pid"]
    with Deployment(tmp_path / "two", data_dir=deployment.data) as two:
        two.write(core=False)
        for words in (["stop"], ["restart"], ["restart", "reports"], ["add", "a:A"], ["remove", "reports"]):
            said = two.do(*words)
            assert said.code == 1
            assert said.err.startswith(
                f"data_dir: {deployment.data} is that of the deployment {deployment.file}, which"
            )
        assert f"these are of {deployment.file}, not of {two.file}" in two.done("status")
        assert two.status()["deployment"] == str(deployment.file)
        assert deployment.status()["pid"] == before
        assert sorted(deployment.pids()) == ["reports-1", "reports-2"]
        assert two.done("stop", "--data-dir", str(deployment.data)) == "everything has ended\n"
    assert deployment.done("stop") == "nothing runs\n"


def test_what_runs_is_seen_and_ended_also_when_its_configuration_cannot_be_read_any_more(
    deployment: Deployment,
) -> None:
    deployment.write(core=False)
    deployment.done("start")
    deployment.file.write_text("processes: [")
    assert sorted(deployment.pids()) == ["reports-1", "reports-2"]
    said = deployment.do("stop")
    assert (said.code, said.out) == (0, "everything has ended\n")
    assert said.err.startswith(f"warning: {deployment.file}:1: ") or "warning: schedule-zero.yaml:1: " in said.err
    assert deployment.do("stop").code == 2


def test_a_port_that_any_other_program_has_is_found_before_anything_starts(deployment: Deployment) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the test holds the port, but does not listen
        taken.bind(("127.0.0.1", deployment.ports["http.bind"]))
        taken.listen()
        said = deployment.do("start")
    assert said.code == 1
    assert said.err.startswith(f"port {deployment.ports['http.bind']} is in use")
    assert "set http.bind" in said.err


def test_a_data_folder_with_a_long_name_is_no_hindrance(tmp_path: Path) -> None:
    with Deployment(tmp_path / ("long-" * 24)) as deep:
        deep.write(core=False)
        deep.done("start")
        assert list(deep.pids()) == ["reports-1", "reports-2"]
        deep.done("stop")


def test_handlers_in_threads_are_governed_by_the_same_commands(deployment: Deployment) -> None:
    with Deployment(deployment.folder / "threads") as other:
        deployment.write(handlers=[])
        deployment.done("ensure")
        other.ports["zmq.handlers"] = deployment.ports["zmq.handlers"]
        other.write()
        assert other.done("ensure", "--threads") == "everything is ready\n"
        status = other.status()
        assert status["kind"] == "threads"
        assert [child["name"] for child in status["children"]] == ["reports-1", "reports-2"]
        assert asyncio.run(one_run(deployment)) == "run.succeeded"
        other.done("restart", "reports-2")
        other.done("ensure", "--threads")
        other.done("stop")
        assert not lives(status["pid"])


def test_status_without_a_governor_is_an_answer_too(deployment: Deployment) -> None:
    assert json.loads(deployment.done("status", "--json"))["pid"] is None


async def test_a_bot_is_kept_alive_beside_core_and_handlers(deployment: Deployment) -> None:
    async with DiscordProcess() as discord:
        deployment.environ = {"DISCORD_TOKEN": discord.settings.token, "DISCORD_API_BASE": discord.api_url}
        deployment.write(bot=True)
        assert await asyncio.to_thread(deployment.done, "ensure") == "everything is ready\n"
        before = await asyncio.to_thread(deployment.pids)
        assert list(before) == ["core", "bot", "reports-1", "reports-2"]
        os.kill(before["bot"], signal.SIGKILL)
        await asyncio.to_thread(wait, lambda: deployment.pids()["bot"] not in (None, before["bot"]))
        assert await asyncio.to_thread(deployment.done, "ensure") == "everything is ready\n"
        after = await asyncio.to_thread(deployment.pids)
        assert {**after, "bot": 0} == {**before, "bot": 0}
        await asyncio.to_thread(deployment.done, "stop")
        assert not any(map(lives, [*before.values(), *after.values()]))

"""Every deployment file is checked by the tool that will read it, or by the command that would."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEPLOYMENTS = ROOT / "deployments"
CONFIGURATIONS = sorted(path.name for path in (DEPLOYMENTS / "config").glob("*.yaml"))


def tool(name: str) -> str:
    """A program by name, from the environment of the tests or the system; without it the promise cannot be kept."""
    path = [sysconfig.get_path("scripts"), "/usr/bin", "/bin", *os.environ.get("PATH", "").split(os.pathsep)]
    found = shutil.which(name, path=os.pathsep.join(path))
    assert found is not None, f"{name} is missing: requirements-dev.txt or .ci/run should have brought it"
    return found


def checked(*command: str | Path) -> str:
    """Run a checker; its complaints are the failure's text."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


UNITS = {
    "schedule-zero.service": ("/opt/schedule-zero/bin/schedule-zero", "up"),
    "schedule-zero-processes.service": ("/opt/schedule-zero/bin/schedule-zero", "processes start --foreground"),
    "schedule-zero-handler.service": ("/opt/reports/bin/schedule-zero-handler", "reports:Reports"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_unit_without_a_warning(tmp_path: Path, name: str) -> None:
    unit = (DEPLOYMENTS / name).read_text()
    program, word = UNITS[name]
    assert f"ExecStart={program} {word}" in unit
    copy = tmp_path / name
    copy.write_text(unit.replace(program, sys.executable))  # verify looks for the program on this machine
    complaints = checked(tool("systemd-analyze"), "verify", "--man=no", copy)
    assert copy.name not in complaints


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_waits_for_the_service_own_word_and_watches_its_beats(name: str) -> None:
    lines = (DEPLOYMENTS / name).read_text().splitlines()
    assert "Type=notify" in lines
    assert "WatchdogSec=30" in lines


def test_there_is_a_test_for_every_unit() -> None:
    assert {path.name for path in DEPLOYMENTS.glob("*.service")} == set(UNITS)


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_the_unit_hardened(name: str) -> None:
    unit = DEPLOYMENTS / name
    checked(tool("systemd-analyze"), "security", "--offline=true", "--threshold=20", "--no-pager", unit)


@pytest.mark.slow
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    checked(tool("hadolint"), "--failure-threshold", "style", DEPLOYMENTS / "Dockerfile")


@pytest.mark.slow
def test_the_compose_file_follows_the_compose_specification() -> None:
    checked(
        tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOYMENTS / "compose.yaml"
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_check_config_accepts_the_example_configuration(name: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SCHEDULE_ZERO")}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", "check-config", str(DEPLOYMENTS / "config" / name)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_configuration_for_each_stage() -> None:
    assert CONFIGURATIONS == ["dev.yaml", "production.yaml", "staging.yaml"]


def dockerfile(instruction: str) -> list[str]:
    """The arguments of every instruction of that name, continuation lines joined."""
    text = (DEPLOYMENTS / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{instruction}\s+(.*)$", text, re.MULTILINE)


def test_the_image_holds_every_package_and_runs_as_nobody_in_particular() -> None:
    copied = {word for line in dockerfile("COPY") for word in line.split()[:-1] if not word.startswith("--")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name for name in project["tool"]["setuptools"]["packages"]["find"]["include"] if "." not in name}
    assert packages < copied
    assert all((ROOT / name).exists() for name in copied if not name.startswith("/"))
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert all(f"!{name}" in allowed for name in copied if not name.startswith("/")), "the builder would not see it"
    assert dockerfile("USER") == ["10001:10001"]
    assert json.loads(dockerfile("ENTRYPOINT")[0])[0] in project["project"]["scripts"]


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on loopback that answers every GET with one status; its port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/ready" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_of_the_image_follows_ready(status: int, healthy: bool) -> None:
    command = json.loads(dockerfile("HEALTHCHECK")[0].partition("CMD")[2])
    assert command[0] == "python"
    with answering(status) as port:
        command = [sys.executable, *(part.replace(":8080/", f":{port}/") for part in command[1:])]
        done = subprocess.run(command, stderr=subprocess.DEVNULL, timeout=50, check=False)
    assert (done.returncode == 0) is healthy

"""docs/writing-a-handler.md, walked through as it stands: an environment with only the kit, an empty folder, a real core."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import types
import venv
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.handler import Method
from schedule_zero.process.serving import _parser
from tests.kit.conftest import Start
from tests.test_repository import build_wheel, ignore_leftovers
from tests.up import ROOT, running

PAGE = (ROOT / "docs" / "writing-a-handler.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.slow


def files() -> dict[str, str]:
    """The page's files: blocks that begin with a name."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    return {match[1]: block for block in blocks if (match := re.match(r"# (\w+\.py)\n", block))}


def commands() -> list[list[str]]:
    """The page's commands, in order."""
    return [shlex.split(line) for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)]


def kit_alone(folder: Path) -> Path:
    """An environment with the kit's wheel, pyzmq and msgspec, and nothing else; its folder of programs.

    The two packages are those of the tests' own environment, so that no network is needed.
    """
    source = folder / "schedule_zero"
    shutil.copytree(ROOT / "schedule_zero", source, ignore=ignore_leftovers)
    build_wheel(source, folder).close()
    (wheel,) = folder.glob("schedule_zero_kit-*.whl")
    place = folder / ".venv"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    there = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    for installed in map(Path, (*site.getsitepackages(), sysconfig.get_path("platlib"))):
        for package in ("zmq", "pyzmq.libs", "msgspec"):
            if (installed / package).exists() and not (there / package).exists():
                (there / package).symlink_to(installed / package)
    return python.parent


async def test_the_page_leads_from_an_empty_folder_to_a_handler_at_work(tmp_path: Path, start: Start) -> None:
    made, core_folder = tmp_path / "made", tmp_path / "core"
    made.mkdir()
    core_folder.mkdir()
    programs = kit_alone(made)
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, text in files().items():
        (mine / name).write_text(text)
    make_venv, install, handler, show, create, listing = commands()
    assert make_venv == ["python3", "-m", "venv", ".venv"]
    assert install[:3] == [".venv/bin/pip", "install", "./schedule-zero/schedule_zero"]
    assert handler[0] == ".venv/bin/schedule-zero-handler"
    with running(core_folder) as core:
        address = core.handlers_at()
        arguments = [address if part.startswith("tcp://") else part for part in handler[1:]]
        far = await start(*arguments, command=[str(programs / "schedule-zero-handler")], folder=mine, PYTHONPATH="")
        words = re.search(r"It says `(.*?)`", PAGE)
        assert words is not None
        await far.said(words[1].replace("tcp://127.0.0.1:4242", address))
        client = core.client()
        environ = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
        environ |= {"SCHEDULE_ZERO__CORE__ADDRESS": core.address}

        def ask(words: list[str]) -> Any:
            assert words[0] == "schedule-zero"
            done = subprocess.run(
                [sys.executable, "-m", "core.cli", *words[1:], "--json"], cwd=core_folder, env=environ,
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        shown = ask(show)
        assert (shown["name"], [method["name"] for method in shown["methods"]]) == ("reports", ["build"])
        place = (await client.list_events(limit=1000)).next
        schedule = ask(create)
        async for event in client.events(place, kinds=("run.succeeded", "run.failed")):
            assert (event.kind, event.schedule_id) == ("run.succeeded", schedule["id"])
            break
        (run,) = ask(listing)["items"]
        assert (run["state"], run["result"]) == ("succeeded", {"day": "2026-03-01", "rows": 100})
        await client.close()
        assert await far.ended(signal.SIGTERM) == 0
        assert core.ended(signal.SIGTERM)[0] == 0


def test_the_kit_needs_nothing_but_its_two_packages(tmp_path: Path) -> None:
    programs = kit_alone(tmp_path)
    everything = ", ".join(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "schedule_zero").rglob("*.py"))
        if path.stem != "__main__"
    )
    script = f"import {everything}, sys; print(sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run(
        [str(programs / "python"), "-I", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    foreign = set(eval(done.stdout)) - set(sys.stdlib_module_names) - {"__main__", "_distutils_hack"}
    assert {name for name in foreign if not name.startswith(("_", "cython"))} == {"msgspec", "schedule_zero", "zmq"}
    without = subprocess.run(
        [str(programs / "schedule-zero-handler"), "nowhere:Nothing"], capture_output=True, text=True, cwd=tmp_path, check=False
    )  # fmt: skip
    assert (without.returncode, len(without.stderr.splitlines())) == (2, 1)


def test_the_unit_tests_of_the_page_pass(tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_reports.py"], cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_every_option_of_the_command_stands_on_the_page() -> None:
    table = PAGE.partition("## The command")[2].partition("\n## ")[0]
    written = set(re.findall(r"`(--[a-z]+)", table))
    known = {
        word
        for action in _parser("schedule-zero-handler")._actions
        for word in action.option_strings
        if word.startswith("--")
    }
    assert written == known - {"--help"}


TYPES = """
import datetime as dt, enum, decimal, uuid, dataclasses, msgspec
from typing import Annotated, Any, Literal, TypedDict
class Colour(enum.Enum):
    RED = "red"
@dataclasses.dataclass
class Point:
    x: int
class Named(msgspec.Struct):
    name: str
class Loose(TypedDict):
    x: int
def every(
    a: str, b: int, c: float, d: bool, e: list[int], f: dict[str, int], g: int | None, h: dt.date, i: dt.datetime,
    j: dt.time, k: dt.timedelta, l: uuid.UUID, m: decimal.Decimal, n: Literal["a", "b"], o: Colour, p: Point, q: Named,
    r: Loose, s: Annotated[int, msgspec.Meta(ge=1, le=10, description="d")], t: None,
) -> None: ...
"""


def test_every_type_of_the_page_has_a_schema_and_is_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("types_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look there
    exec(compile(TYPES, "types", "exec", dont_inherit=True), vars(module))
    method = Method(module.every, "every")
    given = {
        "a": "x", "b": 1, "c": 1.5, "d": True, "e": [1], "f": {"x": 1}, "g": None, "h": "2026-03-01",
        "i": "2026-03-01T10:00:00Z", "j": "10:00:00", "k": "PT5M", "l": "12345678-1234-5678-1234-567812345678",
        "m": "1.10", "n": "a", "o": "red", "p": {"x": 1}, "q": {"name": "n"}, "r": {"x": 1}, "s": 3, "t": None,
    }  # fmt: skip
    checked = method.check(given)
    assert (checked["h"].day, checked["k"].seconds, checked["o"].name, checked["p"].x) == (1, 300, "RED", 1)

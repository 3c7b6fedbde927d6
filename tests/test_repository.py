"""Promises about the repository itself: arrows between rooms, sizes, wheels and pinned requirements."""

import ast
import contextlib
import logging.config
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, NamedTuple

import grimp
import pytest
from importlinter.cli import lint_imports
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("bot", "cogs", "core", "handlers", "schedule_zero")
LONGEST_FUNCTION = 60  # lines
LONGEST_FILE = 500  # lines
PACKAGED_BY_HAND = {"schedule_zero/pyproject.toml", "schedule_zero/LICENSE"}  # of the kit's distribution


def python_files(*folders: str) -> Iterator[Path]:
    """Our Python files in these folders."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def every_python_file() -> list[Path]:
    return [*python_files(*PACKAGES, "tests", "benchmarks"), ROOT / "dev.py"]


def place(path: Path, line: int | None = None) -> str:
    return path.relative_to(ROOT).as_posix() + (f":{line}" if line else "")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def project(folder: Path = ROOT) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


# ── arrows ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_arrows_of_the_design_hold(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the linter adds to it
    monkeypatch.setattr(logging.config, "dictConfig", lambda _: None)  # and would silence every logger there is
    status = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert status == 0, capsys.readouterr().out


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    listed = {("schedule_zero", "core.embedded")}  # embedded mode, loaded on first use
    for importer, imported in listed & {
        (a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)
    }:
        graph.remove_import(importer=importer, imported=imported)
    circles = [
        (module, *chain)
        for module in sorted(graph.modules)
        for imported in graph.find_modules_directly_imported_by(module)
        if (chain := graph.find_shortest_chain(imported, module)) is not None
    ]
    assert circles == []


def test_importing_the_kit_loads_none_of_the_service() -> None:
    unwanted = "{'apscheduler', 'sqlalchemy', 'aiosqlite', 'discord', 'litestar', 'bot', 'cogs', 'core', 'handlers'}"
    script = f"import sys, schedule_zero; print(sorted({unwanted} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ── tidiness ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_no_function_is_longer_than_one_screen() -> None:
    long = [
        f"{place(path, node.lineno)} {node.name}: {length} lines"
        for path in every_python_file()
        if path.read_bytes().count(b"\n") > LONGEST_FUNCTION
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_file_is_too_long_to_know() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in every_python_file()}
    assert [f"{place(path)}: {lines} lines" for path, lines in sizes.items() if lines > LONGEST_FILE] == []


def test_no_module_is_named_for_nothing() -> None:
    empty_words = {"utils", "util", "helpers", "helper", "common", "misc", "base", "tools", "manager"}
    assert [place(path) for path in every_python_file() if path.stem.lower() in empty_words] == []


def test_every_folder_of_code_is_a_package_that_says_what_it_is() -> None:
    folders = {path.parent for path in python_files(*PACKAGES)}
    missing = [place(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()]
    assert missing == []
    for folder in sorted(folders):
        module = parsed(folder / "__init__.py")
        assert ast.get_docstring(module), f"{place(folder)}/__init__.py has no docstring"
        if folder != ROOT / "schedule_zero":  # the public face
            assert len(module.body) == 1, f"{place(folder)}/__init__.py holds more than its docstring"


def naps(path: Path) -> Iterator[str]:
    """Sleeps of a fixed time that a test could sit through. A minute or more stands for "hangs", nobody waits for it."""
    for node in ast.walk(parsed(path)) if b".sleep(" in path.read_bytes() else ():
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep"):
            continue
        length = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if isinstance(length, int | float) and 0.1 <= length < 60:
            yield f"{place(path, node.lineno)} sleeps {length} s"


def test_tests_wait_for_signals_and_not_for_time_to_pass() -> None:
    # other processes' time; a clock that jumps
    exempt = {ROOT / "tests" / "faults", ROOT / "tests" / "process", ROOT / "tests" / "simulation"}
    elsewhere = [path for path in python_files("tests") if exempt.isdisjoint(path.parents)]
    assert [nap for path in elsewhere for nap in naps(path)] == []


# ── distributions ───────────────────────────────────────────────────────────────────────────────────────────


def build_wheel(source: Path, target: Path) -> zipfile.ZipFile:
    """Build a wheel from a copy, with the setuptools that is installed; the checkout stays clean."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = target.glob("*.whl")
    return zipfile.ZipFile(wheel)


def files_of(*packages: str) -> set[str]:
    """Every file of the packages in the checkout."""
    paths = (path for package in packages for path in (ROOT / package).rglob("*") if path.is_file())
    leftovers = ("__pycache__", ".egg-info/", ".pyc")
    return {name for path in paths if not any(part in (name := place(path)) for part in leftovers)} - PACKAGED_BY_HAND


def payload(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def metadata(wheel: zipfile.ZipFile) -> Any:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(name).decode())


def ignore_leftovers(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in {"__pycache__", "build", "dist"} or name.endswith(".egg-info")}


@pytest.mark.slow
def test_the_wheel_of_the_application_holds_every_file_of_its_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=ignore_leftovers)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    with build_wheel(source, tmp_path) as wheel:
        assert payload(wheel) == files_of(*PACKAGES)
        assert metadata(wheel)["License-Expression"] == "MIT"


@pytest.mark.slow
def test_the_wheel_of_the_kit_holds_schedule_zero_alone(tmp_path: Path) -> None:
    source = tmp_path / "schedule_zero"
    shutil.copytree(ROOT / "schedule_zero", source, ignore=ignore_leftovers)
    with build_wheel(source, tmp_path) as wheel:
        assert payload(wheel) == files_of("schedule_zero")
        needed = {canonicalize_name(Requirement(line).name) for line in metadata(wheel).get_all("Requires-Dist")}
        assert needed == {"pyzmq", "msgspec"}


def test_kit_and_application_agree_on_what_they_share() -> None:
    kit, application = project(ROOT / "schedule_zero")["project"], project()["project"]
    for key in ("version", "requires-python", "license", "authors"):
        assert kit[key] == application[key], key
    assert set(kit["dependencies"]) <= set(application["dependencies"])
    assert (ROOT / "schedule_zero" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


# ── requirements ────────────────────────────────────────────────────────────────────────────────────────────

PIN = re.compile(
    r"(?P<name>[a-z0-9-]+)(?:\[(?P<extras>[a-z0-9,-]+)\])?==(?P<version>[\w.+!]+)(?: ; [\w\s.'<>=!()]+)? \\"
)
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


class Pin(NamedTuple):
    """What a requirements file says of one package."""

    version: str
    extras: frozenset[str]


def pins(name: str) -> dict[str, Pin]:
    """The packages a requirements file pins. Nothing but pins and hashes may stand in it: no address, no index."""
    found: dict[str, Pin] = {}
    for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), start=1):
        pin = PIN.fullmatch(line)
        assert pin or HASH.fullmatch(line), f"{name}:{number} is neither a pinned version nor a hash: {line}"
        if pin:
            found[pin["name"]] = Pin(pin["version"], frozenset(filter(None, (pin["extras"] or "").split(","))))
    return found


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pins_with_hashes_and_nothing_else(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert pins(name)
    followers = zip(lines, [*lines[1:], ""], strict=True)
    assert all(HASH.fullmatch(after) for line, after in followers if PIN.fullmatch(line)), "a pin without a hash"


def test_the_requirements_of_the_tests_contain_those_of_the_service() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


def test_the_pins_are_those_of_pyproject() -> None:
    described = project()
    run_time = list(described["project"]["dependencies"])
    for extra in described["project"]["optional-dependencies"].values():
        run_time += extra
    for name, wanted in {
        "requirements.txt": run_time,
        "requirements-dev.txt": run_time + described["dependency-groups"]["dev"],
    }.items():
        pinned = pins(name)
        for requirement in map(Requirement, wanted):
            pin = pinned.get(canonicalize_name(requirement.name))
            assert pin is not None, f"{requirement} is not in {name}: run `python3 dev.py lock`"
            assert requirement.specifier.contains(pin.version, prereleases=True), f"{name}: {requirement}, pinned {pin}"


def asked_for(name: str) -> Iterator[tuple[str, Requirement]]:
    """Who asks for what, of everything a requirements file installs here: pyproject.toml, and each package of it."""
    for group in (project()["project"]["dependencies"], *project()["project"]["optional-dependencies"].values()):
        yield from (("pyproject.toml", Requirement(line)) for line in group)
    for asking, pin in pins(name).items():
        with contextlib.suppress(PackageNotFoundError):  # of another system or another Python
            for requirement in map(Requirement, distribution(asking).requires or ()):
                marker = requirement.marker
                if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *pin.extras)):
                    yield asking, requirement


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_a_package_is_pinned_with_every_extra_that_is_asked_of_it(name: str) -> None:
    """Without it, older pips take the newest release for `package[extra]`, and fail because that one has no hash."""
    pinned = pins(name)
    wanted = [(who, what) for who, what in asked_for(name) if what.extras]
    assert wanted, "nobody asks for an extra: nothing was looked at"
    missing = [
        f"{who} asks for {what}"
        for who, what in wanted
        if not set(map(canonicalize_name, what.extras)) <= pinned[canonicalize_name(what.name)].extras
    ]
    assert missing == []


def test_nothing_with_a_licence_that_binds_others_is_installed() -> None:
    unwanted = {"av", "recurring-ical-events", "x-wr-timezone", "psycopg"}  # bundles GPL codecs; LGPL
    assert unwanted.isdisjoint(pins("requirements.txt"))


def test_scripts_of_the_repository_can_be_started() -> None:
    for name in (".ci/run", "dev.py"):
        assert os.access(ROOT / name, os.X_OK), f"{name} is not executable"

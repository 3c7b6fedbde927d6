"""`dev.py` brings a clean clone to life, does nothing twice, and says in one sentence what is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WHOLE = ["3.12", "/usr/lib/elsewhere", "3.12.1", "venv ensurepip sqlite3 ssl pip"]

Dev = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout as small as dev.py needs it: its requirements are met without installing anything."""
    folder = tmp_path / "clone"
    (folder / "tests" / "timing").mkdir(parents=True)
    (folder / "tests" / "timing" / "test_text.py").touch()
    (folder / "tests" / "test_cli.py").touch()
    (folder / "core").mkdir()
    (folder / "core" / "cli.py").write_text(
        "import sys\ndef main():\n    print('up is told', sys.argv[1:])\nif __name__ == '__main__':\n    main()\n"
    )
    for name in ("requirements.txt", "requirements-dev.txt"):
        (folder / name).touch()
    shutil.copy(ROOT / "dev.py", folder)
    return folder


@pytest.fixture
def dev(clone: Path) -> Dev:
    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if key not in {"PYTHON", "VENV"}}
        command = [sys.executable, str(clone / "dev.py"), *arguments]
        return subprocess.run(
            command, env={**kept, **environment}, capture_output=True, text=True, timeout=55, check=False
        )

    return call


def pretending_python(folder: Path, identity: list[str]) -> str:
    """A program that answers dev.py's question as that Python would."""
    program = folder / "python-elsewhere"
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in identity))
    program.chmod(0o755)
    return str(program)


def test_list_names_every_suite_and_needs_no_environment(dev: Dev, clone: Path) -> None:
    done = dev("test", "--list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["quick", "cli", "timing"]
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tset"], "did you mean test?"),
        (["test", "timin"], "did you mean timing?"),
        (["test", "--covrage"], "options of pytest come after a lone --"),
        (["check", "everything"], "takes nothing more"),
        (["new", "cog", "stats"], "handler, command or trigger"),
        (["new", "handler", "my-report"], "my_report"),
    ],
)
def test_a_slip_in_the_command_is_answered_with_one_sentence(dev: Dev, arguments: list[str], sentence: str) -> None:
    done = dev(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("identity", "sentence"),
    [
        (["3.10", *WHOLE[1:2], "3.10.4", WHOLE[3]], "Python 3.10.4 is too old"),
        ([*WHOLE[:3], "venv sqlite3 ssl pip"], "lacks the module ensurepip: install it (Debian and Ubuntu: apt"),
        ([*WHOLE[:3], "venv ensurepip ssl pip"], "lacks the module sqlite3"),
        (["not a Python"], "does not run"),
    ],
)
def test_a_python_that_cannot_carry_the_service_is_refused_with_the_remedy(
    dev: Dev, clone: Path, tmp_path: Path, identity: list[str], sentence: str
) -> None:
    done = dev("run", PYTHON=pretending_python(tmp_path, identity))
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (clone / ".venv").exists()


def test_a_python_that_is_not_there_is_named(dev: Dev) -> None:
    done = dev("run", PYTHON="python-of-tomorrow")
    assert done.returncode == 2
    assert "'python-of-tomorrow'" in done.stderr


def test_a_folder_that_is_no_environment_is_left_alone(dev: Dev, clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / "thesis.txt").write_text("the only copy")
    done = dev("run")
    assert done.returncode == 1
    assert "is no virtual environment" in done.stderr
    assert (clone / ".venv" / "thesis.txt").read_text() == "the only copy"


@pytest.mark.slow
def test_run_makes_the_environment_once_and_starts_up_with_its_options(dev: Dev, clone: Path) -> None:
    first = dev("run", "--config", "mine.yaml")
    assert first.returncode == 0, first.stderr
    assert "Making .venv" in first.stdout
    assert "up is told ['up', '--config', 'mine.yaml']" in first.stdout
    assert dev("run").stdout == "up is told ['up']\n", "the second start has nothing left to do"

    command = [str(clone / ".venv" / "bin" / "schedule-zero"), "preview", "noon"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert told.stdout == "up is told ['preview', 'noon']\n", "the command of the checkout, from any folder"

    (clone / "requirements.txt").write_text("# other pins\n")
    assert "Installing" in dev("run").stdout


@pytest.mark.slow
def test_an_environment_of_another_or_a_vanished_python_is_made_again(dev: Dev, clone: Path, tmp_path: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "pyvenv.cfg").write_text("home = /usr/lib/elsewhere\n")
    shutil.copy(pretending_python(tmp_path, WHOLE), clone / ".venv" / "bin" / "python")
    assert "Making .venv" in dev("run").stdout

    (clone / ".venv" / "bin" / "python").unlink()
    (clone / ".venv" / "bin" / "python").symlink_to("/usr/lib/elsewhere/bin/python")
    again = dev("run")
    assert "Making .venv" in again.stdout
    assert "up is told" in again.stdout


@pytest.fixture
def copy(clone: Path) -> Path:
    """A clone with the whole code, for what dev.py adds to it."""
    leftovers = shutil.ignore_patterns("__pycache__")
    for folder in ("bot", "cogs", "core", "handlers", "schedule_zero", "docs/templates"):
        shutil.copytree(ROOT / folder, clone / folder, ignore=leftovers, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", clone)
    return clone


@pytest.mark.slow
@pytest.mark.timeout(240)  # four checkers with cold caches
def test_what_new_writes_runs_and_passes_every_check_as_it_is(dev: Dev, copy: Path) -> None:
    code: list[str] = []
    for kind in ("handler", "command", "trigger"):
        done = dev("new", kind, "tea_time")
        assert done.returncode == 0, done.stderr
        *written, left = done.stdout.splitlines()
        assert left.startswith("Next: ")
        assert len(written) == 3
        code += [line.removeprefix("wrote ") for line in written if line.endswith(".py")]
    tests = [path for path in code if path.startswith("tests/")]
    assert (len(code), len(tests)) == (6, 3)
    for check in (
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy", "--follow-imports=silent"],
        ["pytest", "-q", "-p", "no:cacheprovider"],
    ):
        checked = subprocess.run(
            [sys.executable, "-m", *check, *(tests if check[0] == "pytest" else code)],
            cwd=copy,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_new_never_writes_over_a_file(dev: Dev, copy: Path) -> None:
    assert dev("new", "handler", "tea_time").returncode == 0
    mine = copy / "handlers" / "tea_time.py"
    mine.write_text("mine")
    again = dev("new", "handler", "tea_time")
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert mine.read_text() == "mine"

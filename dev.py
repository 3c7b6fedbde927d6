#!/usr/bin/env python3
"""From a clean clone to a running or a tested ScheduleZero, with nothing but Python.

    python3 dev.py run [OPTION ...]                  start everything in one process (options of `schedule-zero up`)
    python3 dev.py test [quick|SUITE ...]            run the tests; `quick` leaves the slow ones out
                        [--coverage] [--list] [-- PYTEST OPTION ...]
    python3 dev.py check                             lint, formatting, types
    python3 dev.py new handler|command|trigger NAME  write a small working file, its test and its page
    python3 dev.py lock                              compile the requirements files from pyproject.toml again

The environment variable PYTHON names the Python to use (default: the one that runs this file), VENV the folder of the
virtual environment (default: .venv beside this file). Exit codes: 0 done, 1 failed, 2 the input was wrong.
"""

from __future__ import annotations

import difflib
import hashlib
import keyword
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("VENV") or ROOT / ".venv").absolute()
OLDEST = (3, 11)
RUN_TIME = "requirements.txt"
TESTING = "requirements-dev.txt"  # everything of RUN_TIME and more, at the same versions

# Modules that some systems leave out of their Python, and what brings each.
NEEDED = {
    "venv": "install it (Debian and Ubuntu: apt install python3-venv)",
    "ensurepip": "install it (Debian and Ubuntu: apt install python3-venv)",
    "sqlite3": "install a Python that was built with SQLite",
    "ssl": "install a Python that was built with OpenSSL",
}

# What makes one Python different from another for a virtual environment, and whether it is whole.
IDENTITY = """
import os, sys
print('%d.%d' % sys.version_info[:2])
print(os.path.realpath(sys.base_prefix))
print(sys.version.split()[0])
def there(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True
print(' '.join(filter(there, ('venv', 'ensurepip', 'sqlite3', 'ssl', 'pip'))))
"""


# What `new` writes: target and template; and what it leaves to do.
NEW = {
    "handler": (
        {
            "handlers/{}.py": "handler.py",
            "tests/handlers/test_{}.py": "test_handler.py",
            "docs/handlers/{}.md": "handler.md",
        },
        "Next: add {{module: handlers.{0}}} to handlers.builtin in your configuration.",
    ),
    "command": (
        {
            "cogs/{}.py": "command.py",
            "tests/cogs/test_{}.py": "test_command.py",
            "docs/commands/{}.md": "command.md",
        },
        "Next: add cogs.{0} to COGS in bot/tree.py.",
    ),
    "trigger": (
        {
            "core/timing/{}.py": "trigger.py",
            "tests/timing/test_{}.py": "test_trigger.py",
            "docs/triggers/{}.md": "trigger.md",
        },
        "Next: give it its fields in schedule_zero/trigger.py and its case in core/timing/compile.py.",
    ),
}


class Refusal(Exception):
    """Something is missing or was said wrongly; the text is the one sentence to show."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


# ── the environment ─────────────────────────────────────────────────────────────────────────────────────────


def prepare(requirements: str) -> Path:
    """Make the virtual environment what ``requirements`` says, doing only what is not done yet; return its Python."""
    base = interpreter()
    wanted = proven(base)
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    present = identity(str(python)) if python.exists() else None
    if present is None or present[:3] != wanted[:3] or "pip" not in present[3].split():
        create_environment(base)
    install(python, requirements)
    return python


def interpreter() -> str:
    """The Python that PYTHON names, else the one that runs this file."""
    named = os.environ.get("PYTHON")
    if not named:
        return sys.executable
    found = shutil.which(named)
    if found is None:
        raise Refusal(
            f"PYTHON is set to {named!r}, which is no program that can be run: name a Python 3.11 or newer.", 2
        )
    return found


def identity(python: str) -> list[str] | None:
    """Version, base folder, full version and the modules for environments; None when it does not run."""
    try:
        answer = subprocess.run(
            [python, "-c", IDENTITY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
    except OSError:
        return None
    lines = answer.stdout.splitlines()
    return lines if answer.returncode == 0 and len(lines) == 4 else None


def proven(python: str) -> list[str]:
    """The identity of a Python that can carry ScheduleZero; any other is refused with the remedy."""
    found = identity(python)
    if found is None:
        raise Refusal(f"{python} does not run: set PYTHON to a Python 3.11, 3.12 or 3.13.")
    if tuple(int(part) for part in found[0].split(".")) < OLDEST:
        raise Refusal(
            f"Python {found[2]} is too old: ScheduleZero runs on 3.11, 3.12 and 3.13; "
            "start this file with one of them, or set PYTHON to it."
        )
    modules = found[3].split()
    for module, remedy in NEEDED.items():
        if module not in modules:
            raise Refusal(f"{python} lacks the module {module}: {remedy}, or set PYTHON to another Python.")
    return found


def create_environment(base: str) -> None:
    """A fresh virtual environment, in place of one that is half made or belongs to another Python."""
    writable(VENV.parent)
    if VENV.exists():
        if not (VENV / "pyvenv.cfg").exists() and any(VENV.iterdir()):
            raise Refusal(f"{VENV} exists and is no virtual environment: move it away, or set VENV to another folder.")
        shutil.rmtree(VENV)
    say(f"Making {shown(VENV)} …")
    made = subprocess.run(
        [base, "-m", "venv", str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if made.returncode != 0:
        last = made.stdout.strip().splitlines()[-1:] or ["no reason given"]
        raise Refusal(f"The virtual environment {VENV} could not be made: {last[0]}")


def writable(folder: Path) -> None:
    """Refuse to begin what would end in the middle for want of rights."""
    if folder.exists() and not os.access(folder, os.W_OK):
        raise Refusal(f"{folder} may not be changed by you: give it to yourself, or set VENV to a folder of your own.")


def install(python: Path, requirements: str) -> None:
    """Install the pinned packages unless this environment has them; what is done is noted only when all of it is."""
    stamp = VENV / f"installed-{requirements}"
    wanted = hashlib.sha256((ROOT / requirements).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    writable(VENV)
    pins = sum("==" in line for line in (ROOT / requirements).read_text(encoding="utf-8").splitlines())
    say(f"Installing {pins} packages from {requirements}; the first time this takes about a minute …")
    command = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(ROOT / requirements)]
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_USER": "0"}
    if subprocess.run(command, env={**os.environ, **quiet}, check=False).returncode != 0:
        raise Refusal(f"pip could not install {requirements}; its own message stands above.")
    write_command(python)
    stamp.write_text(wanted, encoding="ascii")
    if requirements == TESTING:  # holds RUN_TIME, too: `run` after `test` has nothing to install
        run_time = hashlib.sha256((ROOT / RUN_TIME).read_bytes()).hexdigest()
        (VENV / f"installed-{RUN_TIME}").write_text(run_time, encoding="ascii")


def write_command(python: Path) -> None:
    """The command ``schedule-zero`` of this checkout, beside the environment's own."""
    command = python.parent / "schedule-zero"
    text = f"#!{python}\nimport sys\n\nsys.path.insert(0, {str(ROOT)!r})\nfrom core.cli import main\n\nmain()\n"
    command.write_text(text, encoding="utf-8")
    command.chmod(0o755)


# ── the commands ────────────────────────────────────────────────────────────────────────────────────────────


def run(options: list[str]) -> int:
    """Start `schedule-zero up` from the checkout, in this process where the system can, so that signals reach it."""
    python = str(prepare(RUN_TIME))
    command = [python, "-m", "core.cli", "up", *options]
    os.chdir(ROOT)
    if os.name != "nt":
        os.execv(python, command)
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 0  # `up` got the same Ctrl-C and has stopped in order


def test(suites: list[str], coverage: bool, options: list[str]) -> int:
    """Run the tests, in random order on several processes."""
    workers = min((os.cpu_count() or 2) + 1, 8)  # one more than processors, for tests of processes mostly wait
    command = ["-m", "pytest", "-n", str(workers), "--dist", "worksteal"]
    command += selection(suites) + (["--cov", "--cov-report=term"] if coverage else []) + options
    return subprocess.run([str(prepare(TESTING)), *command], cwd=ROOT, check=False).returncode


def selection(names: list[str]) -> list[str]:
    """The pytest arguments that select suites by their short names."""
    known = suites()
    arguments = []
    for name in names:
        if name == "quick":
            arguments += ["-m", "not slow"]
        elif name in known:
            arguments.append(known[name])
        else:
            near = difflib.get_close_matches(name, [*known, "quick"], n=1)
            hint = f"did you mean {near[0]}?" if near else "`dev.py test --list` shows them."
            raise Refusal(f"There is no test suite {name!r}: {hint}", 2)
    return arguments


def suites() -> dict[str, str]:
    """Every folder and file of tests by its short name: tests/timing → timing, tests/test_cli.py → cli."""
    found = {path.stem[len("test_") :]: path for path in sorted((ROOT / "tests").glob("test_*.py"))}
    for folder in sorted(path for path in (ROOT / "tests").iterdir() if path.is_dir()):
        if any(folder.rglob("test_*.py")):
            found[folder.name] = folder
    return {name: path.relative_to(ROOT).as_posix() for name, path in sorted(found.items())}


def check() -> int:
    """Lint, formatting and types; all of them, whatever the first one finds."""
    python = str(prepare(TESTING))
    failed = 0
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        say("$ " + " ".join(command))
        failed |= subprocess.run([python, "-m", *command], cwd=ROOT, check=False).returncode
    return 1 if failed else 0


def lock() -> int:
    """Compile both requirements files from pyproject.toml: every version with its hashes, no address of any index."""
    python = str(prepare(TESTING))
    options = ["--universal", "--python-version", "3.11", "--generate-hashes"]
    options += ["--no-header", "--no-annotate", "--no-emit-index-url"]
    options += ["--no-strip-extras"]  # else older pips take the newest release of a package asked for with an extra
    compiled = [python, "-m", "uv", "pip", "compile", "--quiet", *options, "--extra", "bot", "--extra", "playground"]
    for extra, target in ([], RUN_TIME), (["--group", "dev", "--constraints", RUN_TIME], TESTING):
        done = subprocess.run([*compiled, *extra, "pyproject.toml", "-o", target], cwd=ROOT, check=False)
        if done.returncode != 0:
            return 1
    return 0


def new(kind: str, name: str) -> int:
    """Write the files of a new handler, command group or trigger from docs/templates, and say what is left to do."""
    files, next_step = NEW[kind]
    targets = {ROOT / target.format(name): ROOT / "docs" / "templates" / template for target, template in files.items()}
    for target in targets:
        if target.exists():
            raise Refusal(f"{shown(target)} exists already: choose another name, or change that file.", 2)
    words = name.split("_")
    filled_in = {
        "example_name": name,
        "ExampleName": "".join(map(str.capitalize, words)),
        "example name": " ".join(words),
    }
    for target, template in targets.items():
        text = template.read_text(encoding="utf-8")
        for placeholder, value in filled_in.items():
            text = text.replace(placeholder, value)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        say(f"wrote {shown(target)}")
    say(next_step.format(name))
    return 0


# ── the command line ────────────────────────────────────────────────────────────────────────────────────────


def main(arguments: list[str]) -> int:
    """Do what the arguments say, and answer a refusal with its one sentence."""
    try:
        return command(arguments)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return refusal.status
    except KeyboardInterrupt:
        return 130


def command(arguments: list[str]) -> int:
    """Read the command line and go to the command it names."""
    if not arguments or {"-h", "--help"} & set(arguments[:2]):
        say((__doc__ or "").rstrip())
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    if name == "run":
        return run(rest)
    if name == "test":
        return read_test(rest)
    if name == "new":
        return read_new(rest)
    plain = {"check": check, "lock": lock}
    if name not in plain:
        near = difflib.get_close_matches(name, ["run", "test", "check", "new", "lock"], n=1)
        raise Refusal(f"dev.py has no command {name!r}: " + (f"did you mean {near[0]}?" if near else "see --help."), 2)
    if rest:
        raise Refusal(f"dev.py {name} takes nothing more, but got {' '.join(rest)!r}.", 2)
    return plain[name]()


def read_test(arguments: list[str]) -> int:
    """`test [quick|SUITE ...] [--coverage] [--list] [-- PYTEST OPTION ...]`"""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own, handed_on = arguments[:end], arguments[end + 1 :]
    names = [word for word in own if not word.startswith("-")]
    flags = set(own) - set(names)
    if flags - {"--coverage", "--list"}:
        unknown = " ".join(sorted(flags - {"--coverage", "--list"}))
        raise Refusal(f"dev.py test does not know {unknown}: options of pytest come after a lone --.", 2)
    if "--list" in flags:
        width = max(map(len, suites()), default=0)
        for name, path in {"quick": "everything not marked slow", **suites()}.items():
            say(f"{name:{width}}  {path}")
        return 0
    return test(names, "--coverage" in flags, handed_on)


def read_new(arguments: list[str]) -> int:
    """`new handler|command|trigger NAME`"""
    if len(arguments) != 2 or arguments[0] not in NEW:
        raise Refusal("dev.py new takes handler, command or trigger, and a name: `dev.py new handler report`.", 2)
    kind, name = arguments
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name) or len(name) > 30:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")[:30]
        hint = f", for example {plain}" if plain and not keyword.iskeyword(plain) else ""
        raise Refusal(f"{name!r} cannot be the name of a file to import: use small letters, digits and _{hint}.", 2)
    return new(kind, name)


def shown(path: Path) -> str:
    """The path as people would write it from the checkout."""
    return str(path.relative_to(ROOT)) if ROOT in path.parents else str(path)


def say(text: str) -> None:
    """One line of progress, at once even when the output is a file."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

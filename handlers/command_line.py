"""A command line as the operator allows it: its program, the values that may be given, and where they go. No I/O but a look
at whether the program is there.
"""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from schedule_zero import Context
from schedule_zero.errors import FieldError, Invalid

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Argument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A value that a schedule may give.

    Attributes:
        pattern: what the whole text has to look like.
        choices: the only texts that are taken.
        optional: whether it may be left out, together with the parts of the command line that name it.
        dash: whether it may begin with a dash, and so be taken for an option by the program.
        max_length: in characters.
    """

    type: Literal["text", "integer"] = "text"
    pattern: str | None = None
    choices: list[str] | None = None
    optional: bool = False
    dash: bool = False
    max_length: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    description: str | None = None


class Program(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A command, as the operator allows it.

    Attributes:
        argv: the program and its arguments; ``{name}`` stands for a value of ``args``.
        args: the values that may be given, by name.
        timeout: seconds, where the schedule names none; then it is ended.
        grace: seconds between SIGTERM and SIGKILL.
        cwd: the folder it runs in.
        env: variables beside PATH, LANG and those that name the run.
        at_most_once: never started again after its fate became unknown.
        output_bytes: how much of the end of each output is kept.
        lasting, passing: exit codes that mean "never try again" and "try again"; others are of unknown cause.
        description: for people.
    """

    argv: Annotated[list[str], msgspec.Meta(min_length=1)]
    args: list[str] | dict[str, Argument] = {}
    timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    grace: Annotated[float, msgspec.Meta(ge=0, le=60)] = 3.0
    cwd: str | None = None
    env: dict[str, str] = {}
    at_most_once: bool = False
    output_bytes: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 4000
    lasting: tuple[int, ...] = (64, 126, 127)
    passing: tuple[int, ...] = (75,)
    description: str = ""


class CommandLine:
    """A command line that waits for its values."""

    def __init__(self, name: str, program: Program) -> None:
        self.name = name
        self.program = program
        self.args = program.args if isinstance(program.args, dict) else {each: Argument() for each in program.args}
        self.env = {"PATH": PATH, "LANG": "C.UTF-8", **program.env}
        self._check_names()
        self.path = _found(program.argv[0], self.env["PATH"])
        if program.cwd is not None and not Path(program.cwd).is_dir():
            raise ValueError(f"cwd: {program.cwd} is no folder")
        context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=Context)
        self.parameters = [context, *(_parameter(key, argument) for key, argument in self.args.items())]

    def _check_names(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name for a command; take letters, digits and _")
        for key, argument in self.args.items():
            if not _NAME.fullmatch(key) or key == "ctx":
                raise ValueError(f"args: {key!r} is no name for an argument; take letters, digits and _")
            try:
                re.compile(argument.pattern or "")
            except re.error as error:
                raise ValueError(f"args.{key}.pattern: is no regular expression ({error})") from None
        named = set(_PLACE.findall("\0".join(self.program.argv[1:])))
        if _PLACE.search(self.program.argv[0]):
            raise ValueError("argv: the program itself cannot be an argument")
        for key in sorted(self.args.keys() - named):
            raise ValueError(f"argv: {{{key}}} stands nowhere in it, though args allows it")
        for key in sorted(named - self.args.keys()):
            raise ValueError(f"argv: {{{key}}} is not among args")

    def check(self, values: Mapping[str, Any]) -> None:
        """Raises Invalid for values that no schema can refuse."""
        for key, argument in self.args.items():
            value = values[key]
            if value is None:
                continue
            text = str(value)
            wrong = None
            if _CONTROL.search(text):
                wrong = "holds control characters"
            elif text.startswith("-") and not argument.dash:
                wrong = "begins with a dash, which the program would take for an option"
            elif argument.pattern is not None and not re.fullmatch(argument.pattern, text):
                wrong = f"does not look like {argument.pattern}"
            if wrong is not None:
                raise Invalid(f"{self.name}: {key} {wrong}", errors=(FieldError(f"args.{key}", wrong),))

    def argv(self, values: Mapping[str, Any]) -> list[str]:
        """The whole command line: every element stays one, whatever is in the values."""
        line = [self.path]
        for part in self.program.argv[1:]:
            keys = _PLACE.findall(part)
            if all(values[key] is not None for key in keys):
                line.append(_PLACE.sub(lambda place: str(values[place[1]]), part))
        return line


def _parameter(name: str, argument: Argument) -> inspect.Parameter:
    kind: Any = int
    if argument.choices is not None:
        kind = Literal[tuple(argument.choices)]
    elif argument.type == "text":
        kind = str
    length = argument.max_length if kind is str else None
    kind = Annotated[kind, msgspec.Meta(description=argument.description, max_length=length)]
    if argument.optional:
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind | None)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)


def _found(program: str, path: str) -> str:
    """Where a program is. Raises ValueError."""
    if "/" in program and not program.startswith("/"):
        raise ValueError(f"argv: {program} is relative; write the whole path, or a name that stands in PATH")
    found = shutil.which(program, path=path)
    if found is None:
        raise ValueError(
            f"argv: there is no program {program} that can be run" + ("" if "/" in program else f" in {path}")
        )
    return found

"""What is wrong in the options of the handlers that come with ScheduleZero, before anything is started.

Their modules are our own code, so that looking runs nobody else's. What ``${NAME}`` stands for is not known here, and a
value that holds one is left to the start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from core.commands.builtin import WrongEntry, import_module, kinds_of, made
from core.config import BuiltinHandler, Config
from core.fields import check

OURS: Final = "handlers."
_REFERENCE: Final = b"${"
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def mistakes_of_options(config: Config) -> Iterator[tuple[str, str]]:
    """Each mistake's key, as ``handlers.builtin[0].options.allow``, and a sentence that goes on from there."""
    for place, entry in enumerate(config.handlers.builtin):
        if entry.module.startswith(OURS) and entry.methods is None:
            yield from _mistakes(entry, f"handlers.builtin[{place}]")


def _mistakes(entry: BuiltinHandler, where: str) -> Iterator[tuple[str, str]]:
    try:
        for kind in kinds_of(import_module(entry.module.partition(":")[0], where), entry.module, where):
            shape = getattr(kind, "OPTIONS", None)
            found = [] if shape is None else check(entry.options, shape)[1]
            for mistake in found:
                if not _is_filled_later(entry.options, mistake.field):
                    yield f"{where}.options.{mistake.field}", mistake.message
            if not found:
                made(kind, entry.options, where)
    except WrongEntry as error:
        if not _is_filled_later(entry.options, error.key.removeprefix(f"{where}.options").lstrip(".")):
            yield error.key, f"cannot be used: {error.sentence}"


def _is_filled_later(options: dict[str, Any], path: str) -> bool:
    """Whether what stands at this path, or as near to it as there is something, holds a reference."""
    found: Any = options
    for name, number in _STEP.findall(path):
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and number and int(number) < len(found):
            found = found[int(number)]
        else:
            break
    return _REFERENCE in msgspec.json.encode(found)

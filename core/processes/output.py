"""What children print, in files: turned over at a size, and read from the end.

A child writes its file itself, without a pipe in between that would break when the governor dies. So a file is turned over
by copying and emptying it; a line that is printed in that very moment may be lost. (What the service logs is also in
`log.file`, where nothing is.)
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

from core.log_settings import RotateSettings

_BLOCK: Final = 64 * 1024
_LAST: Final = 20
"""Among so many lines at the end the last word is looked for."""
# As the kit's handlers log, the service in words, and the service in JSON.
_IN_PASSING: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\S+ +\[?(?:debug|info|warning)\b|\{.*\"level\": ?\"(?:debug|info|warning)\"", re.IGNORECASE
)


def turn_over(path: Path, settings: RotateSettings) -> bool:
    """Begin the file anew if it has reached its size, with what it held in ``path.1``; whether that was so.

    Raises:
        OSError: there is no room for the copy, or it cannot be written. The file is as it was.
    """
    if not path.is_file() or path.stat().st_size < settings.size_bytes:
        return False
    if settings.keep:
        _copy_away(path, settings.keep)
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int, since: int = 0) -> list[str]:
    """The last lines of a file, oldest first; none where there is no file.

    Args:
        since: the size that the file had once: what stood there then is left out.
    """
    try:
        with path.open("rb") as source:
            end = source.seek(0, os.SEEK_END)
            first = since if since <= end else 0  # it was turned over
            held = b""
            while end > first and held.count(b"\n") <= lines:
                begin = max(first, end - _BLOCK)
                source.seek(begin)
                held = source.read(end - begin) + held
                end = begin
    except FileNotFoundError:
        return []
    return held.decode(errors="replace").splitlines()[-lines:] if lines else []


def last_word(path: Path, since: int = 0) -> str:
    """What a program printed last that may say why it ended: no line that was logged in passing; else nothing."""
    said = [line.strip() for line in tail(path, _LAST, since)]
    return next((line for line in reversed(said) if line and not _IN_PASSING.match(line)), "")


def _copy_away(path: Path, keep: int) -> None:
    copy = path.with_name(f"{path.name}.new")
    with path.open("rb") as source, copy.open("wb", buffering=0) as target:
        shutil.copyfileobj(source, target, _BLOCK)
        for number in range(keep - 1, 0, -1):
            if (older := _numbered(path, number)).exists():
                older.replace(_numbered(path, number + 1))
        copy.replace(_numbered(path, 1))
        shutil.copyfileobj(source, target, _BLOCK)  # what came meanwhile


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")

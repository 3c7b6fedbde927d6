"""What the playground keeps between starts: the page's token, and what was said and registered in its world."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

TOKEN: Final = "page-token"  # noqa: S105  # a file's name
HISTORY: Final = "history.json"
_USABLE: Final = re.compile(r"[A-Za-z0-9_-]{22,100}")


def ensure_token(folder: Path) -> str:
    """The secret in the page's address, the same at every start (file mode 0600).

    A file that holds no token of ours, because it was cut off or edited, is replaced.

    Raises:
        OSError: the folder cannot be read or written.
    """
    path = folder / TOKEN
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        token = ""
    if not _USABLE.fullmatch(token):
        token = secrets.token_urlsafe(32)
        write_private(path, token.encode())
    elif os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return token


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner alone. No fsync: only a power cut may lose the last change.

    Raises:
        OSError: it cannot be written; the old file is still there then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # of a process that was killed
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    os.replace(draft, path)


def read_history(folder: Path) -> bytes | None:
    """What was kept of the world; None at the first start.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        return (folder / HISTORY).read_bytes()
    except FileNotFoundError:
        return None


def set_aside(folder: Path) -> Path:
    """Move a history that cannot be read out of the way, so that it is neither lost nor in the way; where it is now."""
    aside = folder / f"{HISTORY}.unreadable"
    os.replace(folder / HISTORY, aside)
    return aside

"""Tokens: made at the first start, kept in the data folder for its owner alone."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from schedule_zero.actor import OPERATOR, Actor

FILE: Final = "api-token"
BOT_FILE: Final = "bot-token"
"""What opens the core to the bot of this machine, and nothing over HTTP."""
_PREFIX: Final = "sz_"


def ensure_token(data_dir: Path, file: str = FILE) -> str:
    """A token of this installation; the first call makes it (file mode 0600).

    Raises:
        OSError: the file cannot be read or written.
        ValueError: the file is there and empty.
    """
    path = data_dir / file
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _write_once(path, _PREFIX + secrets.token_urlsafe(32))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return read_token(data_dir, file)


def read_token(data_dir: Path, file: str = FILE) -> str:
    """The token that ``ensure_token`` made.

    Raises:
        OSError: there is none yet, or it cannot be read.
        ValueError: the file is empty.
    """
    path = data_dir / file
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise ValueError(f"{path} is empty; delete it, and the next start makes a new token")
    return token


class TokenHolder:
    """Knows one token and who holds it; compares in constant time."""

    def __init__(self, token: str, actor: Actor = OPERATOR) -> None:
        self._token = token.encode()
        self._actor = actor

    def __call__(self, presented: str) -> Actor | None:
        return self._actor if hmac.compare_digest(presented.encode(errors="replace"), self._token) else None


def _write_once(path: Path, token: str) -> None:
    """Write the whole file or none of it; the first of two processes wins."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first; its token counts
    finally:
        draft.unlink(missing_ok=True)

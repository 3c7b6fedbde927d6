"""Tokens: made at the first start, kept in the data folder for its owner alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.secret import new_token, write_once

FILE: Final = "api-token"
BOT_FILE: Final = "bot-token"
BOT_NAME: Final = "bot"
"""What opens the core to the bot of this machine, and nothing over HTTP."""


def ensure_token(data_dir: Path, file: str = FILE) -> str:
    """A token of this installation; the first call makes it (file mode 0600).

    Raises:
        OSError: the file cannot be read or written.
        ValueError: the file is there and empty.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    write_once(data_dir / file, new_token())
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

"""The API token: made at the first start, kept in the data folder for its owner alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.secret import new_token, write_once

FILE: Final = "api-token"


def ensure_token(data_dir: Path) -> str:
    """The token of this installation; the first call makes it (file mode 0600).

    Raises:
        OSError: the file cannot be read or written.
        ValueError: the file is there and empty.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    write_once(data_dir / FILE, new_token())
    return read_token(data_dir)


def read_token(data_dir: Path) -> str:
    """The token that ``ensure_token`` made.

    Raises:
        OSError: there is none yet, or it cannot be read.
        ValueError: the file is empty.
    """
    path = data_dir / FILE
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise ValueError(f"{path} is empty; delete it, and the next start makes a new token")
    return token

"""Secrets: they can be used, but not shown by accident, and lie in files for their owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Final

_PREFIX: Final = "sz_"


class Secret:
    """A text that every form of printing hides; ``reveal`` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the place that has to send it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def read_secret(kind: type, value: Any) -> Any:
    """msgspec's ``dec_hook`` for records that hold secrets.

    Raises:
        ValueError: the value is no text. The sentence does not repeat it.
    """
    if kind is not Secret:
        raise NotImplementedError(f"nothing reads a {kind.__name__}")
    if not isinstance(value, str) or not value.strip():
        raise ValueError("has to be text that is not empty (the value is not shown)")
    return Secret(value.strip())


def new_token() -> str:
    """A token nobody has seen."""
    return _PREFIX + secrets.token_urlsafe(32)


def write_once(path: Path, text: str) -> None:
    """Write a file for its owner alone, the whole of it or nothing, unless it is there; the first of two writers wins.

    Raises:
        OSError: it cannot be written.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # another process was first; what it wrote counts
        finally:
            draft.unlink(missing_ok=True)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)

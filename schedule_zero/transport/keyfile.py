"""Key files: a few lines of text with a program's own CURVE pair and the core's public key.

::

    # anything
    public  the pair's public half, 40 characters of Z85
    secret  its secret half
    server  the public key of the core; without it the connection is plain
    token   what the operator gave: a token, or a registration of this pair

Every line may be missing. ``docs/protocol.md`` has the same for handlers in other languages.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

import msgspec

from schedule_zero.errors import ScheduleZeroError

LONGEST: Final = 10_000
OTHERS: Final = 0o077
"""Bits of a mode that give a file to others than its owner."""
_KEY: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_TOKEN: Final = re.compile(r"[!-~]{1,200}")


class WrongKeyFile(ScheduleZeroError):
    """A key file that is none; the sentence names the file and the line."""


class KeyFile(msgspec.Struct, kw_only=True, frozen=True):
    """What a key file holds; None: no such line."""

    public: str | None = None
    secret: str | None = None
    server: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"KeyFile(public={self.public!r}, server={self.server!r}, …)"


def read_key_file(path: Path) -> KeyFile:
    """Read a key file.

    Raises:
        WrongKeyFile: it cannot be read, a line is wrong, or others may read the secret in it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            open_to_others = _is_open_to_others(file.fileno())
            text = file.read(LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise WrongKeyFile(f"the key file {path} cannot be read: {reason.lower()}") from None
    keys = _parsed(text, path)
    if open_to_others and (keys.secret is not None or keys.token is not None):
        raise WrongKeyFile(
            f"the key file {path} holds a secret, and others than its owner may read it: chmod 600 {path}"
        )
    return keys


def text_of(keys: KeyFile) -> str:
    """The file's text."""
    pairs = [(name, getattr(keys, name)) for name in KeyFile.__struct_fields__]
    return "".join(f"{name} {value}\n" for name, value in pairs if value is not None)


def replace_key_file(path: Path, keys: KeyFile) -> None:
    """Write a key file in place of another, for its owner alone, the whole of it or nothing. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # none that a crash left there is in its way
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text_of(keys))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _is_open_to_others(handle: int) -> bool:
    """As ssh judges it: of a file of our own. Who made one for us (root, a container's secrets) answers for its mode."""
    if os.name != "posix":
        return False
    found = os.fstat(handle)
    return found.st_uid == os.getuid() and stat.S_ISREG(found.st_mode) and bool(found.st_mode & OTHERS)


def _parsed(text: str, path: Path) -> KeyFile:
    if len(text) > LONGEST:
        raise WrongKeyFile(f"the key file {path} is too long to be one")
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if not name or name.startswith("#"):
            continue
        if name not in KeyFile.__struct_fields__:
            raise WrongKeyFile(f"{path}:{number}: a key file has lines public, secret, server and token, and no others")
        if name in found:
            raise WrongKeyFile(f"{path}:{number}: there are two lines {name}")
        if not (_TOKEN if name == "token" else _KEY).fullmatch(value):  # never said back: it may be a secret
            wanted = "a token" if name == "token" else "40 characters of Z85"
            raise WrongKeyFile(f"{path}:{number}: {name} has to be followed by {wanted}")
        found[name] = value
    return KeyFile(**found)

"""Where a governor keeps what it needs: a folder of its own in the data folder, and sockets near it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from core.processes.port import ProcessError

FOLDER: Final = "processes"
LONGEST_SOCKET: Final = 100
"""Bytes of a socket's path: the systems take 104 to 108."""
_CONTROL: Final = "control.sock"
_NOTIFY: Final = "notify.sock"


class Places:
    """The files of one deployment's governor."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.folder = self.data_dir / FOLDER
        self.lock = self.folder / "governor.lock"
        self.record = self.folder / "governor.json"
        self.output = self.folder / "governor.log"

    def output_of(self, child: str) -> Path:
        """What a child prints."""
        return self.folder / f"{child}.log"

    def make(self) -> None:
        """Make the folder, for its owner alone.

        Raises:
            ProcessError: it cannot be made.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ProcessError(
                f"{self.folder} cannot be made ({error.strerror}); check data_dir and its owner"
            ) from None

    def sockets(self) -> Path:
        """The folder for sockets: the governor's own, unless its path is too long for one.

        Raises:
            ProcessError: there is no place for them.
        """
        if len(os.fsencode(self.folder / _CONTROL)) <= LONGEST_SOCKET:
            return self.folder
        short = private_folder() / hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        short.mkdir(mode=0o700, exist_ok=True)
        return short


def control_in(sockets: Path) -> Path:
    """Where a governor takes orders."""
    return sockets / _CONTROL


def notify_in(sockets: Path) -> Path:
    """Where a governor hears its children."""
    return sockets / _NOTIFY


def private_folder() -> Path:
    """A folder of this user that all deployments of this machine know, and nobody else can write.

    Raises:
        ProcessError: there is none.
    """
    # Not in XDG_RUNTIME_DIR: that goes when its user logs out, and deployments stay.
    folder = Path(tempfile.gettempdir()) / f"schedule-zero-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ProcessError(f"{folder} cannot be made ({error.strerror}); set TMPDIR to a folder of yours") from None
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or folder.is_symlink():
        raise ProcessError(f"{folder} is not yours alone; set TMPDIR to a folder that is")
    return folder

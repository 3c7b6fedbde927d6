"""A sync method: it runs in a thread, so it may block. It looks by itself whether it shall stop.

``schedule-zero handler handlers.examples.checksum:Checksum``, in the folder with the files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from schedule_zero import Context, Handler, Reject, method

PART = 1024 * 1024


class Checksum(Handler):
    """Checksums of files in the folder it was started in."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or Path.cwd()).resolve()

    @method(timeout=600)
    def file(self, ctx: Context, name: str, kind: Literal["sha256", "sha1", "md5"] = "sha256") -> dict[str, Any]:
        """The checksum of one file."""
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise Reject(f"there is no file {name!r} here")
        digest, done, size = hashlib.new(kind, usedforsecurity=False), 0, path.stat().st_size
        with path.open("rb") as file:
            while part := file.read(PART):
                ctx.raise_if_cancelled()
                digest.update(part)
                done += len(part)
                ctx.progress(done / max(done, size))
        return {"file": name, "bytes": done, kind: digest.hexdigest()}

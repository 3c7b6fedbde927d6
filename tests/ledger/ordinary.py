"""Being an ordinary user, where the tests are root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ORDINARY = 65534


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """Without root's right to write everywhere; a folder that such a user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    was = os.geteuid()
    try:
        if was == 0:
            os.chown(folder, ORDINARY, ORDINARY)
            os.seteuid(ORDINARY)
        yield folder
    finally:
        if was == 0:
            os.seteuid(0)
        shutil.rmtree(folder)

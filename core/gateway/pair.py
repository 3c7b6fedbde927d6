"""The core's own CURVE pair: made at the first start, its secret half for the core alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.listening import CannotListen
from core.secret import write_once
from schedule_zero.transport.curve import Pair, new_pair, public_of

SECRET_FILE: Final = "curve.secret"  # noqa: S105  # the name of a file


def ensure_pair(data_dir: Path) -> Pair:
    """The pair of this installation; the first call makes it (secret half mode 0600).

    Raises:
        OSError: the file cannot be read or written.
        CannotListen: it is there and holds no key.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / SECRET_FILE
    write_once(path, new_pair().secret)
    secret = path.read_text(encoding="utf-8").strip()
    try:
        public = public_of(secret)
    except ValueError:
        raise CannotListen(
            f"{path} holds no CURVE key; put the right one back, or delete it: then a new pair is made, and every "
            "handler's key file needs its new public half"
        ) from None
    return Pair(public, secret)

"""The nonce that makes a repeated message the same message.

Discord drops a second message with the same nonce in the same channel within a few minutes when ``enforce_nonce`` is
set (Discord documentation, "Create Message"); the outbox bridges the time after that.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Final

LENGTH: Final = 25  # the most Discord accepts


def nonce_of(run_id: str, part: str, arguments: Any) -> str:
    """25 base32 characters that only this part of this run with these arguments has.

    ``arguments`` are taken in canonical JSON (sorted keys, no spaces), so that the same arguments always count as
    the same, whichever process spells them.
    """
    canonical = json.dumps([run_id, part, arguments], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.b32encode(digest).decode().lower()[:LENGTH]

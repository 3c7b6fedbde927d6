"""For what must not be left to the cycle collector."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def only_what_is_new() -> Iterator[None]:
    """The collector comes when it is called, and then looks at what was made in here alone: what is there already is all
    that earlier tests have imported and left, and to look through that takes most of a second."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()

"""Views of what is kept, as a file."""

from __future__ import annotations

import msgspec


class ExportPart(msgspec.Struct, kw_only=True):
    """A part of a file: the parts, one behind the other, are the file.

    Attributes:
        next: the cursor of the part behind it; None: this was the last.
        name: what to call the file.
    """

    text: str
    next: str | None
    media_type: str
    name: str

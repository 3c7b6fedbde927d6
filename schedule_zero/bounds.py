"""Bounds: how long a text or a list may be that a client sends. They stand in the types, so that every door has them.

Each carries its words, which a refusal says after the name of the field: "``name`` has to be one line of …".
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from msgspec import Meta

TO_THE_END = r"(?![\s\S])"  # `$` would let a line feed pass
_LINE = rf"^[^\x00-\x1f\x7f]*{TO_THE_END}"
_NO_LINE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

Id = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=rf"^[^\s\x00-\x1f\x7f]+{TO_THE_END}",
        description="an id of 1 to 100 characters, without spaces",
    ),
]
"""Of a guild, channel, person, schedule or run. Which there are is for others to know."""

Word = Annotated[str, Meta(max_length=100, pattern=_LINE, description="one line of at most 100 characters")]
"""A name, a time zone, an instant, a duration."""

Line = Annotated[str, Meta(max_length=200, pattern=_LINE, description="one line of at most 200 characters")]
"""What is searched for; how others call their server."""

Text = Annotated[
    str,
    Meta(
        max_length=1000,
        pattern=rf"^[^\x00]*{TO_THE_END}",
        description="text of at most 1000 characters, none of them NUL",
    ),
]
"""What people write. About times ``core.timing`` is stricter, and says more."""

EndWord = Annotated[
    str,
    Meta(
        max_length=100,
        pattern=rf"^[^\W\d][\w.\-]*{TO_THE_END}",
        description="one word, such as lost or ValueError, of at most 100 characters",
    ),
]
"""How an attempt may end, or the word at the head of what it said."""

Locale = Annotated[
    str,
    Meta(pattern=rf"^[A-Za-z]{{2,8}}(-[A-Za-z0-9]{{1,8}}){{0,4}}{TO_THE_END}", description="a language such as en-US"),
]

TimeField = Annotated[str, Meta(pattern=rf"^(when|repeat){TO_THE_END}", description="when or repeat")]


def without_controls(text: str) -> str:
    """Text as a line may hold it: without control characters and halves of characters, which nothing can be read by."""
    return _NO_LINE.sub("", text)

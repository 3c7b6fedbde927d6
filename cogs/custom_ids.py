"""The ids of buttons that outlive everything: ``sz1:VERB:SUBJECT:DETAIL``, the version first."""

from __future__ import annotations

from typing import Final

VERSION: Final = "1"
WHICH_LIMIT: Final = "which_limit"
"""The verb of the button under a refusal that says that a limit was met."""


def spelled(verb: str, subject: str = "", detail: str | int = "", *, version: str = VERSION) -> str:
    """The id of a button: what to do, to what, and what more there is to say."""
    return f"sz{version}:{verb}:{subject}:{detail}"

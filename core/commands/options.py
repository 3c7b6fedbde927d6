"""Options whose text has a form of its own: JSON objects and KEY=VALUE pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
import msgspec

from schedule_zero.routes import NO_GUILD


def json_object(text: str | None, option: str) -> dict[str, Any]:
    """The JSON object an option holds; an empty one if it was not given."""
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise click.UsageError(f'{option} takes a JSON object such as {{"key": "value"}} ({error})') from None


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """The pairs a repeated option holds."""
    found: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise click.UsageError(f"{option} takes KEY=VALUE, not {text!r}")
        found[key] = value
    return found


def guild_filter(guild: str | None) -> dict[str, Any]:
    """The filter for ``--guild``: every guild without it, none for ``null``."""
    if guild is None:
        return {"any_guild": True}
    return {"guild_id": None if guild == NO_GUILD else guild}


def required(**given: Any) -> None:
    """Insist on options that only this way of calling needs."""
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise click.UsageError(f"missing: {', '.join(missing)}; or give --file")

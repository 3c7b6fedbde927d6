"""Views of people who may not use the service."""

from __future__ import annotations

import msgspec


class BanView(msgspec.Struct, kw_only=True):
    """That a person may not use the service: since when, by whom, and why."""

    user_id: str
    at: str
    by: str
    why: str = ""


class BanPage(msgspec.Struct, kw_only=True):
    """Everybody who is banned."""

    items: tuple[BanView, ...]

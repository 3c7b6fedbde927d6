"""What a store that several cores share is asked for."""

from __future__ import annotations

from collections.abc import Sequence

Within = Sequence[int] | None
"""Only what belongs to guilds of these buckets; None: everything. Only a store that several cores share knows buckets."""

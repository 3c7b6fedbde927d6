"""What a person set of their time zone, as it is kept."""

from __future__ import annotations

from typing import Final

import msgspec


class OwnZone(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person's own zone, if they set one. ``shared``: others may see it."""

    timezone: str | None = None
    shared: bool = False


NO_ZONE: Final = OwnZone()
_encode: Final = msgspec.json.Encoder().encode
_read: Final[msgspec.json.Decoder[str | OwnZone]] = msgspec.json.Decoder(str | OwnZone)


def own_zone_in(text: str | None) -> OwnZone:
    """As ``kept`` wrote it."""
    if text is None:
        return NO_ZONE
    found = _read.decode(text)
    return OwnZone(found) if isinstance(found, str) else found


def kept(zone: OwnZone) -> str | None:
    """One that is not shared is its name alone; None: nothing is kept."""
    return None if zone == NO_ZONE else _encode(zone if zone.shared else zone.timezone).decode()

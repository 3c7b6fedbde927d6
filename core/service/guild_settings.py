"""A guild's settings as a document: what may be sent, what is stored, and what that means. Pure.

What there is to set is what is shown of it (``schedule_zero.shown.guilds``), with its bounds, and nothing is said twice.
Only what was set is stored, so that defaults can improve. The document lies in the guild's note, beside what else is
known of the guild; what is no setting is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_type_hints

import msgspec

from core.service.policy import Mistakes
from core.service.shape import shaped
from core.timing.locales import known_locale
from schedule_zero.views import GuildSettings

_READ_ONLY: Final = frozenset({"guild_id", "defaults", "undo"})
_KINDS: Final[dict[str, Any]] = {
    name: kind for name, kind in get_type_hints(GuildSettings, include_extras=True).items() if name not in _READ_ONLY
}
SETTINGS: Final = tuple(_KINDS)
_GROUPS: Final[dict[str, type[msgspec.Struct]]] = {
    name: kind for name, kind in _KINDS.items() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
}
Place = tuple[str, str | None]
"""A setting: its field, and its name within that, if it is of a group."""


def _changes(name: str, kinds: Mapping[str, Any]) -> type[msgspec.Struct]:
    """The record of what may be sent of these fields. UNSET: left alone, None: back to the default."""
    fields = [(field, kind | msgspec.UnsetType | None, msgspec.UNSET) for field, kind in kinds.items()]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, omit_defaults=True)


_CHANGES: Final = _changes(
    "GuildChanges",
    _KINDS
    | {
        name: _changes(f"{kind.__name__}Changes", get_type_hints(kind, include_extras=True))
        for name, kind in _GROUPS.items()
    },
)


def changes_in(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent, checked each by itself; of a group also a part. What a client may only read is ignored, so that what was
    read can be sent back. None: back to the default.

    Raises:
        Invalid: a field is unknown, or its value is wrong.
    """
    wanted = shaped({name: value for name, value in sent.items() if name not in _READ_ONLY}, _CHANGES)
    changes: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(wanted))
    locale = changes.get("locale")
    if locale is not None:
        known, mistakes = known_locale(locale), Mistakes()
        if known is None:
            mistakes.add("locale", f"{locale!r} is no language of Discord's; write one such as en-GB, en-US or de")
        mistakes.raise_any()
        changes["locale"] = known
    return changes


def document_of(text: str | None) -> dict[str, Any]:
    """A guild's note, from its stored JSON."""
    return {} if text is None else msgspec.json.decode(text, type=dict[str, Any])


def settings_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a guild's note that is its settings."""
    return {name: document[name] for name in SETTINGS if name in document}


def with_settings(document: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A guild's note with other settings in it."""
    return {name: value for name, value in document.items() if name not in SETTINGS} | dict(settings)


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings with changes over them; what goes back to its default is stored no more."""
    after = dict(settings)
    for name, value in changes.items():
        is_part = name in _GROUPS and value is not None
        after[name] = _without_none({**settings.get(name, {}), **value}) or None if is_part else value
    return _without_none(after)


def stands(stored: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether all that a change made different between ``before`` and ``after`` is stored as it became."""
    now, became = _entries(stored), _entries(after)
    return all(_is_same(now.get(place), became.get(place)) for place in _changed(before, after))


def differs(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether anything is set otherwise."""
    return bool(_changed(before, after))


def taken_back(stored: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings with all that a change made different as it was before it, and what else was changed as it is."""
    was, settings = _entries(before), dict(stored)
    for field, within in _changed(before, after):
        value = was.get((field, within))
        if within is not None:
            group = settings.get(field)
            value = _without_none({**(group if isinstance(group, dict) else {}), within: value}) or None
        settings[field] = value
    return _without_none(settings)


def _entries(settings: Mapping[str, Any]) -> dict[Place, Any]:
    """Every setting by its place: those of a group by themselves."""
    found: dict[Place, Any] = {}
    for field, value in settings.items():
        if isinstance(value, dict):
            found.update({(field, within): each for within, each in value.items() if each is not None})
        else:
            found[field, None] = value
    return found


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Place]:
    was, is_now = _entries(before), _entries(after)
    return [place for place in dict.fromkeys((*was, *is_now)) if not _is_same(was.get(place), is_now.get(place))]


def _is_same(one: Any, other: Any) -> bool:
    """Whether a setting has the same value; of roles and channels it counts which are listed, not in which order."""
    if isinstance(one, list) and isinstance(other, list):
        return set(one) == set(other)
    return bool(one == other)


def settings_of(guild_id: str, text: str | None) -> GuildSettings:
    """A guild's settings from its note, with defaults filled in."""
    return shown(guild_id, settings_in(document_of(text)))


def shown(guild_id: str, stored: Mapping[str, Any]) -> GuildSettings:
    """Settings as they are answered. Fields that nobody can set any more are left out."""
    known = {name: _known(value, name) for name, value in stored.items()}
    settings = msgspec.convert({**known, "guild_id": guild_id}, GuildSettings)
    settings.defaults = tuple(_unset(known))
    return settings


def require_sense(settings: GuildSettings, longest_days: int) -> None:
    """Raises Invalid where settings that are fine each by itself say nothing together, or more than the operator allows.

    Args:
        longest_days: for so long the operator keeps what is over.
    """
    mistakes, channels = Mistakes(), settings.channels
    both = [id for id in channels.deny if id in channels.allow]
    if both:
        mistakes.add("channels.deny", f"<#{both[0]}> stands in allow as well; leave it out of one of them")
    if settings.guild_id in settings.roles.manager:
        mistakes.add("roles.manager", "everybody cannot manage here; choose a role that some people have")
    days = settings.retention.history_days
    if days is not None and days > longest_days:
        mistakes.add("retention.history_days", f"is more than the {longest_days} days that the operator keeps anything")
    mistakes.raise_any()


def _known(value: Any, name: str) -> Any:
    kind = _GROUPS.get(name)
    return value if kind is None else {key: value[key] for key in kind.__struct_fields__ if key in value}


def _unset(stored: Mapping[str, Any]) -> list[str]:
    """The settings that nobody made; of a group of which something is set, by ``group.field``."""
    found = [name for name in SETTINGS if name not in stored]
    for name, kind in _GROUPS.items():
        made = stored.get(name)
        found += [] if made is None else [f"{name}.{field}" for field in kind.__struct_fields__ if field not in made]
    return found


def _without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}

"""Keys that are valid, because later versions heed them, and have no effect in this one. Whoever sets them is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

# ``*`` stands for a name that is free; a section stands for everything in it. ``mode`` has one value that holds.
UNHEEDED: Final = ("mode",)
_PATTERNS: Final = tuple(tuple(each.split(".")) for each in UNHEEDED)


def unheeded(document: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """The keys of a document that are set to something, and have no effect.

    Args:
        document: what was written, as mappings, lists and scalars.
        defaults: the same with nothing written; saying the default says nothing.
    """
    return [
        ".".join(path)
        for path, value in _leaves(document, ())
        if _matches(path) and _says_more(value, _default(defaults, path))
    ]


def _says_more(value: Any, default: Any) -> bool:
    """Whether a value differs from its default. An empty section changes nothing."""
    return value is not None and value != default and not (value == {} and isinstance(default, Mapping))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, (*path, name))
    else:
        yield path, value


def _matches(path: tuple[str, ...]) -> bool:
    return any(
        len(path) >= len(pattern) and all(part in ("*", name) for part, name in zip(pattern, path, strict=False))
        for pattern in _PATTERNS
    )


def _default(defaults: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        defaults = defaults.get(name) if isinstance(defaults, Mapping) else None
    return defaults

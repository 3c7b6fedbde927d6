"""The page: SimCord's files as they are, with the few words changed that make it ours.

SimCord writes its page for one preview at the root of a server of its own. Ours lies below a path, next to others, and
follows real time; so addresses become relative to the page, and the page learns a viewer to start with, the browser's
time zone, relative times that run, to be written to as one writes in Discord (see ``writing``), and to come back after a
restart. Every text that is replaced must be there, else the files are not those of the version we know.
"""

from __future__ import annotations

import hashlib
import html
import mimetypes
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from bot.playground.exchange import Place
from bot.playground.writing import WRITING

OURS: Final = Path(__file__).with_name("static")
OUR_FILES: Final = frozenset({"playground.css", "playground.js"})
INDEX: Final = "index.html"

_API: Final = (('"/api/', '"api/'), ("`/api/", "`api/"))
CHANGES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "app.js": (
        *_API,
        ('"/backend-diagnostics.json"', 'new URL("./backend-diagnostics.json", import.meta.url)'),
        (
            'request("api/pages", "POST", {}, null)',
            'request("api/pages", "POST", { viewer_id: sessionStorage.getItem("playground-viewer") }, null)',
        ),
        (
            "function terminateSession(message) {",
            'function terminateSession(message) {\n  window.dispatchEvent(new Event("playground-lost"));',
        ),
    ),
    "assets.js": (_API[1],),
    "transport.js": (_API[0],),
    **WRITING,
    "media.js": (('"/vendor/', 'import.meta.url.replace(/[^/]*$/, "") + "vendor/'),),
    "preview.css": (('url("/fonts/', 'url("fonts/'),),
    "presentation.js": (
        (
            'configured.timezone || state.profile.timezone || "UTC"',
            'Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC"',
        ),
    ),
    "text.js": (
        (
            'const time = node("time", "discord-timestamp", rendered);',
            'const time = node("time", "discord-timestamp", rendered);\n  time.dataset.style = style;',
        ),
    ),
}
"""What is replaced by what, file by file."""

_INDEX_CHANGES: Final = (
    ("<title>SimCord Preview</title>", '<title>{title}</title><base href="{base}"><link rel="icon" href="data:,">'),
    (
        '<link rel="stylesheet" href="/preview.css">',
        '<link rel="stylesheet" href="{files}/preview.css"><link rel="stylesheet" href="{files}/playground.css">',
    ),
    ("<body>", "<body>{listing}"),
    (
        '<div id="preview-shell" class="preview-shell">',
        '<div id="preview-shell" class="preview-shell messages-closed">',
    ),
    ("<strong>SimCord</strong><small>Preview</small>", "<strong>ScheduleZero</strong><small>Playground</small>"),
    (
        '<script type="module" src="/app.js"></script>',
        '<script type="module" src="{files}/app.js"></script><script type="module" src="{files}/playground.js"></script>',
    ),
)


class PageChanged(Exception):
    """A file of SimCord's page is not the one the changes were written for."""


def changed(name: str, text: str, changes: Iterable[tuple[str, str]]) -> str:
    """A file's text with the changes made.

    Raises:
        PageChanged: something to be replaced is not there.
    """
    for old, new in changes:
        if old not in text:
            raise PageChanged(f"SimCord's {name} has no {old!r}")
        text = text.replace(old, new)
    return text


def load(name: str, shipped: Path) -> tuple[str, bytes]:
    """Content type and content of a file of the page; ``name`` is one that is known to exist.

    Raises:
        PageChanged: see ``changed``.
        OSError: it cannot be read.
    """
    path = (OURS if name in OUR_FILES else shipped) / name
    content = path.read_bytes()
    if name in CHANGES:
        content = changed(name, content.decode(), CHANGES[name]).encode()
    kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0] or "text/plain"
    return kind, content


def edition(version: str) -> str:
    """A name for this set of files, part of their address: browsers keep them until one of them is another."""
    ours = [(OURS / name).read_bytes() for name in sorted(OUR_FILES)]
    return hashlib.sha256(b"\0".join([version.encode(), repr(CHANGES).encode(), *ours])).hexdigest()[:16]


def index(shipped: Path, prefix: str, files: str, place: Place, places: Iterable[Place]) -> bytes:
    """The document of a channel's page.

    It holds no token: that stays behind the ``#`` of the address, which a browser sends to nobody; our script adds it
    to the links.

    Args:
        prefix: the path the playground is mounted at.
        files: the path of the page's files.

    Raises:
        PageChanged, OSError: as for ``load``.
    """
    values = {
        "title": html.escape(f"{place.label} · {place.group}"),
        "base": html.escape(f"{prefix}/{place.path}/"),
        "files": html.escape(files),
        "listing": _listing(prefix, place, places),
    }
    changes = [(old, new.format_map(values)) for old, new in _INDEX_CHANGES]
    return changed(INDEX, (shipped / INDEX).read_text(encoding="utf-8"), changes).encode()


def _listing(prefix: str, here: Place, places: Iterable[Place]) -> str:
    """The list of guilds and channels beside the page."""
    parts = ['<nav class="playground-places" aria-label="Channels">']
    for group, members in groupby(places, key=lambda place: place.group):
        parts.append(f"<h2>{html.escape(group)}</h2>")
        for place in members:
            current = ' aria-current="page"' if place.path == here.path else ""
            href = html.escape(f"{prefix}/{place.path}/")
            label = html.escape(place.label)
            parts.append(f'<a href="{href}" data-channel="{place.channel_id}"{current}>{label}</a>')
    return "".join([*parts, "</nav>"])

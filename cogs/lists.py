"""Lists of schedules, a page at a time; what is listed stands in the ids of the paging buttons."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, Literal, Self, get_args

import msgspec
from discord import ui

from cogs.answers import defer, show
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.front import Interaction, actor_of, core_of, home_of
from cogs.reminders import REMINDER
from cogs.texts import STATES, is_job, one_line, place_of, stamp, title_of
from schedule_zero import instant
from schedule_zero.schedule import Schedule

ROWS: Final = 10
LONGEST_SEARCH: Final = 30
"""Characters; the search must fit into a button's id beside everything else."""
_FETCHED: Final = 100
_LOOKED_THROUGH: Final = 2_000

_STATES: Final = ("", *STATES)
Kind = Literal["s", "j", "r"]
_WORDS: Final[dict[Kind, tuple[str, str, str]]] = {
    "s": ("schedules", "Schedules", "/schedule message makes one."),
    "j": ("jobs", "Jobs", "/job create makes one."),
    "r": ("reminders", "Your reminders", "/remind me sets one."),
}
State = Literal["active", "paused", "blocked", "needs_owner", "done"]
"""The states that can be asked for."""
Sort = Literal["next", "name", "newest", "oldest"]
_SORTS: Final[dict[str, Sort | None]] = {"": None, "d": "next", "n": "name", "y": "newest", "o": "oldest"}
"""Orders by the letter that stands for them in a button's id."""
_FLAGS: Final = re.compile(r"(?P<kind>[rsj])(?P<scope>[ha])(?P<state>\d+)(?P<sort>[dnyo]?)")
LIVE: Final = ("active", "paused", "blocked", "needs_owner", "pending")
"""The states a list shows, in this order, when none is asked for: what is done or deleted would hide the rest."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What is listed.

    Attributes:
        kind: ``s`` the guild's messages, ``j`` its jobs, ``r`` the person's own reminders.
        here: of reminders, only those made in this guild (or, in a direct message, in none).
        state: only those in it; None for all that are neither done nor deleted.
        search, channel_id, owner_id: only those; empty for any.
        sort: in which order; None for state by state, the oldest first.
        page: from 1.
    """

    kind: Kind = "s"
    here: bool = False
    state: str | None = None
    search: str = ""
    channel_id: str = ""
    owner_id: str = ""
    sort: Sort | None = None
    page: int = 1

    def spell(self) -> tuple[str, str]:
        """Subject and detail of a button that leads here."""
        flags = f"{self.kind}{'h' if self.here else 'a'}{_STATES.index(self.state or '')}"
        sort = next(letter for letter, order in _SORTS.items() if order == self.sort)
        return f"{flags}{sort}.{self.page}", f"{self.channel_id}.{self.owner_id}.{self.search}"

    @classmethod
    def parse(cls, subject: str, detail: str) -> Self:
        """The listing a button leads to.

        Raises:
            ValueError: no listing is spelled so.
        """
        spelled, _, page = subject.partition(".")
        flags = _FLAGS.fullmatch(spelled)
        if flags is None:
            raise ValueError(f"{subject!r} spells no listing")
        channel_id, owner_id, search = detail.split(".", 2)
        return cls(
            kind=next(kind for kind in get_args(Kind) if kind == flags["kind"]),
            here=flags["scope"] == "h",
            state=_STATES[int(flags["state"])] or None,
            sort=_SORTS[flags["sort"]],
            search=search,
            channel_id=channel_id,
            owner_id=owner_id,
            page=int(page),
        )


@on_press("list")
async def turn(interaction: Interaction, subject: str, detail: str) -> None:
    """Show another page."""
    await defer(interaction)
    await show(interaction, await listing_card(interaction, Listing.parse(subject, detail)))


async def listing_card(interaction: Interaction, listing: Listing) -> ui.LayoutView:
    """The page that is asked for; the last one if there are fewer."""
    rows, more = await _rows(interaction, listing, listing.page * ROWS + 1)
    page = min(listing.page, max(1, (len(rows) + ROWS - 1) // ROWS))
    shown = rows[(page - 1) * ROWS : page * ROWS]
    more = more or len(rows) > page * ROWS
    what, heading, hint = _WORDS[listing.kind]
    if not shown:
        return card(f"No {what} here", f"Nothing fits. {hint}")
    buttons = [
        _page_button("◀ Back", listing, page - 1, disabled=page == 1),
        _page_button("Next ▶", listing, page + 1, disabled=not more),
    ]
    heading = f"{heading}, page {page}"
    rows_shown = "\n".join(_row(schedule) for schedule in shown)
    beyond = f"-# There is no page {listing.page}; this is the last." if page < listing.page else ""
    return card(heading, rows_shown, beyond, buttons=buttons if more or page > 1 else ())


def _page_button(label: str, listing: Listing, page: int, *, disabled: bool) -> CardButton:
    subject, detail = msgspec.structs.replace(listing, page=page).spell()
    return CardButton(label, "list", subject, detail, disabled=disabled)


async def _rows(interaction: Interaction, listing: Listing, wanted: int) -> tuple[Sequence[Schedule], bool]:
    """The first rows that fit, and whether there may be more."""
    rows: list[Schedule] = []
    async for schedule in _fitting(interaction, listing):
        rows.append(schedule)
        if listing.sort is None and len(rows) > wanted:
            break  # the core's own order, so what comes later is later in the list, too
    if listing.sort is not None:
        rows.sort(key=_ORDERS[listing.sort], reverse=listing.sort == "newest")
    return rows[:wanted], len(rows) > wanted


async def _fitting(interaction: Interaction, listing: Listing) -> AsyncIterator[Schedule]:
    """All that fit, state by state; of very many in one state, the oldest."""
    core, filters = core_of(interaction), _filters(interaction, listing)
    for state in LIVE if listing.state is None else (listing.state,):
        cursor: str | None = None
        for _ in range(_LOOKED_THROUGH // _FETCHED):
            page = await core.list_schedules(**filters, state=state, limit=_FETCHED, cursor=cursor)
            for schedule in page.items:
                if _fits(schedule, listing):
                    yield schedule
            cursor = page.next
            if cursor is None:
                break


def _due(schedule: Schedule) -> tuple[bool, int, str]:
    """What is due next comes first, what is not due at all last."""
    times = schedule.next_fire_times if schedule.state == "active" else ()
    return (not times, instant.parse(times[0]) if times else 0, schedule.id)


_ORDERS: Final[dict[Sort, Callable[[Schedule], Any]]] = {
    "next": _due,
    "name": lambda schedule: (title_of(schedule).casefold(), schedule.id),
    "newest": lambda schedule: schedule.id,  # ids sort by the moment they were made
    "oldest": lambda schedule: schedule.id,
}


def _filters(interaction: Interaction, listing: Listing) -> dict[str, Any]:
    home = home_of(interaction)
    filters: dict[str, Any] = {"q": listing.search or None}
    if listing.kind == "r":
        everywhere = not listing.here
        filters |= {"owner_id": actor_of(interaction).id, "metadata": {"kind": REMINDER}, "any_guild": everywhere}
        return filters | {"guild_id": None if everywhere else home}
    return filters | {"guild_id": home, "owner_id": listing.owner_id or None}


def _fits(schedule: Schedule, listing: Listing) -> bool:
    if listing.kind != "r" and (schedule.metadata.get("kind") == REMINDER or is_job(schedule) != (listing.kind == "j")):
        return False
    return not listing.channel_id or schedule.args.get("channel_id") == listing.channel_id


def _row(schedule: Schedule) -> str:
    parts = [f"**{title_of(schedule)}**"]
    if schedule.state == "active" and schedule.next_fire_times:
        parts.append(stamp(schedule.next_fire_times[0], "R"))
    else:
        parts.append(STATES[schedule.state])
    parts += [one_line(schedule.words, 80), schedule.timezone]
    place = f"`{schedule.handler}.{schedule.method}`" if is_job(schedule) else place_of(schedule)
    if place:
        parts.append(place)
    run = schedule.last_run
    if run is not None and run.state in ("failed", "timed_out"):
        parts.append(f"last run {run.state.replace('_', ' ')}")
    return f"- {' · '.join(parts)} · `{schedule.id}`"

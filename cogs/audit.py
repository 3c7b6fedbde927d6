"""``/audit``: who changed what in this server, page by page and as a file; and the way back."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, Final, Literal, Self

import discord
import msgspec
from discord import app_commands, ui

from cogs.ago import AgoText, moment_before
from cogs.answers import add, defer, show
from cogs.audit_lines import line_card, row
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.front import Interaction, core_of, home_of
from cogs.items import resolve_item
from cogs.options import CHOICES, TIME_TEXT, Choices, ItemText, Text
from cogs.places import require_home
from cogs.shown import show_change
from cogs.texts import seconds
from schedule_zero import instant
from schedule_zero.audit import DONE, Action, csv_of
from schedule_zero.instant import SECOND
from schedule_zero.views import AuditLine

ROWS: Final = 8
MOST_PAGES: Final = 50
MOST_EXPORTED: Final = 5_000
LARGEST_FILE: Final = 8 * 1024 * 1024
"""Bytes; Discord takes larger files from few."""
_FETCHED: Final = 200
_SPELLED: Final = re.compile(r"(?P<action>[a-z._]*)\.(?P<since>\d*)\.(?P<target>[a-z0-9_]*)")

Form = Literal["csv", "json"]

audit = app_commands.Group(
    name="audit",
    description="Who changed what in this server",
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
COMMANDS: Final = (audit,)


class Action_(Text):  # noqa: N801 - Action is what it offers
    """``action``: what was done, by its name; those that fit are suggested."""

    option = "action"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        typed = str(value)[:TIME_TEXT].strip().casefold()
        fitting = [each for each in Action if typed in each or typed in DONE[each].casefold()]
        return [app_commands.Choice(name=f"{each}: {DONE[each]}", value=each.value) for each in fitting[:CHOICES]]


ActionText = app_commands.Transform[str, Action_]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes are listed.

    Attributes:
        actor: only those of this person, by their id.
        action: only this one.
        target: only those of this schedule.
        since: only those made since then, in Unix seconds.
        page: from 1.
    """

    actor: str = ""
    action: str = ""
    target: str = ""
    since: int | None = None
    page: int = 1

    @property
    def filters(self) -> dict[str, Any]:
        """As the core is asked."""
        return {
            "actor": self.actor or None, "action": self.action or None, "target": self.target or None,
            "since": None if self.since is None else instant.spell(self.since * SECOND),
        }  # fmt: skip

    def spell(self) -> tuple[str, str]:
        """Subject and detail of a button that leads here."""
        since = "" if self.since is None else str(self.since)
        return f"{self.page}.{self.actor}", f"{self.action}.{since}.{self.target}"

    @classmethod
    def parse(cls, subject: str, detail: str) -> Self:
        """The list a button leads to. Raises ValueError where none is spelled so."""
        page, _, actor = subject.partition(".")
        match = _SPELLED.fullmatch(detail)
        if match is None:
            raise ValueError(f"{detail!r} spells no list of changes")
        return cls(
            actor=actor, action=match["action"], target=match["target"], page=int(page),
            since=int(match["since"]) if match["since"] else None,
        )  # fmt: skip


@audit.command(name="list", description="List who changed what in this server, newest first")
@app_commands.describe(
    actor="Only what this person changed",
    action="Only changes of this kind",
    item="Only changes of this schedule",
    since="Only what was changed since then: 2 hours, 7 days, a date",
    page="Which page",
)
async def list_changes(
    interaction: Interaction,
    actor: discord.User | None = None,
    action: ActionText | None = None,
    item: ItemText | None = None,
    since: AgoText | None = None,
    page: app_commands.Range[int, 1, MOST_PAGES] = 1,
) -> None:
    """List changes."""
    await defer(interaction)
    wanted = await _wanted(interaction, actor, action, item, since)
    await show(interaction, await _list_card(interaction, msgspec.structs.replace(wanted, page=page)))


@audit.command(name="export", description="Get who changed what in this server as a file, newest first")
@app_commands.describe(
    format="A table for spreadsheets, or everything as JSON",
    actor="Only what this person changed",
    action="Only changes of this kind",
    item="Only changes of this schedule",
    since="Only what was changed since then: 2 hours, 7 days, a date",
)
async def export(
    interaction: Interaction,
    format: Form = "csv",
    actor: discord.User | None = None,
    action: ActionText | None = None,
    item: ItemText | None = None,
    since: AgoText | None = None,
) -> None:
    """Send changes as a file."""
    await defer(interaction)
    wanted = await _wanted(interaction, actor, action, item, since)
    text, count, more = await _written(interaction, wanted, format)
    file = discord.File(io.BytesIO(text.encode()), filename=f"audit-{interaction.guild_id}.{format}")
    rest = " There are older ones: say since when, or use `schedule-zero audit export`." if more else ""
    await interaction.followup.send(
        f"{'1 change' if count == 1 else f'{count:,} changes'}, newest first.{rest}", file=file, ephemeral=True
    )


@on_press("audit")
async def turn(interaction: Interaction, subject: str, detail: str) -> None:
    """Show another page."""
    await defer(interaction)
    await show(interaction, await _list_card(interaction, Wanted.parse(subject, detail)))


@on_press("change")
async def open_change(interaction: Interaction, id: str, _detail: str) -> None:
    """Show what a change made different, on a card of its own."""
    await defer(interaction)
    await add(interaction, line_card(await core_of(interaction).get_audit(id)))


@on_press("take_back")
async def take_back(interaction: Interaction, id: str, _detail: str) -> None:
    """Take the change back that a card shows."""
    await defer(interaction)
    reverted = await core_of(interaction).revert_audit(id)
    if reverted.schedule is not None:
        await show_change(interaction, reverted.schedule, "Taken back")
    else:
        await show(
            interaction, card("Taken back", "This server's settings are as they were; `/settings show` has all.")
        )


async def _wanted(
    interaction: Interaction, actor: discord.User | None, action: str | None, item: str | None, since: str | None
) -> Wanted:
    require_home(interaction, "/audit")
    return Wanted(
        actor="" if actor is None else str(actor.id), action=action or "",
        target="" if item is None else await resolve_item(interaction, item, loosely=True),
        since=None if since is None else seconds(await moment_before(interaction, since)),
    )  # fmt: skip


async def _list_card(interaction: Interaction, wanted: Wanted) -> ui.LayoutView:
    """The page that is asked for; the last one if there are fewer."""
    found, more = await _fetched(interaction, wanted, min(wanted.page, MOST_PAGES) * ROWS + 1)
    page = max(1, min(wanted.page, MOST_PAGES, (len(found) + ROWS - 1) // ROWS))
    lines = found[(page - 1) * ROWS : page * ROWS]
    if not lines:
        return card("No changes here", "Nothing fits. What is changed from now on will stand here.")
    more = more or len(found) > page * ROWS
    numbered = [f"**{place}** {row(line)}" for place, line in enumerate(lines, 1)]
    details = [CardButton(str(place), "change", line.id) for place, line in enumerate(lines, 1)]
    turning = [
        _turning("◀ Back", wanted, page - 1, disabled=page == 1),
        _turning("Next ▶", wanted, page + 1, disabled=not more or page == MOST_PAGES),
    ]
    last = "-# Older ones come with `since`, or as a file: `/audit export`." if more and page == MOST_PAGES else ""
    beyond = f"-# There is no page {wanted.page}; this is the last." if page < wanted.page else ""
    buttons = [*details, *(turning if more or page > 1 else ())]
    return card(
        f"Changes, page {page}", "\n".join(numbered), last or beyond or "-# A number shows what a change made different.",
        buttons=buttons,
    )  # fmt: skip


async def _fetched(interaction: Interaction, wanted: Wanted, needed: int) -> tuple[Sequence[AuditLine], bool]:
    """The newest lines that fit, as many as are needed, and whether there are more."""
    core, found = core_of(interaction), list[AuditLine]()
    cursor: str | None = None
    while len(found) < needed:
        page = await core.list_audit(
            guild_id=home_of(interaction), **wanted.filters, limit=min(_FETCHED, needed - len(found)), cursor=cursor
        )
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    return found, cursor is not None


async def _written(interaction: Interaction, wanted: Wanted, form: Form) -> tuple[str, int, bool]:
    """The file, how many lines it holds, and whether there are older ones that did not fit."""
    core, parts, size = core_of(interaction), list[str](), 0
    cursor: str | None = None
    while True:
        page = await core.list_audit(guild_id=home_of(interaction), **wanted.filters, limit=_FETCHED, cursor=cursor)
        for line in page.items:
            part = csv_of([line], titled=False) if form == "csv" else msgspec.json.encode(line).decode()
            size += len(part.encode())
            if size > LARGEST_FILE or len(parts) == MOST_EXPORTED:
                return _whole(parts, form), len(parts), True
            parts.append(part)
        cursor = page.next
        if cursor is None:
            return _whole(parts, form), len(parts), False


def _whole(parts: Sequence[str], form: Form) -> str:
    return csv_of(()) + "".join(parts) if form == "csv" else "[\n" + ",\n".join(parts) + "\n]\n"


def _turning(label: str, wanted: Wanted, page: int, *, disabled: bool) -> CardButton:
    subject, detail = msgspec.structs.replace(wanted, page=page).spell()
    return CardButton(label, "audit", subject, detail, disabled=disabled)

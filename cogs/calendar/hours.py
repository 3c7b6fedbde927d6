"""``/calendar hours``: when something may be due at all."""

from __future__ import annotations

from discord import app_commands, ui

from cogs.answers import defer
from cogs.answers import show as show_card
from cogs.calendar.affected import changes_since, glance, heeded_by
from cogs.calendar.windows import Unreadable, read_days, read_times, with_windows
from cogs.cards import card
from cogs.front import Interaction, core_of
from cogs.options import BeginText, DaysText, EndText, HoursText, ZoneText
from cogs.places import require_home
from cogs.refusals import Refusal
from cogs.texts import list_of, one_line
from schedule_zero.closings import HoursView, HoursWindows
from schedule_zero.errors import NotFound

hours = app_commands.Group(name="hours", description="When schedules may be due at all")


@hours.command(name="set", description="Open some days from one time to another; other days stay as they are")
@app_commands.rename(begin="from", end="to")
@app_commands.describe(
    name="What the hours are called: office",
    days="On which days: weekdays, mon-fri, sat, every day",
    begin="From when, included: 9:00; with a break 9:00, 13:00",
    end="Until when, included: 17:00; with a break 12:00, 17:00",
    tz="Whose clock they are read on; left out, each schedule's own",
)
async def set_hours(
    interaction: Interaction,
    name: HoursText,
    days: DaysText,
    begin: BeginText,
    end: EndText,
    tz: ZoneText | None = None,
) -> None:
    """Set the windows of some days."""
    await defer(interaction)
    core, home = core_of(interaction), require_home(interaction, "/calendar")
    try:
        known: HoursView | None = await core.get_hours(home, name)
    except NotFound:
        known = None
    try:
        windows = with_windows(
            () if known is None else known.windows, read_days(days), read_times(begin), read_times(end)
        )
    except Unreadable as error:
        raise Refusal(str(error)) from None
    zone = tz if tz is not None or known is None else known.timezone
    before, revision = await glance(interaction), 0 if known is None else known.revision
    saved = await core.put_hours(home, name, HoursWindows(windows=windows, timezone=zone), revision=revision)
    heading = "Hours made" if known is None else "Hours changed"
    await show_card(interaction, _hours_card(heading, saved, await changes_since(interaction, before)))


@hours.command(name="show", description="Show the hours this server keeps, or one of them")
@app_commands.describe(name="Which hours; left out, all")
async def show_hours(interaction: Interaction, name: HoursText | None = None) -> None:
    """Show hours."""
    await defer(interaction)
    core, home = core_of(interaction), require_home(interaction, "/calendar")
    if name is not None:
        await show_card(interaction, _hours_card("Hours", await core.get_hours(home, name)))
        return
    found = (await core.list_hours(home)).items
    lines = list_of(
        f"**{one_line(each.name, 60)}**: {one_line(', '.join(each.windows), 200)} · {heeded_by(each.used_by)}"
        for each in found
    )
    await show_card(interaction, card("Hours", lines or "There are none yet; `/calendar hours set` makes some."))


@hours.command(name="clear", description="Delete hours that no schedule heeds")
@app_commands.describe(name="Which hours")
async def clear_hours(interaction: Interaction, name: HoursText) -> None:
    """Delete hours."""
    await defer(interaction)
    gone = await core_of(interaction).delete_hours(require_home(interaction, "/calendar"), name)
    await show_card(interaction, card(f"Hours deleted: {gone.name}", f"They were\n{_windows(gone)}"))


def _hours_card(heading: str, view: HoursView, changes: str = "") -> ui.LayoutView:
    where = f"Read in **{view.timezone}**." if view.timezone else "Read in each schedule's own time zone."
    return card(
        f"{heading}: {view.name}", _windows(view), f"{where} {heeded_by(view.used_by)}", changes,
        "-# A schedule heeds them once `/schedule policy` gives it these `active_hours`.",
    )  # fmt: skip


def _windows(view: HoursView) -> str:
    return list_of(f"`{window}`" for window in view.windows)

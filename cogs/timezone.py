"""``/timezone``: the zone a person's times are read in, everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import discord
from discord import app_commands

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.drafts import carry_out
from cogs.front import Interaction, actor_of, core_of, home_of
from cogs.options import FromZoneText, ToZonesText, WhenText, ZoneText
from cogs.refusals import Refusal, about
from cogs.texts import moment, stamp
from schedule_zero import instant
from schedule_zero.trigger import DateTrigger
from schedule_zero.views import Fire, PreviewView

timezone = app_commands.Group(
    name="timezone",
    description="The time zone your times are read in",
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
)
COMMANDS: Final = (timezone,)
MOST_ZONES: Final = 10
_STYLES: Final = ("F", "t", "R")
"""Date and time, time of day, distance: what people paste into a message."""


@timezone.command(name="set", description="Set your time zone")
@app_commands.describe(tz="Your zone: Europe/Berlin, or a city")
async def set_timezone(interaction: Interaction, tz: ZoneText) -> None:
    """Set the caller's zone."""
    await defer(interaction)
    saved = await core_of(interaction).set_user_timezone(actor_of(interaction).id, tz)
    there = _now_in(saved.timezone or "UTC")
    note = f"Times you write are read in **{saved.timezone}** from now on. It is {there} there."
    await show(interaction, notes_card("Time zone set", note, "-# What is scheduled already keeps its own zone."))


def _now_in(zone: str) -> str:
    """In words: Discord's own way to write a time shows it on the reader's clock."""
    return f"{discord.utils.utcnow().astimezone(ZoneInfo(zone)):%H:%M on %A}"


@timezone.command(name="show", description="Show which time zone applies to you, or to somebody else")
@app_commands.describe(member="Whose time zone; left out, yours")
async def show_timezone(interaction: Interaction, member: discord.User | None = None) -> None:
    """Show the caller's zone and what applies where none is set; or somebody else's, if the core lets it be seen."""
    await defer(interaction)
    if member is None or member.id == interaction.user.id:
        lines = await _own(interaction)
    else:
        lines = await _somebodys(interaction, member)
    await show(interaction, notes_card("Time zones", "\n".join(lines)))


async def _own(interaction: Interaction) -> list[str]:
    core, home = core_of(interaction), home_of(interaction)
    own = await core.user_timezone(actor_of(interaction).id)
    lines = [f"Yours: **{own.timezone}**" if own.timezone else "Yours: not set; `/timezone set` sets it."]
    if own.timezone:
        lines.append("Others see it." if own.shared else "Only you see it; `/timezone share on` lets others.")
    if home is not None:
        settings = await core.guild_settings(home)
        lines.append(f"This server's: **{settings.timezone}**")
    lines.append("-# A command's own `tz` comes first, then yours, then the server's, then UTC.")
    return lines


async def _somebodys(interaction: Interaction, member: discord.User) -> list[str]:
    theirs = await core_of(interaction).user_timezone(str(member.id))
    if theirs.timezone is None:
        return [f"<@{member.id}> has set none."]
    return [f"<@{member.id}>: **{theirs.timezone}**. It is {_now_in(theirs.timezone)} there."]


@timezone.command(name="clear", description="Forget your time zone; the server's applies again")
async def clear_timezone(interaction: Interaction) -> None:
    """Forget the caller's zone."""
    await defer(interaction)
    core, id = core_of(interaction), actor_of(interaction).id
    if (await core.user_timezone(id)).timezone is None:
        raise Refusal("You have set no time zone, so there is none to forget; the server's applies, or UTC.")
    await core.set_user_timezone(id, None)
    note = "Times you write are read in the server's zone from now on, or in UTC."
    await show(interaction, notes_card("Time zone cleared", note, "-# What is scheduled already keeps its own zone."))


share = app_commands.Group(name="share", description="Whether others see your time zone", parent=timezone)


@share.command(name="on", description="Let everybody see your time zone with /timezone show")
async def share_on(interaction: Interaction) -> None:
    """Share the caller's zone."""
    note = "Everybody may see it with `/timezone show`. `/timezone share off` takes that back."
    await _share(interaction, "Time zone shared", note, shared=True)


@share.command(name="off", description="Keep your time zone to yourself")
async def share_off(interaction: Interaction) -> None:
    """Keep the caller's zone to them."""
    await _share(interaction, "Time zone not shared", "Nobody else sees it.", shared=False)


async def _share(interaction: Interaction, heading: str, note: str, *, shared: bool) -> None:
    await defer(interaction)
    core, id = core_of(interaction), actor_of(interaction).id
    own = await core.user_timezone(id)
    if own.timezone is None:
        raise Refusal("You have set no time zone, so there is none to share; `/timezone set` sets it.")
    saved = await core.set_user_timezone(id, own.timezone, shared=shared)
    await show(interaction, notes_card(heading, f"Yours is **{saved.timezone}**. {note}"))


@timezone.command(name="convert", description="Show a time in other zones, and on everybody's own clock")
@app_commands.rename(origin="from", targets="to")
@app_commands.describe(
    when="Which moment: now, tomorrow at 5pm, friday 18:30, a date",
    origin="The zone it is said in; default: yours, then the server's",
    targets="Zones to show it in, with commas between them",
    public="Show it to everybody here, each on their own clock",
)
async def convert(
    interaction: Interaction,
    when: WhenText,
    origin: FromZoneText | None = None,
    targets: ToZonesText | None = None,
    public: bool = False,
) -> None:
    """Show one moment in several zones, with Discord's notation for it to copy."""
    await defer(interaction, public=public)
    await carry_out(interaction, partial(_convert, origin=origin, targets=targets, public=public), when=when)


async def _convert(
    interaction: Interaction, *, when: str, origin: str | None, targets: str | None, public: bool
) -> None:
    core, actor = core_of(interaction), actor_of(interaction)
    with about("from", "timezone"):
        reading = await core.read_time(when, timezone=origin, guild_id=actor.guild_id, user_id=actor.id, past=True)
    if reading.recurring:
        raise Refusal(f"`when` is {reading.words}; give one moment, such as `tomorrow at 17:00`.")
    fire = reading.fires[0]
    views = [await _seen_from(interaction, fire.at, zone) for zone in _zones(targets)]
    lines = [_line(fire, reading.timezone), *(_line(view.fires[0], view.timezone) for view in views)]
    notation = " · ".join(f"`{stamp(fire.at, style)}`" for style in _STYLES)
    oddities = "\n".join(_oddities(reading.trigger, fire, reading.timezone))
    card = notes_card("Time", moment(fire.at), "\n".join(lines), oddities, f"-# To copy: {notation}")
    await show(interaction, card, public=public)


def _zones(text: str | None) -> list[str]:
    """The names in ``to``, each once."""
    named = list(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
    if text is not None and not named:
        raise Refusal("`to` names no zone; write some with commas between them: `Tokyo, New York`.")
    if len(named) > MOST_ZONES:
        raise Refusal(f"`to` names {len(named)} zones; at most {MOST_ZONES} are shown.")
    return named


async def _seen_from(interaction: Interaction, at: str, zone: str) -> PreviewView:
    """An instant as the core sees it in a zone, asked from the second before it: it may be over by now."""
    before = instant.spell(instant.parse(at) - instant.SECOND)
    with about("to", "timezone"):
        return await core_of(interaction).preview(DateTrigger(at), timezone=zone, n=1, after=before)


def _oddities(trigger: object, fire: Fire, zone: str) -> Iterator[str]:
    """What the clocks do to a time of day that was said: they skip it, or show it twice."""
    wall = datetime.fromisoformat(trigger.at) if isinstance(trigger, DateTrigger) else None
    if wall is None or wall.tzinfo is not None:
        return
    local = datetime.fromisoformat(fire.local).replace(tzinfo=None)
    early, late = (wall.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() for fold in (0, 1))
    if local != wall:
        there = f"on {wall:%Y-%m-%d} in {zone}, where the clocks go forward"
        yield f"-# {wall:%H:%M} does not exist {there}; this is {local:%H:%M}."
    elif early != late:
        yield f"-# {wall:%H:%M} comes twice on {wall:%Y-%m-%d} in {zone}, where the clocks go back; this is the first."


def _line(fire: Fire, zone: str) -> str:
    local = datetime.fromisoformat(fire.local)
    return f"**{zone}**: {local:%A} {local.day} {local:%B %Y, %H:%M} (UTC{local.isoformat()[-6:]})"

"""``/admin governor``: what servers may use, shown and set, for good or for a time; with the way back."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec
from discord import ButtonStyle, app_commands, ui

from cogs.admin.options import (
    PLAN,
    GuildText,
    LimitText,
    Reset,
    ValueText,
    read_limit,
    read_spelled,
    read_value,
    resolve_guild,
    said_value,
    spelled_value,
)
from cogs.answers import defer, show, tell
from cogs.buttons import CUSTOM_ID, CardButton, on_press
from cogs.cards import notes_card
from cogs.drafts import carry_out
from cogs.front import Interaction, service_of
from cogs.gauges import label_of
from cogs.options import UntilText
from cogs.quota_cards import quota_card
from cogs.refusals import Refusal, about
from cogs.texts import fit, list_of, one_line, stamp
from schedule_zero.client import CoreClient
from schedule_zero.each_schedule import FIELDS
from schedule_zero.views import GuildPage, QueueView, QuotaView

GUILDS_SHOWN: Final = 50
STALE: Final = "What this server may use was changed since, so nothing was done; it is shown as it is now."
_ROOM: Final = 3_000
_LONGEST: Final = 200
"""Characters of what a limit is."""

governor = app_commands.Group(name="governor", description="What servers may use")


@governor.command(name="show", description="Show what a server may use and uses, or which servers there are")
@app_commands.describe(guild="Which server; left out, all of them")
async def show_governor(interaction: Interaction, guild: GuildText | None = None) -> None:
    """Show one server's limits with who set them, or a list of servers."""
    await defer(interaction)
    core = service_of(interaction)
    if guild is None:
        await show(interaction, _all(await core.list_guilds(limit=GUILDS_SHOWN), await core.queue(GUILDS_SHOWN)))
    else:
        await show(interaction, await _card(interaction, await resolve_guild(interaction, guild)))


@governor.command(name="set", description="Set what a server may use, for good or until a moment")
@app_commands.describe(
    guild="Which server",
    limit="Which limit, or its plan",
    value="What it shall be; none: no limit, default: as in the plan",
    until="When it ends by itself; left out, it lasts",
)
async def set_governor(
    interaction: Interaction, guild: GuildText, limit: LimitText, value: ValueText, until: UntilText | None = None
) -> None:
    """Set one limit of a server."""
    await defer(interaction)
    await carry_out(interaction, partial(_set, guild=guild, limit=limit, value=value), until=until)


async def _set(interaction: Interaction, *, guild: str, limit: str, value: str, until: str | None) -> None:
    core, guild_id = service_of(interaction), await resolve_guild(interaction, guild)
    before = await core.guild_quota(guild_id)
    name = read_limit(limit, before)
    wanted = read_value(name, value)
    if until is not None and isinstance(wanted, Reset):
        raise Refusal("`until`: what the plan says has no end; leave `until` out, or write the value.")
    parts = (f"{name}.{part}" for part in FIELDS)
    with about("value", name, f"changes.{name}", *parts):
        if isinstance(wanted, Reset):
            ends = [name] * len(_for_a_time(before, name))
            after = await core.change_guild_quota(guild_id, {}, reset=[name], end=ends, by=by(interaction))
        else:
            after = await core.change_guild_quota(guild_id, {name: wanted}, until=until, by=by(interaction))
    done = f"**{label_of(name)}**: {_now(before, name)} → **{_now(after, name)}**"
    over = _for_a_time(after, name)
    if until is None and over and not isinstance(wanted, Reset):
        lasting, from_when = one_line(said_value(name, wanted), _LONGEST), stamp(max(each.until for each in over))
        done = f"**{label_of(name)}**: **{lasting}** from {from_when} on; until then {_now(after, name)}, which is set for a time"
    if until is not None:
        done += f" until {stamp(_for_a_time(after, name)[-1].until)}"
    if isinstance(wanted, list):
        done += await _about_handlers(core, wanted)
    await show(interaction, await _card(interaction, guild_id, done=done, buttons=_back(before, after, name, until)))


async def _about_handlers(core: CoreClient, names: Sequence[str]) -> str:
    """What a list of handlers comes to, small, where that is less than somebody may think."""
    if not names:
        return "\n-# Nothing can be made there, and what is there waits until handlers are allowed again."
    known = {each.name for each in (await core.list_handlers()).items}
    unknown = [name for name in names if name not in known]
    if not unknown:
        return ""
    said = one_line(", ".join(unknown), _LONGEST)
    return f"\n-# Nobody knows {'a handler' if len(unknown) == 1 else 'handlers'} called {said} so far."


@on_press("quota_back")
async def back(interaction: Interaction, guild_id: str, detail: str) -> None:
    """Set a limit back to what it was, unless somebody changed it since."""
    await defer(interaction)
    core = service_of(interaction)
    name, kind, mark, value = detail.split(".", 3)
    if mark != _mark(await core.guild_quota(guild_id), name):
        await show(interaction, await _card(interaction, guild_id))
        await tell(interaction, STALE)
        return
    if kind == "e":
        await core.change_guild_quota(guild_id, {}, end=[name], by=by(interaction))
    elif kind == "r":
        await core.change_guild_quota(guild_id, {}, reset=[name], by=by(interaction))
    else:
        await core.change_guild_quota(guild_id, {name: read_spelled(name, value)}, by=by(interaction))
    now = _now(await core.guild_quota(guild_id), name)
    await show(interaction, await _card(interaction, guild_id, done=f"Taken back: **{label_of(name)}** is {now}"))


def by(interaction: Interaction) -> str:
    """In whose name an operator acts."""
    return f"discord:{interaction.user.id}"


async def _card(
    interaction: Interaction, guild_id: str, *, done: str = "", buttons: tuple[CardButton, ...] = ()
) -> ui.LayoutView:
    core = service_of(interaction)
    view, quota = await core.get_guild(guild_id), await core.guild_quota(guild_id)
    heading = f"Governor: {one_line(view.name or guild_id, 80)}"
    small = f"-# `{guild_id}`" + ("" if view.present is not False else " · the bot is not there any more")
    return quota_card(view, heading, done=done, further=(_differs(quota), small), buttons=buttons)


def _differs(quota: QuotaView) -> str:
    """What operators set, and who set what has an end."""
    lines = [f"{label_of(name)}: {one_line(said_value(name, value), _LONGEST)}" for name, value in quota.own.items()]
    for each in quota.temporary:
        said = ", ".join(f"{label_of(name)} {said_value(name, value)}" for name, value in each.limits.items())
        lines.append(
            f"{one_line(said, _LONGEST)} until {stamp(each.until, 'f')}{f', by {who(each.by)}' if each.by else ''}"
        )
    if quota.origins.get(PLAN) == "operator":
        lines.insert(0, f"Plan: {one_line(quota.plan, 60)}")
    return f"**Set by operators**\n{list_of(lines)}" if lines else ""


def who(name: str) -> str:
    """Who did something, as marks name them; operators in Discord as a mention."""
    kind, _, id = name.partition(":")
    return f"<@{id}>" if kind == "discord" and id.isdecimal() else one_line(name, 60)


def _all(page: GuildPage, queue: QueueView) -> ui.LayoutView:
    waiting = {each.guild_id: each for each in queue.guilds}
    rows = []
    for each in sorted(
        page.items, key=lambda guild: -(waiting[guild.guild_id].waiting if guild.guild_id in waiting else 0)
    ):
        marks = ["**suspended**"] if each.suspended else []
        marks += ["verified"] if each.verified else []
        marks += ["left"] if each.present is False else []
        if each.guild_id in waiting:
            busy = waiting[each.guild_id]
            marks.append(f"{busy.waiting:,} waiting, {busy.running:,} under way")
        rows.append(f"- {one_line(each.name or 'unnamed', 60)} `{each.guild_id}` · {' · '.join([each.plan, *marks])}")
    more = "-# There are more; `guild` finds each by its name or id." if page.next else ""
    return notes_card("Servers", fit(rows, _ROOM) or "No server is known here yet.", more)


def _for_a_time(quota: QuotaView, name: str) -> list[Any]:
    return [each for each in quota.temporary if name in each.limits]


def _now(quota: QuotaView, name: str) -> str:
    return one_line(said_value(name, quota.plan if name == PLAN else quota.limits[name]), _LONGEST)


def _back(before: QuotaView, after: QuotaView, name: str, until: str | None) -> tuple[CardButton, ...]:
    """The way back: to what lasted before, or to what is below a limit with an end. None where ends were brought on."""
    if len(_for_a_time(before, name)) > len(_for_a_time(after, name)):
        return ()
    kind, value = "r", ""
    if until is not None:
        kind = "e"
    elif name == PLAN and before.origins.get(PLAN) == "operator":
        kind, value = "s", spelled_value(before.plan)
    elif name in before.own:
        kind, value = "s", spelled_value(before.own[name])
    button = CardButton(
        "Undo", "quota_back", after.guild_id, f"{name}.{kind}.{_mark(after, name)}.{value}", style=ButtonStyle.primary
    )
    return (button,) if len(button.custom_id) <= CUSTOM_ID else ()


def _mark(quota: QuotaView, name: str) -> str:
    """What tells that nothing was changed about a limit since."""
    told = [
        quota.plan,
        quota.own.get(name, "-"),
        [[each.limits[name], each.until] for each in _for_a_time(quota, name)],
    ]
    return f"{zlib.crc32(msgspec.json.encode(told)):08x}"

"""``/settings roles``, ``mentions`` and ``channels``: what is picked from what the server has.

An option adds to a list; the menus below the card show all of it, and take away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import discord
from discord import app_commands

from cogs.answers import defer
from cogs.front import Interaction, core_of
from cogs.options import ChannelPlace
from cogs.places import require_bot_rights, require_home
from cogs.refusals import Refusal
from cogs.settings.parts import CHANNELS, MENTIONS, ROLES, show_part
from cogs.settings.words import PURPOSES
from schedule_zero.views import GuildSettings

Who = Literal["manager", "member", "all"]
Clearable = Literal["default", "log", "review", "failures", "allow", "deny", "all"]


@app_commands.command(name="roles", description="Choose which roles manage and schedule here")
@app_commands.describe(
    manager="A role that manages everybody's schedules and jobs, beside those it is",
    member="A role that may schedule messages of its own, beside those it is",
    clear="Take roles away again",
)
async def set_roles(
    interaction: Interaction,
    manager: discord.Role | None = None,
    member: discord.Role | None = None,
    clear: Who | None = None,
) -> None:
    """Add roles and forget the cleared ones; without any, show them."""
    await defer(interaction)
    roles = (await _settings(interaction)).roles
    added = {"manager": manager, "member": member}
    changes = _cleared(added, clear)
    for name, role in added.items():
        if role is not None:
            changes[name] = _with(getattr(roles, name), str(role.id))
    await show_part(interaction, ROLES, {"roles": changes} if changes else {})


@app_commands.command(name="mentions", description="Set whom scheduled messages may mention")
@app_commands.describe(
    everyone="Who may mention everyone",
    roles="Which roles may be mentioned, and by whom",
    max="How many mentions a message may have",
    listed="A role that everybody who may schedule may mention, beside those it is; roles is listed then",
    reset="Back to the defaults",
)
async def set_mentions(
    interaction: Interaction,
    everyone: Literal["off", "managers"] | None = None,
    roles: Literal["off", "listed", "managers"] | None = None,
    max: app_commands.Range[int, 0, 20] | None = None,  # noqa: A002  # the option's name
    listed: discord.Role | None = None,
    reset: bool = False,
) -> None:
    """Set what is named; without anything, show it."""
    await defer(interaction)
    sent = {"everyone": everyone, "roles": roles, "max": max, "listed": listed}
    changes: dict[str, Any] = {name: value for name, value in sent.items() if value is not None}
    if reset and changes:
        raise Refusal(
            f"`reset` sets all of it back, and `{next(iter(changes))}` sets some of it; leave one of them out."
        )
    if reset:
        changes = dict.fromkeys(sent)
    elif listed is not None:
        if roles not in (None, "listed"):
            raise Refusal(
                f"`listed` names a role that may be mentioned, and `roles` is `{roles}`; leave one of them out."
            )
        known = (await _settings(interaction)).mentions.listed
        changes |= {"roles": "listed", "listed": _with(known, str(listed.id))}
    await show_part(interaction, MENTIONS, {"mentions": changes} if changes else {})


@app_commands.command(name="channels", description="Choose where notices go, and where schedules may post")
@app_commands.describe(
    default="Notices that have no channel of their own",
    log="What was missed while the service was away",
    review="Requests for approval",
    failures="Blocked schedules, and messages whose fate is unknown",
    allow="A channel schedules may post in, beside those it is; in others they may not then",
    deny="A channel schedules may not post in, nor in its threads",
    clear="Take a channel or a list away again",
)
async def set_channels(
    interaction: Interaction,
    default: ChannelPlace | None = None,
    log: ChannelPlace | None = None,
    review: ChannelPlace | None = None,
    failures: ChannelPlace | None = None,
    allow: ChannelPlace | None = None,
    deny: ChannelPlace | None = None,
    clear: Clearable | None = None,
) -> None:
    """Set the channels that are named and forget the cleared ones; without any, show them."""
    await defer(interaction)
    chosen = {"default": default, "log": log, "review": review, "failures": failures, "allow": allow, "deny": deny}
    changes = _cleared(chosen, clear)
    known = None if allow is None and deny is None else (await _settings(interaction)).channels
    for name, channel in chosen.items():
        if channel is None:
            continue
        if name in PURPOSES:
            await require_bot_rights(interaction, channel.id, name)
            changes[name] = str(channel.id)
        else:
            changes[name] = _with(getattr(known, name), str(channel.id))
    await show_part(interaction, CHANNELS, {"channels": changes} if changes else {})


async def _settings(interaction: Interaction) -> GuildSettings:
    return await core_of(interaction).guild_settings(require_home(interaction, "/settings"))


def _cleared(named: Mapping[str, object | None], clear: str | None) -> dict[str, Any]:
    """What goes back to its default.

    Raises:
        Refusal: something is set as well.
    """
    cleared = [name for name in named if clear in {name, "all"}]
    for name in cleared:
        if named[name] is not None:
            raise Refusal(f"`{name}` is both set and cleared; leave one of them out.")
    return dict.fromkeys(cleared)


def _with(ids: Sequence[str], id: str) -> list[str]:
    return [*ids, *([] if id in ids else [id])]

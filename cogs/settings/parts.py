"""The parts of a guild's settings: how each is shown, changed and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import discord
from discord import ButtonStyle, ui

from cogs.answers import defer, show
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.front import Interaction, core_of, front_of
from cogs.places import require_home
from cogs.settings.pickers import ChannelPicker, RolePicker, on_pick
from cogs.settings.words import Lines
from schedule_zero.views import GuildSettings

Menu = RolePicker | ChannelPicker


class Part(NamedTuple):
    """A part of the settings: its name, its heading, what it says, what must be said of it, and the menus below.

    Attributes:
        menus: of a guild and its settings; each with the words above it.
    """

    name: str
    heading: str
    blocks: Callable[[Lines], list[str]]
    note: str = ""
    menus: Callable[[discord.Guild, GuildSettings], list[tuple[str, Menu]]] = lambda _guild, _settings: []


def _all(lines: Lines) -> list[str]:
    return [
        _block("Times", lines.times()),
        _block("Roles", lines.roles()),
        _block("Mentions in scheduled messages", lines.mentions()),
        _block("New schedules, where they say nothing", lines.policy()),
        _block("Channels for notices", lines.notices()),
        _block("Where schedules post", lines.places()),
        _block("Answers and history", [*lines.replies(), *lines.retention()]),
    ]


def _block(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([f"**{heading}**", *(f"- {line}" for line in lines)])


def _plain(of: Callable[[Lines], list[str]]) -> Callable[[Lines], list[str]]:
    """One block of lines."""
    return lambda lines: ["\n".join(of(lines))]


def _role_menus(guild: discord.Guild, settings: GuildSettings) -> list[tuple[str, Menu]]:
    def menu(field: str, ids: Iterable[str]) -> Menu:
        return RolePicker.of(f"roles.{field}", "No role; pick some", _known_roles(guild, ids))

    return [
        ("Who manages everybody's schedules", menu("manager", settings.roles.manager)),
        ("Who may schedule messages of their own", menu("member", settings.roles.member)),
    ]


def _mention_menus(guild: discord.Guild, settings: GuildSettings) -> list[tuple[str, Menu]]:
    if settings.mentions.roles != "listed":
        return []
    roles = _known_roles(guild, settings.mentions.listed)
    return [
        (
            "Roles that everybody who may schedule mentions",
            RolePicker.of("mentions.listed", "No role; pick some", roles),
        )
    ]


def _channel_menus(guild: discord.Guild, settings: GuildSettings) -> list[tuple[str, Menu]]:
    def menu(field: str, ids: Iterable[str], placeholder: str) -> Menu:
        known = [int(id) for id in ids if id.isdecimal() and guild.get_channel_or_thread(int(id)) is not None]
        return ChannelPicker.of(f"channels.{field}", placeholder, known)

    channels = settings.channels
    return [
        ("The only channels schedules post in", menu("allow", channels.allow, "Wherever the bot may; pick some")),
        ("Channels schedules never post in", menu("deny", channels.deny, "None; pick some")),
    ]


def _known_roles(guild: discord.Guild, ids: Iterable[str]) -> list[discord.Role]:
    """The roles that are still there; Discord refuses a menu with others in it."""
    found = (guild.get_role(int(id)) for id in ids if id.isdecimal())
    return [role for role in found if role is not None]


SHOW: Final = Part("show", "Settings", _all)
TIMEZONE: Final = Part("timezone", "Time zone", _plain(Lines.times))
LOCALE: Final = Part(
    "locale", "Language", _plain(Lines.times),
    "The bot speaks English. The language says which figure of `03/04` is the day, and in which order dates are said. "
    "Times are shown by Discord in everybody's own language and zone.",
)  # fmt: skip
FORMAT: Final = Part(
    "format", "Format", _plain(Lines.times),
    "Words say times so. Tables of times keep to `2026-12-31 18:30`, and Discord shows times as everybody has set it.",
)  # fmt: skip
ROLES: Final = Part(
    "roles", "Roles", _plain(Lines.roles),
    "Discord shows `/schedule` to people with Manage Messages, and `/job` to people with Manage Server, until you let a "
    "role use them under Server Settings → Integrations. `/settings` itself stays with Manage Server.",
    _role_menus,
)  # fmt: skip
MENTIONS: Final = Part(
    "mentions", "Mentions", _plain(Lines.mentions),
    "Judged when a message is made, and again when it is sent.", _mention_menus,
)  # fmt: skip
POLICY: Final = Part(
    "policy", "New schedules", _plain(Lines.policy),
    "For schedules made from now on, where they say nothing. Those that are there keep what they have.",
)  # fmt: skip
CHANNELS: Final = Part(
    "channels", "Channels",
    lambda lines: [_block("Notices", lines.notices()), _block("Where schedules post", lines.places())],
    "Judged when a message is made, and again when it is sent. A thread is allowed by itself; what is denied to a channel "
    "is denied to its threads.", _channel_menus,
)  # fmt: skip
REPLIES: Final = Part(
    "replies", "Replies", _plain(Lines.replies),
    "Of `/schedule`, `/job`, `/chain` and `/calendar`. What everybody sees, everybody reads: also the text of a message "
    "that is to come in a closed channel.",
)  # fmt: skip
RETENTION: Final = Part("retention", "History", _plain(Lines.retention))
PARTS: Final = {
    part.name: part
    for part in (SHOW, TIMEZONE, LOCALE, FORMAT, ROLES, MENTIONS, POLICY, CHANNELS, REPLIES, RETENTION)
}  # fmt: skip


async def show_part(interaction: Interaction, part: Part, changes: dict[str, Any]) -> None:
    """Change what is named, and show the part as it is; without changes, show it."""
    home, core = require_home(interaction, "/settings"), core_of(interaction)
    if not changes:
        await show(interaction, _card(interaction, part, part.heading, await core.guild_settings(home)))
        return
    saved = await core.change_guild_settings(home, changes)
    front_of(interaction).replies.learn(saved)
    heading = f"{part.heading}: set" if saved.undo is not None else f"{part.heading}: as it was already"
    await show(interaction, _card(interaction, part, heading, saved))


def _card(interaction: Interaction, part: Part, heading: str, settings: GuildSettings) -> ui.LayoutView:
    """A part of the settings, with its menus, and the way back from what was changed."""
    guild = interaction.guild
    undo = settings.undo
    buttons = [] if undo is None else [CardButton("Undo", "unset", undo.token, part.name, style=ButtonStyle.primary)]
    note = f"-# {part.note}" if part.note else ""
    menus = [] if guild is None else part.menus(guild, settings)
    named = [(f"**{words}**", menu) for words, menu in menus]
    return card(heading, *part.blocks(Lines(settings, guild)), note, menus=named, buttons=buttons)


@on_pick
async def pick(interaction: Interaction, field: str, ids: list[str]) -> None:
    """Set a list to what was picked."""
    await defer(interaction)
    group, _, name = field.partition(".")
    await show_part(interaction, PARTS[group], {group: {name: ids}})


@on_press("unset")
async def unset(interaction: Interaction, token: str, part: str) -> None:
    """Take a change of settings back."""
    await defer(interaction)
    core = core_of(interaction)
    settings = await core.undo_guild_settings(require_home(interaction, "/settings"), token)
    front_of(interaction).replies.learn(settings)
    shown = PARTS.get(part, SHOW)
    await show(interaction, _card(interaction, shown, f"{shown.heading}: taken back", settings))

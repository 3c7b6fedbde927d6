"""A guild's settings in words, a line each, with the defaults marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import discord

from cogs.policies import WORDS
from cogs.texts import one_line
from schedule_zero.views import GuildSettings

PURPOSES: Final = {
    "default": "what is not for another channel",
    "log": "what was missed while the service was away",
    "review": "requests for approval",
    "failures": "schedules that are blocked, and messages whose fate is unknown",
}
LANGUAGES: Final = {locale.value: locale.name.replace("_", " ").title() for locale in discord.Locale}
"""The languages of Discord by their code."""
_EVERYONE: Final = {
    "off": "nobody mentions everyone",
    "managers": "only those who manage here, if Discord lets them, too",
}
_ROLES: Final = {
    "off": "no role is mentioned",
    "listed": "only those listed, by everybody who may schedule",
    "managers": "only those who manage here, if Discord lets them, too",
}
_POLICY: Final = {
    "catchup": ("Catch up", f"`once`, {WORDS['catchup']['once']}"),
    "dst": ("Clock change", f"`debian`, {WORDS['dst']['debian']}"),
    "month_end": ("End of month", "`clamp` for what is said in words, `skip` for cron and RRULE"),
}


_LISTED: Final = 8
"""Roles or channels that a line names."""


class Lines:
    """The lines of one guild's settings; ``guild``: to tell the roles and channels that are gone."""

    def __init__(self, settings: GuildSettings, guild: discord.Guild | None) -> None:
        self._settings = settings
        self._guild = guild

    def times(self) -> list[str]:
        """How times are read and said."""
        settings = self._settings
        language = LANGUAGES.get(settings.locale or "", settings.locale)
        asked = "not set, so a date such as 03/04 is asked back"
        return [
            self._line("Time zone", "timezone", settings.timezone),
            self._line("Language", "locale", asked if settings.locale is None else f"{language} (`{settings.locale}`)"),
            self._line("Clock", "hour24", "24 h" if settings.hour24 else "12 h"),
            self._line("Time of day when none is given", "default_time", settings.default_time),
        ]

    def roles(self) -> list[str]:
        """What roles may do."""
        roles = self._settings.roles
        return [
            self._line(
                "Managers",
                "roles.manager",
                self._roles(roles.manager, "nobody beside Manage Messages and Manage Server"),
            ),
            self._line("May schedule", "roles.member", self._roles(roles.member, "nobody beside them")),
        ]

    def mentions(self) -> list[str]:
        """Whom messages mention."""
        mentions = self._settings.mentions
        lines = [
            self._line("Everyone", "mentions.everyone", f"`{mentions.everyone}`, {_EVERYONE[mentions.everyone]}"),
            self._line("Roles", "mentions.roles", f"`{mentions.roles}`, {_ROLES[mentions.roles]}"),
        ]
        if mentions.roles == "listed" or mentions.listed:
            unused = "" if mentions.roles == "listed" else f"; not heeded while roles is `{mentions.roles}`"
            lines.append(
                self._line("Listed", "mentions.listed", self._roles(mentions.listed, "none, so no role") + unused)
            )
        return [*lines, self._line("Most in one message", "mentions.max", str(mentions.max))]

    def policy(self) -> list[str]:
        """What new schedules do where they say nothing."""
        lines = []
        for field, (label, everywhere) in _POLICY.items():
            wish = getattr(self._settings.policy, field)
            lines.append(
                self._line(label, f"policy.{field}", everywhere if wish is None else f"`{wish}`, {WORDS[field][wish]}")
            )
        return lines

    def notices(self) -> list[str]:
        """Where notices go."""
        channels = self._settings.channels
        return [
            f"**{name}**: {self._channel(channel) if (channel := getattr(channels, name)) else 'not set'} ({purpose})"
            for name, purpose in PURPOSES.items()
        ]

    def places(self) -> list[str]:
        """Where schedules post."""
        channels = self._settings.channels
        return [
            self._line("Only in", "channels.allow", self._channels(channels.allow, "wherever the bot may")),
            self._line("Never in", "channels.deny", self._channels(channels.deny, "no channel")),
        ]

    def replies(self) -> list[str]:
        """Who sees the answers to commands."""
        alone = "for the person who asks alone"
        openly = "for everybody in the channel; not secrets, refusals and what is one person's own"
        return [self._line("Answers to commands", "ephemeral", alone if self._settings.ephemeral else openly)]

    def retention(self) -> list[str]:
        """How long what is over is kept."""
        kept = self._settings.retention
        days = kept.history_days
        goes = "everything of this server is deleted some days later" if kept.delete_on_leave else "everything is kept"
        return [
            self._line(
                "History", "retention.history_days",
                "as long as the operator keeps it" if days is None else f"{days} day{'s' * (days != 1)}",
            ),
            self._line("When the bot leaves", "retention.delete_on_leave", goes),
        ]  # fmt: skip

    def _line(self, label: str, field: str, value: str) -> str:
        defaults = self._settings.defaults
        mark = " (default)" if field in defaults or field.partition(".")[0] in defaults else ""
        return f"**{label}**: {value}{mark}"

    def _roles(self, ids: Sequence[str], none: str) -> str:
        return _some(ids, self._role) or none

    def _role(self, id: str) -> str:
        if id == self._settings.guild_id:
            return "everybody"
        gone = self._guild is not None and id.isdecimal() and self._guild.get_role(int(id)) is None
        return f"a role that is gone (`{one_line(id, 30)}`)" if gone else f"<@&{id}>"

    def _channels(self, ids: Sequence[str], none: str) -> str:
        return _some(ids, self._channel) or none

    def _channel(self, id: str) -> str:
        return f"<#{id}>"


def _some(ids: Sequence[str], say: Callable[[str], str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    return ", ".join(map(say, ids[:_LISTED])) + more

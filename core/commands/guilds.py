"""``schedule-zero guilds``: what guilds of a running core may use and use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec

from core.commands.explain import WrongInput
from core.commands.output import say_card, say_json, say_table
from core.commands.remote import Remote
from schedule_zero.each_schedule import EACH_SCHEDULE, read_limits, say_limits
from schedule_zero.shown.quota import MOST_WAITING, is_shared, say_handlers
from schedule_zero.views import Gauge, GuildSummary, GuildView, MarkView, QuotaView

_TITLES: Final = ("guild", "name", "plan", "verified", "suspended", "bot")
_LIST: Final = "handlers"
"""The limit that is a list, written with commas."""
MOST: Final = 2**63 - 1
"""The largest number that travels."""
_SET_BY: Final = {"configuration": "set by the configuration", "operator": "set by an operator"}


class Guilds(Remote):
    """The commands over one core."""

    def show_list(self, **filters: Any) -> None:
        """Print a page of guilds, by id, and how to get the next one."""
        page = self._ask(lambda client: client.list_guilds(**filters))
        if self._as_json:
            say_json(page)
            return
        say_table(_TITLES, (_row(each) for each in page.items), "no guilds")
        if page.next is not None:
            click.echo(f"more with --cursor {page.next}")

    def show(self, guild_id: str) -> None:
        """Print one guild with each limit."""
        self._say(self._ask(lambda client: client.get_guild(guild_id)))

    def quota(self, guild_id: str) -> None:
        """Print what a guild may use."""
        self._say_quota(self._ask(lambda client: client.guild_quota(guild_id)))

    def change_quota(
        self, guild_id: str, settings: Sequence[str], until: str | None, reset: Sequence[str], end: Sequence[str]
    ) -> None:
        """Set some limits, lasting or for a time, and print what holds. Raises WrongInput."""
        changes = read_settings(settings)
        known = self._ask(lambda client: client.get_guild(guild_id))
        self._say_quota(
            self._ask(lambda client: client.change_guild_quota(guild_id, changes, until=until, reset=reset, end=end))
        )
        _say_if_unknown(known)

    def verify(self, guild_id: str) -> None:
        """Verify a guild, and print it."""
        self._say_done(self._ask(lambda client: client.verify_guild(guild_id)))

    def suspend(self, guild_id: str, why: str) -> None:
        """Let a guild start nothing, and print it."""
        self._say_done(self._ask(lambda client: client.suspend_guild(guild_id, why)))

    def resume(self, guild_id: str) -> None:
        """Let a guild go on, and print it."""
        self._say_done(self._ask(lambda client: client.resume_guild(guild_id)))

    def _say_done(self, view: GuildView) -> None:
        self._say(view)
        _say_if_unknown(view)

    def _say(self, view: GuildView) -> None:
        if self._as_json:
            say_json(view)
        else:
            say_card(_facts(view))

    def _say_quota(self, view: QuotaView) -> None:
        if self._as_json:
            say_json(view)
        else:
            say_card(_quota_facts(view))


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """``running=50``, ``rate=30/min``, ``schedules=null``, ``handlers=echo,discord``, ``each_schedule=running 2, rate 1/min``:
    JSON, or else text as it stands.

    Raises:
        WrongInput: one of them is no ``limit=value``, stands there twice, or says what no limit can be.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not (name and equals and text):
            raise WrongInput(
                f"{setting!r} is no limit=value; write for example running=50, rate=30/min, schedules=null or handlers=echo,discord"
            )
        if name in changes:
            raise WrongInput(f"{name} is there twice; write it once")
        try:
            changes[name] = _in_range(name, msgspec.json.decode(text))
        except msgspec.DecodeError:
            changes[name] = _read(name, text)
    return changes


def _in_range(name: str, value: Any) -> Any:
    if isinstance(value, int) and abs(value) > MOST:
        raise WrongInput(f"{name}: {value} is too large; a number is at most {MOST}, and null is no limit")
    return value


def _say_if_unknown(view: GuildView) -> None:
    if view.name is None and view.present is None:
        click.echo(f"The bot never told of a guild {view.guild_id}; it was done all the same.", err=True)


def _read(name: str, text: str) -> Any:
    if name == _LIST:
        return [name for each in text.split(",") if (name := each.strip())]
    if name != EACH_SCHEDULE:
        return text
    try:
        return read_limits(text)
    except ValueError as error:
        raise WrongInput(f"{name}: {error}") from None


def _row(guild: GuildSummary) -> tuple[str, ...]:
    there = {True: "there", False: "left", None: "-"}[guild.present]
    return (
        guild.guild_id, guild.name or "-", guild.plan, "yes" if guild.verified else "no",
        "yes" if guild.suspended else "no", there,
    )  # fmt: skip


def _facts(view: GuildView) -> list[tuple[str, Any]]:
    return [
        ("guild", view.guild_id),
        ("name", view.name),
        ("bot", {True: "there", False: "left", None: None}[view.present]),
        ("plan", view.plan),
        ("verified", _mark(view.verified) or "no"),
        ("suspended", _mark(view.suspended)),
        *(
            (f"{each.limit} of {each.scope}" if is_shared(each) else each.limit, said)
            for each in view.gauges
            if (said := _gauge(each))
        ),
        ("waiting", _runs(view.waiting) if view.waiting else None),
        ("most", ", ".join(f"{each.owner_id} {each.schedules}" for each in view.most)),
    ]


def _runs(waiting: int) -> str:
    return f"{waiting} {'or more ' if waiting == MOST_WAITING else ''}run{'' if waiting == 1 else 's'}"


def _mark(mark: MarkView | None) -> str | None:
    return None if mark is None else f"{mark.at}{_by(mark.by, ' by ')}{f' ({mark.why})' if mark.why else ''}"


def _by(who: str, before: str) -> str:
    """Who did something, behind a word, where the key that asks may know."""
    return f"{before}{who}" if who else ""


def _gauge(gauge: Gauge) -> str:
    """A limit in a line; empty where there is none."""
    if gauge.allowed is None and not gauge.words:
        return "no limit, set by an operator" if gauge.origin in ("operator", "temporary") else ""
    amount = gauge.words
    if gauge.allowed is not None:
        amount = f"{gauge.allowed:g}" if gauge.used is None else f"{gauge.used:g} of {gauge.allowed:g}"
        amount += f" ({gauge.words})" if gauge.words else ""
    notes = [] if gauge.until is None else [f"free again at {gauge.until}"]
    notes += [f"until {gauge.ends}"] if gauge.origin == "temporary" else []
    notes += [_SET_BY[gauge.origin]] if gauge.origin in _SET_BY else []
    return ", ".join([amount, *notes])


def _quota_facts(view: QuotaView) -> list[tuple[str, Any]]:
    limits = [
        (name, _limit(view, name, value))
        for name, value in view.limits.items()
        if value is not None or name in view.origins
    ]
    ends = [
        (
            "" if place else "ends",
            f"{', '.join(f'{name} {_said(value)}' for name, value in each.limits.items())} at {each.until}{_by(each.by, ', by ')}",
        )
        for place, each in enumerate(view.temporary)
    ]
    return [("guild", view.guild_id), ("plan", view.plan), *limits, *ends]


def _limit(view: QuotaView, name: str, value: Any) -> str:
    origin = view.origins.get(name)
    said = "as many as the rate says" if name == "burst" and value is None else _said(value)
    return said + (f" ({origin})" if origin else "")


def _said(value: Any) -> str:
    if value is None:
        return "no limit"
    if isinstance(value, dict):
        return say_limits(value) or "no limit"
    return say_handlers(value) if isinstance(value, list | tuple) else str(value)

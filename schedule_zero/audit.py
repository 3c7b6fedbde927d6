"""The audit: which changes leave a line, what is different by one, and lines as CSV.

One list of actions; ``docs/http.md`` has the same table.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from schedule_zero.shown.audit import AuditLine


class Action(StrEnum):
    """Everything that a line can say was done: ``noun.verb``."""

    SCHEDULE_CREATE = "schedule.create"
    SCHEDULE_UPDATE = "schedule.update"
    SCHEDULE_DELETE = "schedule.delete"
    SCHEDULE_PAUSE = "schedule.pause"
    SCHEDULE_RESUME = "schedule.resume"
    SCHEDULE_SKIP = "schedule.skip"
    SCHEDULE_MOVE = "schedule.move"
    SCHEDULE_RUN = "schedule.run"
    SCHEDULE_UNDO = "schedule.undo"
    SCHEDULE_REVERT = "schedule.revert"
    CHAIN_ADD = "chain.add"
    CHAIN_REMOVE = "chain.remove"
    RUN_CANCEL = "run.cancel"
    RUN_RETRY = "run.retry"
    DEAD_REPLAY = "dead.replay"
    DEAD_DROP = "dead.drop"
    CALENDAR_PUT = "calendar.put"
    CALENDAR_DELETE = "calendar.delete"
    HOURS_PUT = "hours.put"
    HOURS_DELETE = "hours.delete"
    BLACKOUT_ADD = "blackout.add"
    BLACKOUT_REMOVE = "blackout.remove"
    GUILD_SETTINGS = "guild.settings"
    GUILD_REVERT = "guild.revert"
    GUILD_JOIN = "guild.join"
    GUILD_LEAVE = "guild.leave"
    GUILD_RENAME = "guild.rename"
    GUILD_RETURN = "guild.return"
    GUILD_ERASE = "guild.erase"
    GUILD_QUOTA = "guild.quota"
    GUILD_SUSPECT = "guild.suspect"
    QUOTA_MEET = "quota.meet"
    GUILD_CODE = "guild.code"
    GUILD_VERIFY = "guild.verify"
    GUILD_SUSPEND = "guild.suspend"
    GUILD_RESUME = "guild.resume"
    USER_TIMEZONE = "user.timezone"
    CALENDAR_LINK_NEW = "calendar_link.new"
    CALENDAR_LINK_END = "calendar_link.end"
    USER_ERASE = "user.erase"
    SIGN_IN_NEW = "sign_in.new"
    SESSION_BEGIN = "session.begin"
    SESSION_END = "session.end"
    USER_BAN = "user.ban"
    USER_UNBAN = "user.unban"
    CORE_DRAIN = "core.drain"
    CORE_RESUME = "core.resume"
    CORE_MAINTENANCE = "core.maintenance"
    HANDLER_DRAIN = "handler.drain"
    HANDLER_RESUME = "handler.resume"
    KEY_NEW = "key.new"
    KEY_REGISTER = "key.register"
    KEY_ROTATE = "key.rotate"
    KEY_REVOKE = "key.revoke"


DONE: Final[Mapping[str, str]] = {
    Action.SCHEDULE_CREATE: "made a schedule",
    Action.SCHEDULE_UPDATE: "changed a schedule",
    Action.SCHEDULE_DELETE: "deleted a schedule",
    Action.SCHEDULE_PAUSE: "paused a schedule",
    Action.SCHEDULE_RESUME: "resumed a schedule",
    Action.SCHEDULE_SKIP: "left a time of a schedule out",
    Action.SCHEDULE_MOVE: "moved a time of a schedule",
    Action.SCHEDULE_RUN: "ran a schedule by hand",
    Action.SCHEDULE_UNDO: "took a change of a schedule back",
    Action.SCHEDULE_REVERT: "took an older change of a schedule back",
    Action.CHAIN_ADD: "let a schedule run after another",
    Action.CHAIN_REMOVE: "let a schedule no longer run after another",
    Action.RUN_CANCEL: "cancelled a run",
    Action.RUN_RETRY: "ran again what had ended",
    Action.DEAD_REPLAY: "ran a dead letter again",
    Action.DEAD_DROP: "dropped a dead letter",
    Action.CALENDAR_PUT: "set a calendar",
    Action.CALENDAR_DELETE: "deleted a calendar",
    Action.HOURS_PUT: "set hours",
    Action.HOURS_DELETE: "deleted hours",
    Action.BLACKOUT_ADD: "added a blackout",
    Action.BLACKOUT_REMOVE: "removed a blackout",
    Action.GUILD_SETTINGS: "changed the server's settings",
    Action.GUILD_REVERT: "took a change of the server's settings back",
    Action.GUILD_JOIN: "noted that the bot is in the server",
    Action.GUILD_LEAVE: "noted that the bot left the server",
    Action.GUILD_RENAME: "noted the server's new name",
    Action.GUILD_RETURN: "let what had rested in the server go on",
    Action.GUILD_ERASE: "had everything of the server erased",
    Action.GUILD_QUOTA: "changed what the server may use",
    Action.GUILD_SUSPECT: "slowed the server down for a time, because it looked like abuse",
    Action.QUOTA_MEET: "met a limit, and was refused",
    Action.GUILD_CODE: "made a code to verify the server with",
    Action.GUILD_VERIFY: "verified the server",
    Action.GUILD_SUSPEND: "suspended the server",
    Action.GUILD_RESUME: "let the server start again",
    Action.USER_TIMEZONE: "set their own time zone, or whether others see it",
    Action.CALENDAR_LINK_NEW: "made a link for calendar programs",
    Action.CALENDAR_LINK_END: "ended the link for calendar programs",
    Action.USER_ERASE: "had everything of a person erased",
    Action.SIGN_IN_NEW: "made a link to sign in with",
    Action.SESSION_BEGIN: "signed in at the pages",
    Action.SESSION_END: "signed out of the pages",
    Action.USER_BAN: "let a person use the service no more",
    Action.USER_UNBAN: "let a banned person in again",
    Action.CORE_DRAIN: "let the service give out nothing new",
    Action.CORE_RESUME: "let the service give out again",
    Action.CORE_MAINTENANCE: "set what everybody is told",
    Action.HANDLER_DRAIN: "gave a handler nothing new",
    Action.HANDLER_RESUME: "gave a handler work again",
    Action.KEY_NEW: "made a key",
    Action.KEY_REGISTER: "registered by a key",
    Action.KEY_ROTATE: "made another key for the same holder",
    Action.KEY_REVOKE: "revoked a key",
}
"""What somebody did, to go on from their name."""


class Changed(msgspec.Struct, frozen=True):
    """One thing that a change made different. ``field``: where, as ``policy.priority``; None: it was not there, or is not."""

    field: str
    before: Any
    after: Any


def what_changed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[Changed, ...]:
    """What is different between the two, entry by entry; lists are compared as a whole."""
    return tuple(_changed(before or {}, after or {}, ""))


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], place: str) -> Iterator[Changed]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changed(old, new, f"{place}{name}.")
        else:
            yield Changed(f"{place}{name}", old, new)


def spelled(value: Any) -> str:
    """A value of a line, to be read: text as it is, other things as JSON; nothing of nothing."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


COLUMNS: Final = ("id", "at", "guild_id", "actor", "via", "action", "target", "title", "before", "after")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_of(lines: Iterable[AuditLine], *, titled: bool = True) -> str:
    """Lines as CSV (RFC 4180), before and after as JSON. ``titled``: with the names of the columns first."""
    text = io.StringIO()
    writer = csv.writer(text)
    if titled:
        writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(line, name)) for name in COLUMNS] for line in lines)
    return text.getvalue()


def _cell(value: Any) -> str:
    """What stands in a cell. Names come from strangers, and a spreadsheet would compute what begins like a formula."""
    text = "" if value is None else spelled(value)
    return f"'{text}" if text.startswith(_FORMULA) else text

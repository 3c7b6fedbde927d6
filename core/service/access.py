"""Access: who may see and change what. Pure; every use case asks here, and nowhere else is it decided.

An operator may do everything. A member sees the schedules of the guild they speak in and their own; changes their
own; and, with Discord's Manage Messages, everybody's in that guild. Other people's reminders are theirs alone, but for
those who moderate. What one may not see does not exist for one.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.ledger.rows import RunRow, ScheduleRow
from schedule_zero.actor import MANAGE_GUILD, MANAGE_MESSAGES, Actor
from schedule_zero.errors import Forbidden, NotFound
from schedule_zero.schedule import ScheduleSpec

REMINDER: Final = "reminder"
_strings: Final = msgspec.json.Decoder(dict[str, str]).decode
_arguments: Final = msgspec.json.Decoder(dict[str, Any]).decode


def is_reminder(metadata: dict[str, str]) -> bool:
    """Whether a schedule is somebody's own reminder."""
    return metadata.get("kind") == REMINDER


def may_see(actor: Actor, row: ScheduleRow) -> bool:
    """Whether the actor may know of this schedule, its runs and what it says."""
    if actor.kind != "member" or row.owner_id == actor.id:
        return True
    if row.guild_id is None or row.guild_id != actor.guild_id:
        return False
    return actor.has(MANAGE_MESSAGES) or not is_reminder(_strings(row.metadata))


def require_schedule(actor: Actor, row: ScheduleRow | None, id: str) -> ScheduleRow:
    """The schedule, if it exists for the actor.

    Raises:
        NotFound: it does not, or the actor may not know of it.
    """
    if row is None or not may_see(actor, row):
        raise NotFound(f"There is no schedule {id!r}; /schedule list and GET /schedules show what there is.")
    return row


def require_run(actor: Actor, row: RunRow | None, schedule: ScheduleRow | None, id: str) -> RunRow:
    """The run, if it exists for the actor, who may know of it if they may know of its schedule. Raises NotFound."""
    if row is None or (actor.kind == "member" and (schedule is None or not may_see(actor, schedule))):
        raise NotFound(f"There is no run {id!r}; the runs of a schedule are listed with it.")
    return row


def require_change(actor: Actor, row: ScheduleRow) -> None:
    """Raises Forbidden unless the actor may change this schedule."""
    if actor.kind != "member" or row.owner_id == actor.id:
        return
    if row.guild_id != actor.guild_id or not actor.has(MANAGE_MESSAGES):
        raise Forbidden("This schedule is somebody else's; changing it takes the permission Manage Messages here.")


def may_act(actor: Actor, row: ScheduleRow) -> bool:
    """Whether the actor may see and change this schedule."""
    try:
        require_change(actor, require_schedule(actor, row, row.id))
    except (Forbidden, NotFound):
        return False
    return True


def require_edit(actor: Actor, before: ScheduleRow, after: ScheduleSpec) -> None:
    """Raises Forbidden unless the actor, who may change the schedule, may also make it do that.

    What is done, and with which words, takes the right to create it: else a reminder, which everybody may have, would
    be the way to everything else.
    """
    if actor.kind != "member":
        return
    personal = is_reminder(_strings(before.metadata))
    same = (after.handler, after.method) == (before.handler, before.method) and after.args == _arguments(before.args)
    if same and is_reminder(after.metadata) == personal:
        return
    if is_reminder(after.metadata):
        _require_reminder(after, before.owner_id)
    elif before.guild_id != actor.guild_id:
        raise Forbidden("What this schedule does can only be changed in the server it belongs to.")
    else:
        _require_work(actor, after)


def require_create(actor: Actor, spec: ScheduleSpec) -> None:
    """Raises Forbidden unless the actor may create this schedule."""
    if actor.kind != "member":
        return
    if spec.guild_id != actor.guild_id:
        raise Forbidden("A schedule can only be made in the server it is asked for in.")
    if spec.owner_id not in (None, actor.id):
        raise Forbidden("A schedule can only be made in one's own name.")
    if is_reminder(spec.metadata):
        _require_reminder(spec, actor.id)
    else:
        _require_work(actor, spec)


def require_guild(actor: Actor, guild_id: str, *, change: bool) -> None:
    """Raises NotFound or Forbidden unless the actor may see (or change) a guild's settings."""
    if actor.kind != "member":
        return
    if guild_id != actor.guild_id:
        raise NotFound(f"There is no server {guild_id!r} here.")
    if change:
        _require(actor, MANAGE_GUILD, "Changing the server's settings takes the permission Manage Server.")


def require_user(actor: Actor, user_id: str) -> None:
    """Raises Forbidden unless the actor may see and change this person's own settings."""
    if actor.kind == "member" and actor.id != user_id:
        raise Forbidden("Everybody sets their own time zone, and sees only that.")


def require_place(actor: Actor, guild_id: str | None, user_id: str | None) -> None:
    """Raises NotFound or Forbidden unless the actor may have text read as this guild and this person would."""
    if guild_id is not None:
        require_guild(actor, guild_id, change=False)
    if user_id is not None:
        require_user(actor, user_id)


def require_operator(actor: Actor) -> None:
    """Raises Forbidden unless the actor runs the service."""
    if actor.kind == "member":
        raise Forbidden("Only the service itself may say this.")


def _require_work(actor: Actor, spec: ScheduleSpec) -> None:
    if actor.guild_id is None:
        raise Forbidden("Outside a server there are only reminders.")
    if spec.handler != "discord":
        _require(actor, MANAGE_GUILD, "Work for other programs takes the permission Manage Server.")
    else:
        _require(actor, MANAGE_MESSAGES, "Scheduling messages takes the permission Manage Messages.")


def _require_reminder(spec: ScheduleSpec, owner_id: str) -> None:
    if spec.handler != "discord" or spec.method not in ("send_dm", "send_message"):
        raise Forbidden("A reminder is a message; other work is made with /schedule or /job.")
    if spec.method == "send_dm" and spec.args.get("user_id") != owner_id:
        raise Forbidden("A reminder goes to the person who sets it.")
    if spec.method == "send_message" and spec.args.get("mentions"):
        raise Forbidden("A reminder mentions nobody; /schedule message can, for those who may.")


def _require(actor: Actor, bit: int, sentence: str) -> None:
    if not actor.has(bit):
        raise Forbidden(sentence)

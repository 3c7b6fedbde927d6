"""Access: who may see and change what. Pure; every use case asks here, and nowhere else is it decided.

An operator may do everything; one whose key is confined to a guild everything in that guild, and nothing elsewhere, nor
what is the service's or a person's own. A member sees their own schedules, with Discord's Manage Server every job of the
guild they speak in, and with Manage Messages everything there: what is posted in a channel for some is nobody else's to
read. What they see they may also calm (pause, delete, stop a run), their own from anywhere. What makes a schedule act
(run, resume, retry, change, bring back) takes the right that making it would take, in its guild and now: who was banned
there, or is no moderator any more, posts nothing there. Reminders are everybody's right, so theirs reach their owner
wherever they are. Who changed what in a guild is for those with Discord's View Audit Log; what a schedule said, only for
those who may see the schedule. What one may not see does not exist for one.

A guild may give to roles of its own what those permissions allow with schedules and jobs (``standed``): its managers are
judged as if they held both, its members as who may schedule messages of their own. Its settings and keys, and what they
let others do, take Discord's own permissions all the same: who holds a role does not say who else does.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from core.ledger.port import AuditFilter, RunFilter, ScheduleFilter
from core.ledger.rows import AuditedRow, RunRow, ScheduleRow
from schedule_zero.actor import MANAGE_GUILD, MANAGE_MESSAGES, MENTION_EVERYONE, VIEW_AUDIT_LOG, Actor
from schedule_zero.errors import Forbidden, Invalid, NotFound
from schedule_zero.permitted import standing_of
from schedule_zero.schedule import MESSAGES, ScheduleSpec
from schedule_zero.views import GuildSettings

F = TypeVar("F", bound=RunFilter)
REMINDER: Final = "reminder"
DIRECT: Final = "send_dm"
_CONFINED: Final = "This key is confined to its server; what belongs to others, or to the service, takes another key."
_strings: Final = msgspec.json.Decoder(dict[str, str]).decode
_arguments: Final = msgspec.json.Decoder(dict[str, Any]).decode


def is_reminder(metadata: dict[str, str]) -> bool:
    """Whether a schedule is somebody's own reminder."""
    return metadata.get("kind") == REMINDER


def is_confined(actor: Actor) -> bool:
    """Whether the actor operates one guild only."""
    return actor.kind != "member" and actor.guild_id is not None


def runs_service(actor: Actor) -> bool:
    """Whether the actor operates the whole service."""
    return actor.kind != "member" and actor.guild_id is None


def person(who: str, guild_id: str | None, permissions: int, *, owner: bool, operates: bool) -> Actor:
    """Who a person is that signed in with Discord.

    Args:
        who: their id.
        guild_id: the guild they ask in; None: none.
        permissions: what Discord allows them in all of it.
        owner: whether it is their own.
        operates: whether the configuration names them among the operators.
    """
    if operates:
        return Actor(kind="operator", id=who)
    if guild_id is None:
        return Actor(kind="member", id=who)
    return Actor(kind="member", id=who, guild_id=guild_id, permissions=permissions, owner=owner)


def gains_by_roles(actor: Actor) -> bool:
    """Whether it matters what the guild an actor speaks in makes of their roles."""
    return actor.kind == "member" and actor.guild_id is not None and not _manages(actor, MANAGE_MESSAGES | MANAGE_GUILD)


def standed(actor: Actor, settings: GuildSettings) -> Actor:
    """The actor with the standing that the settings of the guild they speak in give to their roles."""
    return msgspec.structs.replace(actor, standing=standing_of(actor.roles, settings))


def moderates(actor: Actor, guild_id: str | None) -> bool:
    """Whether everybody's schedules of this guild are the actor's to see and change."""
    if actor.kind != "member":
        return actor.guild_id is None or actor.guild_id == guild_id
    return guild_id is not None and guild_id == actor.guild_id and _manages(actor, MANAGE_MESSAGES)


def runs_jobs(actor: Actor, guild_id: str | None) -> bool:
    """Whether everybody's jobs of this guild are the actor's to see and stop: work that is no message."""
    return guild_id is not None and guild_id == actor.guild_id and _manages(actor, MANAGE_GUILD)


def manages(actor: Actor, guild_id: str) -> bool:
    """Whether the actor may see all that a guild has set and uses."""
    return runs_service(actor) or (guild_id == actor.guild_id and actor.has(MANAGE_GUILD))


def may_see(actor: Actor, row: ScheduleRow) -> bool:
    """Whether the actor may know of this schedule, its runs and what it says."""
    return _may_see_work(actor, row) or owns(actor, row)


def _may_see_work(actor: Actor, row: ScheduleRow | RunRow) -> bool:
    """Whether what is done, or was, is for the actor to see, whoever it belongs to."""
    return moderates(actor, row.guild_id) or (row.handler != MESSAGES and runs_jobs(actor, row.guild_id))


def owns(actor: Actor, row: ScheduleRow) -> bool:
    """Whether a schedule is that person's own. Keys are no people, whatever their names."""
    return actor.kind == "member" and row.owner_id == actor.id


def visible(actor: Actor, wanted: ScheduleFilter) -> ScheduleFilter | None:
    """The listing narrowed to what the actor may see: where they speak, and their own anywhere. None: nothing of it.

    Raises:
        NotFound: it names a guild they do not speak in.
    """
    if runs_service(actor) or (actor.kind == "member" and wanted.owner_id == actor.id):
        return wanted
    if wanted.guild_id is not None:
        require_guild(actor, wanted.guild_id, change=False)
    here = msgspec.structs.replace(wanted, guild_id=actor.guild_id, any_guild=False)
    if moderates(actor, actor.guild_id):
        return here
    if runs_jobs(actor, actor.guild_id):
        return msgspec.structs.replace(here, jobs_or_owner_id=actor.id)
    return None if wanted.owner_id is not None else msgspec.structs.replace(here, owner_id=actor.id)


def within(actor: Actor, wanted: ScheduleFilter) -> ScheduleFilter:
    """A listing of what the actor may act on, kept to the guild they are confined to, if they are. Raises NotFound."""
    if not is_confined(actor):
        return wanted
    if wanted.guild_id is not None:
        require_guild(actor, wanted.guild_id, change=False)
    return msgspec.structs.replace(wanted, guild_id=actor.guild_id, any_guild=False)


def visible_runs(actor: Actor, wanted: F) -> F:
    """The listing of runs, or of dead letters, narrowed to those of schedules the actor may see where they speak. Raises NotFound."""
    if runs_service(actor):
        return wanted
    if wanted.guild_id is not None:
        require_guild(actor, wanted.guild_id, change=False)
    here = msgspec.structs.replace(wanted, guild_id=actor.guild_id, any_guild=False)
    if moderates(actor, actor.guild_id):
        return here
    whose = "jobs_or_owner_id" if runs_jobs(actor, actor.guild_id) else "owner_id"
    return msgspec.structs.replace(here, **{whose: actor.id})


def require_schedule(actor: Actor, row: ScheduleRow | None, id: str) -> ScheduleRow:
    """The schedule, if it exists for the actor.

    Raises:
        NotFound: it does not, or the actor may not know of it.
    """
    if row is None or not may_see(actor, row):
        raise NotFound(f"There is no schedule {id!r}; the list of schedules shows what there is.")
    return row


def require_run(actor: Actor, row: RunRow | None, schedule: ScheduleRow | None, id: str) -> RunRow:
    """The run, if it exists for the actor, who may know of it if they may know of its schedule. Raises NotFound."""
    if row is None or not (_may_see_work(actor, row) or (schedule is not None and owns(actor, schedule))):
        raise NotFound(f"There is no run {id!r}; the list of runs shows what there is.")
    return row


def require_change(actor: Actor, row: ScheduleRow) -> None:
    """Raises Forbidden unless the actor may calm this schedule: pause or delete it, stop a run of it."""
    if not may_see(actor, row):
        raise Forbidden(
            "This schedule is somebody else's; changing it takes the permission Manage Messages here, or, if it is a job, "
            "Manage Server."
        )


def require_action(actor: Actor, row: ScheduleRow) -> None:
    """Raises Forbidden unless the actor may make this schedule act: run, resume or change it, bring it back."""
    require_change(actor, row)
    _require_action(actor, row.guild_id, row.handler, row.method, reminder=is_reminder(_strings(row.metadata)))


def may_act(actor: Actor, row: ScheduleRow) -> bool:
    """Whether the actor may see this schedule, and do anything with it."""
    try:
        require_change(actor, require_schedule(actor, row, row.id))
    except (Forbidden, NotFound):
        return False
    return True


def require_edit(actor: Actor, before: ScheduleRow, after: ScheduleSpec) -> None:
    """Raises Forbidden unless the actor, who may make the schedule act, may also make it do that.

    What is done, and with which words, takes the right to create it: else a reminder, which everybody may have, would
    be the way to everything else.
    """
    if actor.kind != "member":
        return
    was, is_now = is_reminder(_strings(before.metadata)), is_reminder(after.metadata)
    _require_action(actor, before.guild_id, after.handler, after.method, reminder=is_now)
    same = (after.handler, after.method) == (before.handler, before.method) and after.args == _arguments(before.args)
    if is_now and not (same and was):
        _require_reminder(after, before.owner_id)


def require_create(actor: Actor, spec: ScheduleSpec) -> None:
    """Raises Forbidden unless the actor may create this schedule."""
    if is_confined(actor) and spec.guild_id != actor.guild_id:
        raise Forbidden(_CONFINED)
    if actor.kind != "member":
        return
    if spec.guild_id != actor.guild_id:
        raise Forbidden("A schedule can only be made in the server it is asked for in.")
    if spec.owner_id not in (None, actor.id):
        raise Forbidden("A schedule can only be made in one's own name.")
    if is_reminder(spec.metadata):
        _require_reminder(spec, actor.id)
    else:
        _require_work(actor, spec.handler)


def require_guild(actor: Actor, guild_id: str, *, change: bool) -> None:
    """Raises NotFound or Forbidden unless the actor may see (or change) a guild's settings."""
    if runs_service(actor):
        return
    if guild_id != actor.guild_id:
        raise NotFound(f"There is no server {guild_id!r} here.")
    if change:
        _require(actor, MANAGE_GUILD, "Changing the server's settings takes the permission Manage Server.")


def require_closings(actor: Actor, guild_id: str) -> None:
    """Raises NotFound or Forbidden unless the actor may change what a guild keeps closed: days off, hours, blackouts."""
    require_guild(actor, guild_id, change=False)
    if not (runs_service(actor) or _manages(actor, MANAGE_GUILD)):
        raise Forbidden("Changing the server's settings takes the permission Manage Server.")


def require_settings(actor: Actor, before: GuildSettings, after: GuildSettings) -> None:
    """Raises Forbidden where settings give to others what the actor, who may change them, does not hold."""
    was, is_now = before.roles, after.roles
    if {*is_now.manager} - {*was.manager} or {*is_now.member} - {*was.member, *was.manager}:
        _require(
            actor, MANAGE_MESSAGES,
            "Saying which roles manage or schedule here takes the permission Manage Messages as well: nobody gives what "
            "they do not hold.",
        )  # fmt: skip
    if _listed(after) - _listed(before):
        _require(
            actor, MENTION_EVERYONE,
            "Listing roles that everybody who schedules may mention takes the permission Mention Everyone: nobody gives "
            "what they do not hold.",
        )  # fmt: skip


def _listed(settings: GuildSettings) -> set[str]:
    """The roles that everybody who may schedule may mention."""
    return {*settings.mentions.listed} if settings.mentions.roles == "listed" else set()


def require_user(actor: Actor, user_id: str) -> None:
    """Raises Forbidden unless the actor may change this person's own settings, and have text read by them."""
    if not _speaks_for(actor, user_id):
        raise Forbidden("A person's time zone is theirs alone to set, and to have times read in.")


def require_zone_of(actor: Actor, user_id: str, *, shared: bool) -> None:
    """Raises Forbidden unless the actor may see this person's zone. One that is not shared is like none, to others."""
    if not _speaks_for(actor, user_id) and not (shared and actor.kind == "member"):
        raise Forbidden("They do not share a time zone. Whoever wants to says /timezone share on.")


def require_oneself(actor: Actor, user_id: str) -> None:
    """Raises Forbidden unless the actor may have, and have erased, what is kept of this person."""
    if not _speaks_for(actor, user_id):
        raise Forbidden("What is kept of a person is theirs alone to have and to erase.")


def _speaks_for(actor: Actor, user_id: str) -> bool:
    return runs_service(actor) or (actor.kind == "member" and actor.id == user_id)


def may_erase(actor: Actor, guild_id: str) -> bool:
    """Whether the actor may have everything of a guild erased: who operates the whole service, and the guild's owner. A
    key is none, even where it may do all else."""
    return runs_service(actor) or (actor.kind == "member" and actor.owner and guild_id == actor.guild_id)


def require_guild_erasure(actor: Actor, guild_id: str) -> None:
    """Raises NotFound or Forbidden unless the actor may have everything of a guild erased (``may_erase``)."""
    if may_erase(actor, guild_id):
        return
    if guild_id != actor.guild_id:
        raise NotFound(f"There is no server {guild_id!r} here.")
    raise Forbidden("Erasing everything of a server is for its owner, and for those who run the service.")


def require_export(actor: Actor, guild_id: str | None, user_id: str | None, *, secrets: bool) -> None:
    """Raises NotFound, Forbidden or Invalid unless the actor may take a guild's things away as a file, or a person's, or
    (neither) everybody's. What of a guild's they may not see is not in it (``visible``)."""
    if guild_id is not None and user_id is not None:
        message = "belongs to a server's export; leave it out, or leave out guild_id"
        raise Invalid.at("user_id", message)
    if secrets and actor.kind == "member":
        raise Forbidden("Secrets are written out for those alone who run the service.")
    if user_id is not None:
        require_oneself(actor, user_id)
    elif guild_id is None:
        require_service(actor)
    elif not runs_service(actor):
        if guild_id != actor.guild_id:
            raise NotFound(f"There is no server {guild_id!r} here.")
        _require(actor, MANAGE_GUILD, "Exporting a server's data takes the permission Manage Server.")


def require_calendar_link(actor: Actor, guild_id: str | None, user_id: str | None) -> None:
    """Raises Invalid, NotFound or Forbidden unless the actor may let others see what is scheduled in a guild, or by a person."""
    if (guild_id is None) == (user_id is None):
        raise Invalid.at("guild_id", "name a server, or a person in user_id")
    if user_id is not None:
        require_oneself(actor, user_id)
    elif not runs_service(actor):
        if guild_id != actor.guild_id:
            raise NotFound(f"There is no server {guild_id!r} here.")
        for bit in (MANAGE_GUILD, MANAGE_MESSAGES):
            _require(actor, bit, "A server's calendar shows all it posts; it takes Manage Server and Manage Messages.")


def require_place(actor: Actor, guild_id: str | None, user_id: str | None) -> None:
    """Raises NotFound or Forbidden unless the actor may have text read as this guild and this person would."""
    if guild_id is not None:
        require_guild(actor, guild_id, change=False)
    if user_id is not None:
        require_user(actor, user_id)


def knows_people(actor: Actor) -> bool:
    """Whether what a person has set for themselves may show in what the actor is answered."""
    return not is_confined(actor)


def require_service(actor: Actor) -> None:
    """Raises Forbidden unless the actor operates the whole service."""
    if not runs_service(actor):
        raise Forbidden("This concerns the whole service; only its operators may see and do it.")


def require_operator(actor: Actor, guild_id: str | None = None) -> None:
    """Raises Forbidden unless the actor runs the service, or that guild's part of it."""
    if actor.kind == "member":
        raise Forbidden("Only the service itself may say this.")
    if not moderates(actor, guild_id):
        raise Forbidden(_CONFINED)


def require_keys(actor: Actor, guild_id: str | None) -> None:
    """Raises Forbidden unless the actor may make keys for this guild (None: for all)."""
    if actor.kind == "member":
        raise Forbidden("Keys are the business of who runs the service.")
    if not moderates(actor, guild_id):
        raise Forbidden(_CONFINED)


def require_registration(actor: Actor, guild_id: str | None) -> None:
    """Raises Forbidden unless the actor may let a handler of this guild's own connect (guild None: one for all)."""
    if actor.kind != "member":
        require_keys(actor, guild_id)
        return
    if guild_id is None or guild_id != actor.guild_id:
        raise Forbidden("Keys are the business of who runs the service; a server's own are made in it.")
    _require(actor, MANAGE_GUILD, "Letting a program connect takes the permission Manage Server.")


def visible_keys(actor: Actor, guild_id: str | None, *, any_guild: bool) -> tuple[str | None, bool]:
    """The guild whose keys are listed (None: those for all), or whether all are. Raises Forbidden, NotFound."""
    if runs_service(actor):
        return guild_id, any_guild
    require_keys(actor, actor.guild_id)
    if guild_id is not None:
        require_guild(actor, guild_id, change=False)
    return actor.guild_id, False


def may_see_key(actor: Actor, guild_id: str | None) -> bool:
    """Whether the actor may know of a key for this guild (None: for all), and end it."""
    return actor.kind != "member" and moderates(actor, guild_id)


def visible_audit(actor: Actor, wanted: AuditFilter) -> AuditFilter:
    """The listing narrowed to what the actor may read. Raises NotFound, Forbidden."""
    if runs_service(actor):
        return wanted
    if wanted.guild_id is not None:
        require_guild(actor, wanted.guild_id, change=False)
    _require_audit(actor)
    return msgspec.structs.replace(wanted, guild_id=actor.guild_id, any_guild=False)


def require_line(actor: Actor, line: AuditedRow | None, id: str) -> AuditedRow:
    """The line of the audit, if the actor may read it. Raises NotFound, Forbidden."""
    if line is None or not (runs_service(actor) or (line.guild_id is not None and line.guild_id == actor.guild_id)):
        raise NotFound(f"There is no line {id!r} in the audit; the list shows what there is.")
    _require_audit(actor)
    return line


def may_see_change(actor: Actor, line: AuditedRow) -> bool:
    """Whether whoever may read a line, which is about no schedule, may see what was and what became of it."""
    return not line.action.startswith("key.") or may_see_key(actor, line.guild_id)


def may_take_back(actor: Actor, current: ScheduleRow, before: ScheduleRow | None) -> bool:
    """Whether the actor may make a schedule what it was before a change (None: it was not there)."""
    try:
        require_change(actor, current)
        if before is not None and before.state != "deleted":
            require_action(actor, current)
            require_action(actor, before)
    except Forbidden:
        return False
    return True


def may_set(actor: Actor, guild_id: str) -> bool:
    """Whether the actor may change a guild's settings."""
    try:
        require_guild(actor, guild_id, change=True)
    except (Forbidden, NotFound):
        return False
    return True


def require_events(actor: Actor, guild_id: str | None) -> None:
    """Raises Forbidden unless the actor may hear what happens in this guild (None: anywhere), to whomever it belongs."""
    if not moderates(actor, guild_id):
        raise Forbidden("Events are told where they happen, to those with the permission Manage Messages.")


def _require_action(actor: Actor, guild_id: str | None, handler: str, method: str, *, reminder: bool) -> None:
    if actor.kind != "member":
        return
    if guild_id != actor.guild_id and not (reminder and method == DIRECT):
        raise Forbidden("In another place than its own server a schedule can be looked at, paused and deleted only.")
    if not reminder:
        _require_work(actor, handler)


def _require_work(actor: Actor, handler: str) -> None:
    if actor.guild_id is None:
        raise Forbidden("Outside a server there are only reminders.")
    if handler != MESSAGES:
        allowed = _manages(actor, MANAGE_GUILD)
        sentence = "Work for other programs takes the permission Manage Server."
    else:
        allowed = _manages(actor, MANAGE_MESSAGES) or actor.standing == "member"
        sentence = "Scheduling messages takes the permission Manage Messages."
    if not allowed:
        raise Forbidden(sentence)


def _require_reminder(spec: ScheduleSpec, owner_id: str) -> None:
    if spec.handler != MESSAGES or spec.method not in (DIRECT, "send_message"):
        raise Forbidden("A reminder is a message; other work is made with /schedule or /job.")
    if spec.method == DIRECT and spec.args.get("user_id") != owner_id:
        raise Forbidden("A reminder goes to the person who sets it.")
    if spec.method == "send_message" and spec.args.get("mentions"):
        raise Forbidden("A reminder mentions nobody; /schedule message can, for those who may.")


def _require_audit(actor: Actor) -> None:
    if actor.kind == "member" and actor.guild_id is None:
        raise Forbidden("Who changed what is read in the server it concerns.")
    _require(actor, VIEW_AUDIT_LOG, "Reading who changed what takes the permission View Audit Log.")


def _manages(actor: Actor, bits: int) -> bool:
    """Whether the actor holds all these permissions, or what their guild made of their roles counts as much."""
    return actor.standing == "manager" or all(actor.has(bit) for bit in (MANAGE_MESSAGES, MANAGE_GUILD) if bits & bit)


def _require(actor: Actor, bit: int, sentence: str) -> None:
    if not actor.has(bit):
        raise Forbidden(sentence)

"""Which schedule ``item`` means: an id, the exact name; for what merely looks, words that fit only one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Final, Literal

import discord

from cogs.front import Interaction, actor_of, core_of, front_of, home_of
from cogs.lists import LIVE
from cogs.naming import called, not_called, nothing_fits, said, several_fit
from cogs.refusals import Refusal
from cogs.reminders import REMINDER
from cogs.texts import content_of, is_job
from schedule_zero import instant
from schedule_zero.actor import MANAGE_MESSAGES, Actor
from schedule_zero.ids import is_id
from schedule_zero.permitted import standing_of
from schedule_zero.schedule import Schedule

_FETCHED: Final = 200
_PAGES: Final = 10
_What = Literal["schedule", "reminder", "job"]


async def resolve_item(interaction: Interaction, text: str, *, loosely: bool = False) -> str:
    """The id of the schedule that ``item`` means; an id is taken as it is, and judged by the core.

    Args:
        loosely: words that fit only one are enough; for what merely looks. To change something takes its name.

    Raises:
        Refusal: nothing fits, or several do, or it is no whole name; with the names that may have been meant.
    """
    return text if is_id(text, "sch") else await _by_words(interaction, text, "schedule", loosely=loosely)


async def resolve_job(interaction: Interaction, text: str, *, loosely: bool = False) -> Schedule:
    """The job that ``item`` means.

    Raises:
        Refusal: as of ``resolve_item``; or it is a message.
    """
    id = text if is_id(text, "sch") else await _by_words(interaction, text, "job", loosely=loosely)
    job = await core_of(interaction).get_schedule(id)
    if not is_job(job):
        raise Refusal(f"`{id}` posts a message, and is no job; `/schedule` and `/remind` are for messages.")
    return job


async def resolve_reminder(interaction: Interaction, text: str, *, loosely: bool = False) -> Schedule:
    """The reminder that ``item`` means: one's own, or for those who moderate any of this server's.

    The core shows a server's schedules to all its members; ``/remind`` is open to everybody, and is not the way to them.

    Raises:
        Refusal: as of ``resolve_item``; or it is no reminder, or somebody else's.
    """
    id = text if is_id(text, "sch") else await _by_words(interaction, text, "reminder", loosely=loosely)
    reminder = await core_of(interaction).get_schedule(id)
    if reminder.metadata.get("kind") != REMINDER or not await may_act(interaction, reminder):
        raise nothing_fits("reminder", text)
    return reminder


async def may_act(interaction: Interaction, schedule: Schedule) -> bool:
    """Whether it is the person's own, or of the server they manage by a permission or a role."""
    actor = actor_of(interaction)
    if schedule.owner_id == actor.id:
        return True
    return schedule.guild_id == actor.guild_id and await _manages(interaction, actor)


async def _manages(interaction: Interaction, actor: Actor) -> bool:
    """Whether everybody's schedules here are theirs to change."""
    if actor.guild_id is None or actor.has(MANAGE_MESSAGES):
        return actor.guild_id is not None
    settings = await core_of(interaction).guild_settings(actor.guild_id)
    return standing_of(actor.roles, settings) == "manager"


async def _by_words(interaction: Interaction, text: str, what: _What, *, loosely: bool) -> str:
    containing = await _containing(interaction, text, what)
    exact = called(text, [each for each in containing if each.state in LIVE or _keeps_its_name(each)], _title)
    if len(exact) == 1:
        return exact[0].id
    if exact:
        raise several_fit(len(exact), what, text)
    deleted = await _containing(interaction, text, what, state="deleted")
    if any(map(partial(_was_just_deleted, interaction), called(text, deleted, _title))):
        raise Refusal(
            f"{said(text)} was deleted just now; Undo brings it back: the button where it was deleted, or "
            "`/schedule undo`."
        )
    if not loosely:
        raise not_called(what, text, await _may_be_meant(interaction, containing))
    found = (
        await core_of(interaction).suggest_schedules(
            text, guild_id=home_of(interaction), reminders=what == "reminder", jobs=what == "job"
        )
    ).items
    if not found:
        raise nothing_fits(what, text)
    if len(found) > 1:
        raise several_fit(len(found), what, text)
    return found[0].value


async def _containing(interaction: Interaction, text: str, what: _What, *, state: str | None = None) -> list[Schedule]:
    """Everything in a state with that text in it; without one, all that is not deleted. Of very many, the oldest."""
    core = core_of(interaction)
    filters: dict[str, Any] = {"guild_id": home_of(interaction), "q": text, "state": state}
    if what == "reminder":
        owner = actor_of(interaction).id
        filters |= {"guild_id": None, "any_guild": True, "owner_id": owner, "metadata": {"kind": REMINDER}}
    found: list[Schedule] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await core.list_schedules(**filters, limit=_FETCHED, cursor=cursor)
        found += [schedule for schedule in page.items if what != "job" or is_job(schedule)]
        cursor = page.next
        if cursor is None:
            break
    return found


def _keeps_its_name(schedule: Schedule) -> bool:
    """What is over is not suggested; but who writes its name means it, not another one whose name contains it."""
    return schedule.state == "done" and schedule.name is not None


def _was_just_deleted(interaction: Interaction, schedule: Schedule) -> bool:
    """Whether it can be brought back still, as far as this bot deleted it."""
    now = instant.from_datetime(discord.utils.utcnow())
    return front_of(interaction).undos.brings_back(schedule.id, now)


def _title(schedule: Schedule) -> str:
    """What people know it by: the name, or the text of what has none; spaces as ``item`` has them."""
    return " ".join((schedule.name or content_of(schedule)).split())


async def _may_be_meant(interaction: Interaction, containing: Iterable[Schedule]) -> list[str]:
    """The names of those that the actor can change."""
    return [_title(each) for each in containing if each.state in LIVE and await may_act(interaction, each)]

"""Which schedule ``item`` means: an id, the exact name, or words that fit only one."""

from __future__ import annotations

from typing import Any, Final

from cogs.front import Interaction, actor_of, core_of, home_of
from cogs.lists import LIVE
from cogs.refusals import Refusal
from cogs.reminders import REMINDER
from cogs.texts import shorten
from schedule_zero.actor import MANAGE_MESSAGES, Actor
from schedule_zero.ids import is_id
from schedule_zero.schedule import Schedule

_FETCHED: Final = 200
_PAGES: Final = 10


async def resolve_item(interaction: Interaction, text: str) -> str:
    """The id of the schedule that ``item`` means; an id is taken as it is, and judged by the core.

    Raises:
        Refusal: nothing fits, or several do.
    """
    return text if is_id(text, "sch") else await _by_words(interaction, text, reminders=False)


async def resolve_reminder(interaction: Interaction, text: str) -> Schedule:
    """The reminder that ``item`` means: one's own, or for those who moderate any of this server's.

    The core shows a server's schedules to all its members; ``/remind`` is open to everybody, and is not the way to them.

    Raises:
        Refusal: nothing fits, or several do, or it is no reminder, or somebody else's.
    """
    id = text if is_id(text, "sch") else await _by_words(interaction, text, reminders=True)
    reminder = await core_of(interaction).get_schedule(id)
    if reminder.metadata.get("kind") != REMINDER or not may_act(actor_of(interaction), reminder):
        raise _nothing("reminder", text)
    return reminder


def may_act(actor: Actor, schedule: Schedule) -> bool:
    """Whether it is the actor's own, or of the server they moderate."""
    moderates = actor.has(MANAGE_MESSAGES) and actor.guild_id is not None and schedule.guild_id == actor.guild_id
    return schedule.owner_id == actor.id or moderates


async def _by_words(interaction: Interaction, text: str, *, reminders: bool) -> str:
    what = "reminder" if reminders else "schedule"
    exact = await _called(interaction, text, reminders=reminders)
    if len(exact) == 1:
        return exact[0].id
    found = await core_of(interaction).suggest_schedules(text, guild_id=home_of(interaction), reminders=reminders)
    count = max(len(found.items), len(exact))
    if count == 0:
        raise _nothing(what, text)
    if count > 1:
        raise Refusal(f"{count} {what}s fit {_said(text)}. Pick one from the suggestions of `item`.")
    return found.items[0].value


async def _called(interaction: Interaction, text: str, *, reminders: bool) -> list[Schedule]:
    """What is called exactly that: letter by letter if anything is, else but for capitals."""
    wanted = text.casefold()
    called = [
        schedule
        for schedule in await _containing(interaction, text, reminders=reminders)
        if _title(schedule).casefold() == wanted and (schedule.state in LIVE or _keeps_its_name(schedule))
    ]
    return [schedule for schedule in called if _title(schedule) == text] or called


async def _containing(interaction: Interaction, text: str, *, reminders: bool) -> list[Schedule]:
    """Everything with that text in it; of very many, the oldest."""
    core = core_of(interaction)
    filters: dict[str, Any] = {"guild_id": home_of(interaction), "q": text}
    if reminders:
        owner = actor_of(interaction).id
        filters |= {"guild_id": None, "any_guild": True, "owner_id": owner, "metadata": {"kind": REMINDER}}
    found: list[Schedule] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await core.list_schedules(**filters, limit=_FETCHED, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    return found


def _keeps_its_name(schedule: Schedule) -> bool:
    """What is over is not suggested; but who writes its name means it, not another one whose name contains it."""
    return schedule.state == "done" and schedule.name is not None


def _title(schedule: Schedule) -> str:
    """What people know it by: the name, or the text of what has none; spaces as ``item`` has them."""
    return " ".join((schedule.name or str(schedule.args.get("content", ""))).split())


def _nothing(what: str, text: str) -> Refusal:
    return Refusal(f"No {what} fits {_said(text)}. Pick one from the suggestions of `item`.")


def _said(text: str) -> str:
    return repr(shorten(text, 80))

"""The use cases about a guild's active hours: windows of the week outside which the schedules that heed them are not due."""

from __future__ import annotations

import msgspec

from core.service.closing_changes import (
    ClosingChanges,
    Named,
    name_in,
    put,
    require_revision,
    revision_of,
    there,
    without,
)
from core.service.closings import Closings
from core.timing.compile import BadTrigger
from core.timing.exceptions import open_hours
from core.timing.hours import require_lengths
from core.timing.rule import BadPattern
from core.timing.zones import zone
from schedule_zero import closings as views
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Invalid
from schedule_zero.schedule import ActiveHours


class NamedHours:
    """A guild's active hours by name."""

    def __init__(self, changes: ClosingChanges) -> None:
        self._changes = changes

    async def page(self, actor: Actor, request: ask.ListHours) -> views.HoursPage:
        kept = await self._changes.kept(actor, request.guild_id)
        users = await self._changes.users(request.guild_id)
        return views.HoursPage(
            items=tuple(_view(name, kept.hours[name], users[Named("hours", name)]) for name in sorted(kept.hours))
        )

    async def get(self, actor: Actor, request: ask.GetHours) -> views.HoursView:
        kept, name = await self._changes.kept(actor, request.guild_id), request.name
        hours = there(name, kept.hours, "hours")
        return _view(name, hours, (await self._changes.users(request.guild_id))[Named("hours", name)])

    async def put(self, actor: Actor, request: ask.PutHours) -> views.HoursView:
        name = name_in(request.name)
        hours = _read(request.hours, await self._changes.zone(request.guild_id))

        def changed(kept: Closings) -> Closings:
            known = kept.hours.get(name)
            require_revision(f"The hours {name} changed since they were", known, hours, request.revision)
            return msgspec.structs.replace(kept, hours=put(kept.hours, name, hours, "hours"))

        def answer(_before: Closings, _kept: Closings, used: int) -> views.HoursView:
            return _view(name, hours, used)

        about = Named("hours", name)
        return await self._changes.make(
            actor, request, views.HoursView, changed, about, answer, action=Action.HOURS_PUT, target=name
        )

    async def delete(self, actor: Actor, request: ask.DeleteHours) -> views.HoursView:
        name = request.name

        def changed(kept: Closings) -> Closings:
            there(name, kept.hours, "hours")
            return msgspec.structs.replace(kept, hours=without(kept.hours, name))

        def answer(before: Closings, _kept: Closings, _used: int) -> views.HoursView:
            return _view(name, before.hours[name], 0)

        about = Named("hours", name)
        return await self._changes.make(
            actor, request, views.HoursView, changed, about, answer, action=Action.HOURS_DELETE, target=name,
            goes=f"The hours {name}",
        )  # fmt: skip


def _read(asked: views.HoursWindows, where: str) -> ActiveHours:
    """The hours, their windows looked at. Raises Invalid."""
    hours = ActiveHours(windows=asked.windows, timezone=asked.timezone)
    try:
        open_hours(hours, zone(where))
        require_lengths(hours.windows)
    except (BadTrigger, BadPattern) as why:
        raise Invalid.at("hours", str(why)) from None
    return hours


def _view(name: str, hours: ActiveHours, used: int) -> views.HoursView:
    return views.HoursView(
        name=name, windows=hours.windows, timezone=hours.timezone, used_by=used, revision=revision_of(hours)
    )

"""``/guilds``: the servers somebody may look at, and each as a page: its plan, and what it uses of what it may."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlencode

from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.service import access
from core.web.door import Door
from core.web.pages.gauges import dials_of
from core.web.pages.rendering import page
from core.web.pages.visiting import Visit, Visiting, led_to
from core.web.reading import parameters
from schedule_zero.confirming import confirms
from schedule_zero.errors import Invalid, ScheduleZeroError
from schedule_zero.requests import EraseGuild, GetGuild, ListGuilds, NewVerification
from schedule_zero.shown.quota import MOST_WAITING
from schedule_zero.views import Erasure, GuildPage, GuildView, VerificationView

PATH: Final = "/guilds"
REFRESH_S: Final = 15
ON_A_PAGE: Final = 50
_ERASED: Final = "Everything that was kept of this server is gone."
_GOES_ON: Final = "That takes a while; it goes on by itself."


class GuildPages:
    """The list, and a guild."""

    def __init__(self, door: Door, visiting: Visiting) -> None:
        self._door = door
        self._visiting = visiting

    def routes(self) -> list[HTTPRouteHandler]:
        """What answers."""
        return [
            self._visiting.way(PATH, self.show_list),
            self._visiting.way(f"{PATH}/{{id:str}}", self.show),
            self._visiting.form(f"{PATH}/{{id:str}}/verification", self.new_code),
            self._visiting.way(f"{PATH}/{{id:str}}/erasure", self.ask_erasure),
            self._visiting.form(f"{PATH}/{{id:str}}/erasure", self.erase),
        ]

    async def show_list(self, visit: Visit) -> ASGIResponse:
        """The guilds of a person; to who runs the service, all there are."""
        visitor = visit.visitor
        confined_to = visitor.session.known.guild_id
        if confined_to is not None:
            return led_to(f"{PATH}/{confined_to}")
        if not visitor.operates:
            return page("guilds.html.jinja", mine=await visitor.guilds(), visitor=visitor)
        scope: Any = visit.request.scope
        given = {name: values[0] for name, values in parameters(scope["query_string"]).items()}
        asked = ListGuilds(q=given.get("q") or None, cursor=given.get("cursor"), limit=ON_A_PAGE)
        found = cast("GuildPage", await self._door.handle(await visitor.actor(asked), asked))
        more = None if found.next is None else urlencode({**given, "cursor": found.next})
        return page(
            "guilds.html.jinja", mine=None, guilds=found.items, more=more, q=given.get("q", ""), visitor=visitor
        )

    async def show(self, visit: Visit) -> ASGIResponse:
        """One guild."""
        return await self._guild(visit)

    async def new_code(self, visit: Visit) -> ASGIResponse:
        """The button that shows a code to verify the guild with."""
        asked = NewVerification(guild_id=_id(visit))
        try:
            code = cast("VerificationView", await self._door.handle(await visit.visitor.actor(asked), asked))
        except ScheduleZeroError as error:
            return await self._guild(visit, trouble=error)
        return await self._guild(visit, code=code)

    async def ask_erasure(self, visit: Visit) -> ASGIResponse:
        """What is erased, and the words to type for it; to who may have it erased."""
        return self._erasure(visit, await self._erasable(visit))

    async def erase(self, visit: Visit) -> ASGIResponse:
        """The button that has everything of the guild erased, if the words were typed."""
        guild = await self._erasable(visit)
        if not confirms(visit.form.get("words", ""), _words_of(guild)):
            trouble = Invalid(f"Nothing was erased: to confirm it, type {_words_of(guild)}.")
            return self._erasure(visit, guild, trouble=trouble)
        asked = EraseGuild(guild_id=guild.guild_id)
        done = cast("Erasure", await self._door.handle(await visit.visitor.actor(asked), asked))
        return self._erasure(visit, guild, done=_ERASED if done.finished else _GOES_ON)

    async def _erasable(self, visit: Visit) -> GuildView:
        """The guild, for who may have everything of it erased. Raises NotFound, Forbidden."""
        asked = GetGuild(guild_id=_id(visit))
        actor = await visit.visitor.actor(asked)
        access.require_guild_erasure(actor, asked.guild_id)
        return cast("GuildView", await self._door.handle(actor, asked))

    def _erasure(
        self, visit: Visit, guild: GuildView, *, trouble: ScheduleZeroError | None = None, done: str = ""
    ) -> ASGIResponse:
        return page(
            "guild_erasure.html.jinja", HTTPStatus.OK if trouble is None else trouble.status, guild=guild,
            words=_words_of(guild), trouble=None if trouble is None else trouble.sentence, done=done,
            visitor=visit.visitor,
        )  # fmt: skip

    async def _guild(
        self, visit: Visit, *, code: VerificationView | None = None, trouble: ScheduleZeroError | None = None
    ) -> ASGIResponse:
        asked = GetGuild(guild_id=_id(visit))
        actor = await visit.visitor.actor(asked)
        guild = cast("GuildView", await self._door.handle(actor, asked))
        return page(
            "guild.html.jinja", HTTPStatus.OK if trouble is None else trouble.status, guild=guild,
            dials=dials_of(guild.gauges), manages=access.manages(actor, guild.guild_id), proof=code,
            may_erase=access.may_erase(actor, guild.guild_id),
            trouble=None if trouble is None else trouble.sentence, most_waiting=MOST_WAITING, refresh=REFRESH_S,
            visitor=visit.visitor,
        )  # fmt: skip


def _words_of(guild: GuildView) -> str:
    """What is typed to have everything of it erased."""
    return guild.name or guild.guild_id


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])

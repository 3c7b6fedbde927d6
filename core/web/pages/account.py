"""``/`` and ``/account``: where everything is; who somebody is here, and where they are signed in."""

from __future__ import annotations

from typing import Final

from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.web.door import SessionDesk
from core.web.pages.rendering import PAGES, page
from core.web.pages.visiting import SIGN_IN, Visit, Visiting, led_to
from core.web.sign_in.cookies import SESSION, Cookies
from core.web.sign_in.rights import Rights
from core.web.sign_in.visitors import Visitor
from schedule_zero.routes import OPENAPI_PATH

PATH: Final = "/account"
_WAYS: Final = {"discord": "with Discord", "token": "with a token", "link": "by a link"}
_API: Final = (OPENAPI_PATH, "What the API can do")


class AccountPages:
    """The page of links, the account, and the ways out of it."""

    def __init__(self, sessions: SessionDesk, visiting: Visiting, rights: Rights, cookies: Cookies) -> None:
        self._sessions = sessions
        self._visiting = visiting
        self._rights = rights
        self._cookies = cookies

    def routes(self) -> list[HTTPRouteHandler]:
        """What answers."""
        return [
            self._visiting.for_everybody("/", self.home),
            self._visiting.way(PATH, self.show, anyhow=True),
            self._visiting.form("/sign-out", self.sign_out, PATH, anyhow=True),
            self._visiting.form(f"{PATH}/end-all", self.end_all, anyhow=True),
            self._visiting.form(f"{PATH}/{{id:str}}/end", self.end, PATH, anyhow=True),
        ]

    async def home(self, visitor: Visitor | None) -> ASGIResponse:
        """Where everything is, and for who is signed in, that they are."""
        links = (*PAGES, (SIGN_IN, "Sign in"), _API) if visitor is None else (*PAGES, _API)
        return page("home.html.jinja", links=links, visitor=visitor)

    async def show(self, visit: Visit) -> ASGIResponse:
        """Who somebody is, and where they are signed in."""
        visitor = visit.visitor
        sessions, guilds = await self._sessions.mine(visitor.session), await visitor.guilds()
        return page("account.html.jinja", visitor=visitor, sessions=sessions, guilds=guilds, ways=_WAYS)

    async def sign_out(self, visit: Visit) -> ASGIResponse:
        """This browser is not signed in any more."""
        await self._sessions.end(visit.visitor.session)
        return self._out(visit)

    async def end(self, visit: Visit) -> ASGIResponse:
        """A browser, this or another, is not signed in any more."""
        id, mine = str(visit.request.path_params["id"]), visit.visitor.session
        ended = [each.digest for each in await self._sessions.mine(mine) if each.id == id]
        await self._sessions.end(mine, id)
        if id == mine.id:
            return self._out(visit)
        for digest in ended:
            self._rights.drop(digest)
        return led_to(PATH)

    async def end_all(self, visit: Visit) -> ASGIResponse:
        """No browser is signed in any more."""
        session = visit.visitor.session
        ended = await self._sessions.mine(session)
        await self._sessions.end_all(session)
        for each in ended:
            self._rights.drop(each.digest)
        return self._out(visit)

    def _out(self, visit: Visit) -> ASGIResponse:
        self._rights.drop(visit.visitor.session.digest)
        return led_to(SIGN_IN, self._cookies.gone(SESSION))

"""What Discord is asked when somebody signs in: who they are, and where they may do what.

OAuth 2 with the authorization code grant and PKCE (Discord's documentation, "OAuth2"; RFC 6749, RFC 7636). Of what Discord
gives out nothing but the access token is ever taken, and that is for the caller to let go of.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import structlog

from core.secret import Secret
from core.service.sessions import TheirGuilds
from core.web.sign_in.attempt import Attempt
from schedule_zero.actor import ADMINISTRATOR
from schedule_zero.errors import Unauthorized, Unavailable

if TYPE_CHECKING:
    import aiohttp

API: Final = "https://discord.com/api/v10"
SCOPES: Final = ("identify", "guilds")
PATIENCE_S: Final = 10.0
LARGEST: Final = 1 << 20
_MOST_GUILDS: Final = 200  # more than anybody can be in
_AWAY: Final = "Discord does not answer at the moment, so nobody can sign in with it; try again in a moment."

T = TypeVar("T")
_log = structlog.get_logger("schedule_zero.sign_in")


class NotLetIn(Unauthorized):
    """Discord does not stand by this sign-in: the code was used or is none, the token ran out, the person took it back."""


class Person(msgspec.Struct, frozen=True):
    """Who somebody is at Discord; ``name``: what they are called there."""

    id: str
    name: str


class _Granted(msgspec.Struct):
    access_token: str
    scope: str


class _User(msgspec.Struct):
    id: str
    username: str
    global_name: str | None = None


class _Guild(msgspec.Struct):
    id: str
    permissions: str
    owner: bool = False


class DiscordSignIn:
    """The Discord application people sign in with.

    Args:
        base: of the REST API.
    """

    def __init__(self, client_id: str, client_secret: Secret, base: str = API) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._base = base.rstrip("/")

    def page(self, attempt: Attempt, back: str, *, silently: bool) -> str:
        """The address at Discord where the person agrees. ``silently``: without asking them again, if they did before."""
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "scope": " ".join(SCOPES),
            "state": attempt.state,
            "redirect_uri": back,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
            "prompt": "none" if silently else "consent",
        }
        base = urlsplit(self._base)
        return f"{base.scheme}://{base.netloc}{base.path.partition('/api')[0]}/oauth2/authorize?{urlencode(asked)}"

    async def token(self, code: str, attempt: Attempt, back: str) -> str:
        """The access token that a code is good for, once. Raises NotLetIn, Unavailable."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": attempt.verifier,
        }
        granted = await self._ask("POST", "/oauth2/token", _Granted, data=form, headers=self._credentials())
        if not set(SCOPES) <= set(granted.scope.split()):
            raise NotLetIn("Discord was not asked, or did not agree, to say who you are and which servers you are in.")
        return granted.access_token

    async def person(self, token: str) -> Person:
        """Who holds the token. Raises NotLetIn, Unavailable."""
        user = await self._ask("GET", "/users/@me", _User, headers=_bearer(token))
        return Person(user.id, user.global_name or user.username)

    async def guilds(self, token: str) -> TheirGuilds:
        """The guilds of who holds the token, and what they are there. Raises NotLetIn, Unavailable."""
        path = f"/users/@me/guilds?limit={_MOST_GUILDS}"
        found = await self._ask("GET", path, list[_Guild], headers=_bearer(token))
        return TheirGuilds(
            {each.id: _permissions(each) for each in found}, tuple(each.id for each in found if each.owner)
        )

    async def give_back(self, token: str) -> None:
        """Let Discord forget the token. Where it does not answer the token runs out by itself."""
        try:
            await self._ask(
                "POST", "/oauth2/token/revoke", msgspec.Raw, data={"token": token}, headers=self._credentials()
            )
        except (NotLetIn, Unavailable) as error:
            _log.info("a token could not be given back to Discord", error=error.sentence)

    def _credentials(self) -> dict[str, str]:
        shown = f"{self._client_id}:{self._client_secret.reveal()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(shown).decode()}"}

    async def _ask(self, verb: str, path: str, answer: type[T], **more: Any) -> T:
        """One call. No error holds what was sent or came back: both have secrets in them."""
        import aiohttp  # a tenth of a second, for those who have somebody sign in with Discord

        try:
            async with (
                asyncio.timeout(PATIENCE_S),
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
                http.request(verb, self._base + path, allow_redirects=False, **more) as response,
            ):
                status = response.status
                body = await _all_of(response)
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("Discord does not answer", path=path, error=type(error).__name__)
            raise Unavailable(_AWAY) from None
        if status in (400, 401, 403):
            raise NotLetIn("Discord does not know this sign-in any more; begin again.")
        if status != 200:
            _log.warning("Discord refuses", path=path, status=status)
            raise Unavailable(_AWAY)
        try:
            return msgspec.json.decode(body, type=answer)
        except msgspec.DecodeError:
            _log.warning("Discord answers what cannot be read", path=path)
            raise Unavailable(_AWAY) from None


async def _all_of(response: aiohttp.ClientResponse) -> bytes:
    """The body; one that is too large only its beginning, which cannot be read."""
    try:
        return await response.content.readexactly(LARGEST)
    except asyncio.IncompleteReadError as error:
        return error.partial


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _permissions(guild: _Guild) -> int:
    """What somebody may do in all of a guild; its owner everything."""
    granted = int(guild.permissions) if guild.permissions.isdecimal() else 0
    return granted | ADMINISTRATOR if guild.owner else granted

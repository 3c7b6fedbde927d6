"""Who is signed in to the pages: sessions come, are known by what the browser shows, and go; and the links that begin one.

What a browser shows is a secret of 256 bits, and so is the code of a link; the ledger has the SHA-256 of both. So a core
that starts again, and every other core on the same database, knows who is signed in, and nobody who reads the database can
be them. A session says who somebody is and no more: what they may do is judged anew at every request (``access``).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Literal, TypeVar

import msgspec
import structlog

from core.ledger.port import StoreError, Transaction
from core.ledger.rows import SessionRow
from core.service import access
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.facts import GUILD
from core.service.keyring import digest_of
from core.service.places import Places
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Forbidden, Gone, NotFound, Unavailable
from schedule_zero.instant import DAY, HOUR, MINUTE, spell
from schedule_zero.views import SignInLink

Way = Literal["discord", "token", "link"]

IDLE: Final = 12 * HOUR
LONGEST: Final = 7 * DAY
LINK_FOR: Final = 5 * MINUTE
FRESH_FOR: Final = 5 * MINUTE
"""How long the rights count that Discord named."""
NOTE_EVERY: Final = MINUTE
MOST: Final = 20
"""Sessions of one holder; another one ends the oldest."""
LONGEST_AGENT: Final = 200
LINK: Final = "sign-in"
LINK_PATH: Final = "/sign-in/link"

_LONGEST_SECRET: Final = 100
_LINK_OVER: Final = (
    "This link was used already, or its five minutes are over; `schedule-zero login` prints another one."
)
T = TypeVar("T")
log = structlog.get_logger("schedule_zero.sessions")


class TheirGuilds(msgspec.Struct, frozen=True):
    """What Discord says of a person's guilds.

    Attributes:
        permissions: by guild, what they may do in all of it.
        owned: which are their own.
    """

    permissions: dict[str, int] = {}
    owned: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who somebody signed in is.

    Attributes:
        way: how they signed in.
        who: the id of a person at Discord; else the name of the token's holder.
        name: what they are called.
        latest: the instant the session ends at however much it is used.
        guild_id: the one guild the token is confined to.
        proofs: what the holder held when they signed in: digests of tokens, public keys. One has to be in force.
        guilds: a person's guilds at Discord, with the permissions they have in all of each.
        owned: which of those are their own.
        read: when Discord said so.
        agent: what the browser calls itself.
    """

    way: Way
    who: str
    name: str
    latest: int
    guild_id: str | None = None
    proofs: tuple[str, ...] = ()
    guilds: dict[str, int] = {}
    owned: tuple[str, ...] = ()
    read: int = 0
    agent: str = ""

    @property
    def holder(self) -> str:
        """Whose session it is: the same of all sessions of one person, or of one token's holder."""
        return f"discord:{self.who}" if self.way == "discord" else f"key:{self.who}@{self.guild_id or ''}"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One browser that is signed in. ``operates``: the holder operates the service, or a guild's part of it."""

    digest: str
    id: str
    begun: int
    used: int
    until: int
    known: Known
    operates: bool


class GuildHere(msgspec.Struct, frozen=True, kw_only=True):
    """A guild of a person that the bot is in, too. ``manages``: they may change its settings."""

    guild_id: str
    name: str
    manages: bool


class _Link(msgspec.Struct, frozen=True, kw_only=True):
    """Who a link signs in."""

    id: str
    name: str
    guild_id: str | None
    proofs: tuple[str, ...]
    until: int


class _Presence(msgspec.Struct, frozen=True):
    """What the bot said of a guild, among its settings."""

    name: str = ""
    present: bool = False


_encode: Final = msgspec.json.Encoder().encode
_known: Final = msgspec.json.Decoder(Known).decode
_link: Final = msgspec.json.Decoder(_Link).decode
_presence: Final = msgspec.json.Decoder(_Presence).decode


class Sessions:
    """Sessions, for the door that has browsers in front of it."""

    def __init__(self, desk: Desk, operator_ids: Iterable[str] = ()) -> None:
        """``operator_ids``: who at Discord operates the service."""
        self._desk = desk
        self._operators = frozenset(operator_ids)
        self._places = Places(desk)

    # signing in

    async def by_token(self, token: str, agent: str, before: str) -> str | None:
        """What the browser shows from now on; None where this is no operator's token.

        Args:
            agent: what the browser calls itself.
            before: what it showed until now; that session is over.
        """
        row = self._desk.keyring.identify(token)
        if row is None or row.role != "operator":
            return None
        known = Known(
            way="token", who=row.name, name=row.name, guild_id=row.guild_id, proofs=(digest_of(token),),
            latest=self._desk.clock.now() + LONGEST, agent=agent[:LONGEST_AGENT],
        )  # fmt: skip
        return await self._begin(known, before)

    async def by_discord(self, who: str, name: str, guilds: TheirGuilds, agent: str, before: str) -> str:
        """The same for a person, with the guilds that Discord named just now."""
        now = self._desk.clock.now()
        known = Known(
            way="discord", who=who, name=name, guilds=guilds.permissions, owned=guilds.owned, read=now,
            latest=now + LONGEST, agent=agent[:LONGEST_AGENT],
        )  # fmt: skip
        return await self._begin(known, before)

    async def by_link(self, code: str, agent: str, before: str) -> str:
        """The same for who opens a link, which is used up by that. Raises Gone."""
        digest = digest_of(code)
        now = self._desk.clock.now()
        secret = secrets.token_urlsafe(32)

        async def unit(tx: Transaction) -> None:
            text = await tx.notes.get(LINK, digest)
            link = None if text is None else _link(text)
            if link is None or link.until <= now or not self._desk.keyring.any_in_force(link.proofs):
                raise Gone(_LINK_OVER)
            await tx.notes.put(LINK, {digest: None})
            known = Known(
                way="link", who=link.name, name=link.name, guild_id=link.guild_id, proofs=link.proofs,
                latest=now + LONGEST, agent=agent[:LONGEST_AGENT],
            )  # fmt: skip
            await self._add(tx, known, secret, before)

        await self._desk.write(unit)
        return secret

    async def new_link(self, actor: Actor, request: ask.NewSignIn) -> SignInLink:
        """A link that signs its opener in as the operator who asks, once. Raises Forbidden."""
        access.require_operator(actor, actor.guild_id)
        proofs = self._desk.keyring.proofs_of(actor)
        if not proofs:
            raise Forbidden("Only who holds an operator's token or key can make a link to sign in with.")
        now = self._desk.clock.now()
        code = secrets.token_urlsafe(32)
        link = _Link(
            id=self._desk.ids.make("lnk", now), name=actor.id, guild_id=actor.guild_id, proofs=proofs,
            until=now + LINK_FOR,
        )  # fmt: skip

        async def work(tx: Transaction, _effects: Effects) -> SignInLink:
            kept = await tx.notes.all(LINK)
            over = [digest for digest, text in kept.items() if _link(text).until <= now]
            await tx.notes.put(LINK, {**dict.fromkeys(over), digest_of(code): _encode(link).decode()})
            await self._note(tx, actor, Action.SIGN_IN_NEW, link.id, actor.guild_id)
            return SignInLink(id=link.id, until=spell(link.until))

        made = await self._desk.change(actor, request, SignInLink, work)
        if made.id == link.id:  # not remembered from an earlier request of the same idempotency key
            made.path = f"{LINK_PATH}?code={code}"
        return made

    async def _begin(self, known: Known, before: str) -> str:
        secret = secrets.token_urlsafe(32)

        async def unit(tx: Transaction) -> None:
            await self._add(tx, known, secret, before)

        await self._desk.write(unit)
        return secret

    async def _add(self, tx: Transaction, known: Known, secret: str, before: str) -> None:
        now = self._desk.clock.now()
        row = SessionRow(
            digest=digest_of(secret), id=self._desk.ids.make("ses", now), holder=known.holder, begun=now, used=now,
            until=min(now + IDLE, known.latest), document=_encode(known).decode(),
        )  # fmt: skip
        others = await tx.sessions.of(known.holder)
        crowded = [each.digest for each in others[: max(0, len(others) - MOST + 1)]]
        await tx.sessions.end([*crowded, digest_of(before)])
        await tx.sessions.add(row)
        actor = self._someone(known, None)
        after = _encode({"way": known.way, "name": known.name}).decode()
        await self._note(tx, actor, Action.SESSION_BEGIN, row.id, known.guild_id, after)

    # being signed in

    async def find(self, secret: str) -> Session | None:
        """The session of the browser that shows this, which counts as used; None where there is none, or it is over."""
        if not 0 < len(secret) <= _LONGEST_SECRET:
            return None
        row = await self._desk.reader.sessions.get(digest_of(secret))
        now = self._desk.clock.now()
        if row is None or row.until <= now:
            return None
        known = _known(row.document)
        if known.way != "discord" and not self._desk.keyring.any_in_force(known.proofs):
            return None
        if now - row.used >= NOTE_EVERY:
            await self._note_use(row, known, now)
        return self._session(row, known)

    async def _note_use(self, row: SessionRow, known: Known, now: int) -> None:
        until = min(now + IDLE, known.latest)

        async def unit(tx: Transaction) -> None:
            await tx.sessions.note_use(row.digest, now, until)

        try:
            await self._desk.ledger.write(unit)
        except StoreError as error:  # who is signed in stays so for now, and may look at what is wrong
            log.warning("the store refused to note that a session is used", error=str(error))

    def is_stale(self, session: Session) -> bool:
        """Whether Discord has to be asked anew what the person may do."""
        known = session.known
        return known.way == "discord" and self._desk.clock.now() - known.read > FRESH_FOR

    async def note_guilds(self, session: Session, guilds: TheirGuilds) -> Session:
        """What Discord says now of a person's guilds. Raises Unavailable."""
        now = self._desk.clock.now()
        known = msgspec.structs.replace(session.known, guilds=guilds.permissions, owned=guilds.owned, read=now)

        async def unit(tx: Transaction) -> None:
            await tx.sessions.rewrite(session.digest, _encode(known).decode())

        await self._write(unit)
        return msgspec.structs.replace(session, known=known)

    async def actor(self, session: Session, request: ask.Request) -> Actor:
        """Who asks this: the person in the guild that the request is about."""
        if session.known.way != "discord" or session.operates:
            return self._someone(session.known, None)
        return await self.actor_in(session, await self._places.of(request))

    async def actor_in(self, session: Session, guild_id: str | None) -> Actor:
        """Who somebody is in a guild; where it is not theirs, or the bot is not there, somebody outside of any."""
        known = session.known
        here = guild_id is not None and guild_id in known.guilds and guild_id in await self._present([guild_id])
        return self._someone(known, guild_id if here else None)

    async def guilds(self, session: Session) -> list[GuildHere]:
        """The guilds of a person that the bot is in, too, by name."""
        mine = session.known.guilds
        found = []
        for guild_id, presence in (await self._present(mine)).items():
            actor = self._someone(session.known, guild_id)
            manages = access.manages(actor, guild_id)
            found.append(GuildHere(guild_id=guild_id, name=presence.name or guild_id, manages=manages))
        return sorted(found, key=lambda each: (each.name.casefold(), each.guild_id))

    async def _present(self, guild_ids: Iterable[str]) -> dict[str, _Presence]:
        texts = await self._desk.reader.notes.some(GUILD, list(guild_ids))
        found = {guild_id: _presence(text) for guild_id, text in texts.items()}
        return {guild_id: presence for guild_id, presence in found.items() if presence.present}

    def _someone(self, known: Known, guild_id: str | None) -> Actor:
        if known.way != "discord":
            return Actor(kind="operator", id=known.who, guild_id=known.guild_id)
        return access.person(
            known.who, guild_id, known.guilds.get(guild_id or "", 0), owner=guild_id in known.owned,
            operates=known.who in self._operators,
        )  # fmt: skip

    # signing out

    async def mine(self, session: Session) -> list[Session]:
        """All sessions of the same holder that are not over, newest first."""
        now = self._desk.clock.now()
        rows = await self._desk.reader.sessions.of(session.known.holder)
        return [self._session(row, _known(row.document)) for row in reversed(rows) if row.until > now]

    async def end(self, session: Session, id: str | None = None) -> None:
        """A session is over: this one, or another one of the same holder. Raises NotFound, Unavailable."""
        ended = [each for each in await self.mine(session) if each.id == (id or session.id)]
        if not ended:
            raise NotFound("This session is over already.")

        async def unit(tx: Transaction) -> None:
            await tx.sessions.end([each.digest for each in ended])
            await self._note_end(tx, session, ended)

        await self._write(unit)

    async def end_all(self, session: Session) -> None:
        """Every session of the holder is over, this one too. Raises Unavailable."""

        async def unit(tx: Transaction) -> None:
            rows = await tx.sessions.of(session.known.holder)
            await tx.sessions.end_all(session.known.holder)
            await self._note_end(tx, session, [self._session(row, _known(row.document)) for row in rows])

        await self._write(unit)

    async def _note_end(self, tx: Transaction, session: Session, ended: Iterable[Session]) -> None:
        actor = self._someone(session.known, None)
        for each in ended:
            await self._note(tx, actor, Action.SESSION_END, each.id, each.known.guild_id)

    async def _note(
        self, tx: Transaction, actor: Actor, action: Action, target: str, guild_id: str | None, after: str | None = None
    ) -> None:
        await tx.notes.audit([self._desk.line(actor, action, target, guild_id, after=after)])

    async def _write(self, unit: Callable[[Transaction], Awaitable[Any]]) -> None:
        """Also while the disk is nearly full: who wants to be gone shall be."""
        try:
            await self._desk.ledger.write(unit)
        except StoreError as error:
            raise Unavailable(f"The store cannot take this now ({error}); try again in a moment.") from None

    def _session(self, row: SessionRow, known: Known) -> Session:
        operates = known.way != "discord" or known.who in self._operators
        return Session(
            digest=row.digest, id=row.id, begun=row.begun, used=row.used, until=row.until, known=known,
            operates=operates,
        )  # fmt: skip

"""The use cases about keys: who may connect, and as whom. And the coming and going of keys with the ledger.

A secret is never kept here. Of a token the ledger has its SHA-256, and a remembered answer has no token in it.
"""

from __future__ import annotations

from typing import Final

import msgspec
import structlog

from core.ledger.port import StoreClosed, StoreError, Transaction
from core.secret import new_token
from core.service import access
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.keyring import KeyRow, digest_of
from core.service.rules import RulesWatch, rules_change
from schedule_zero import requests as ask
from schedule_zero.actor import CORE, Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Invalid, NotFound, QuotaExceeded, Unauthorized
from schedule_zero.instant import DAY, MINUTE, parse_duration, spell
from schedule_zero.key import Key, KeyKind, KeyPage
from schedule_zero.schedule import MESSAGES

log = structlog.get_logger("schedule_zero.keys")

KEY: Final = "key"
VALID_FOR: Final = "PT1H"
LONGEST_VALID: Final = 30 * DAY
REVOKED_KEPT: Final = 30 * DAY
EXPIRED_KEPT: Final = DAY
MOST_KEYS: Final = 1000
LOOK_S: Final = 5.0
NOTE_EVERY: Final = MINUTE

_AT_THE_DOOR: Final = msgspec.structs.replace(CORE, via="zmq")
_encode: Final = msgspec.json.Encoder().encode
decode_key: Final = msgspec.json.Decoder(KeyRow).decode


class Keys:
    """Keys, for who runs the service, and for the operators of single guilds."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ring = desk.keyring

    # what people ask for

    async def new(self, actor: Actor, request: ask.NewKey) -> Key:
        """Make a key. Raises Forbidden, Invalid, Conflict, QuotaExceeded."""
        is_registration = request.register and request.role == "handler"
        (access.require_registration if is_registration else access.require_keys)(actor, request.guild_id)
        kind = _kind_of(request)
        if is_registration and actor.kind == "member" and request.name == MESSAGES:
            raise Invalid.at("name", f"{MESSAGES} posts messages, and is the bot's own; choose another name")
        now = self._desk.clock.now()
        if request.role == "handler" and self._desk.engine.serves(request.name):
            message = f"{request.name} is a handler of the core itself, and connects nowhere; choose another name"
            raise Invalid.at("name", message)
        row = KeyRow(
            id=self._desk.ids.make("key", now), name=request.name, role=request.role, kind=kind, created=now,
            created_by=actor.who, guild_id=request.guild_id, public=request.public, made_in=actor.guild_id,
            expires=now + _validity(request.valid_for or VALID_FOR) if kind == "registration" else None,
        )  # fmt: skip
        return await self._make(actor, request, row, Action.KEY_NEW, in_place=request.in_place)

    async def page(self, actor: Actor, request: ask.ListKeys) -> KeyPage:
        """The keys the actor may see."""
        guild_id, any_guild = access.visible_keys(actor, request.guild_id, any_guild=request.any_guild)
        now = self._desk.clock.now()
        found = [
            self._view(row, now)
            for row in self._ring.rows()
            if (any_guild or row.guild_id == guild_id) and (request.over or row.state(now) in ("active", "pending"))
        ]
        return KeyPage(items=tuple(found), server=self._ring.server)

    async def revoke(self, actor: Actor, request: ask.RevokeKey) -> Key:
        """End a key, at once and for good. What is revoked already stays as it is."""
        self._existing(actor, request.id)

        async def work(tx: Transaction, effects: Effects) -> Key:
            now = self._desk.clock.now()
            before = await _stored(tx, request.id)
            after = before
            if before.revoked is None:
                after = msgspec.structs.replace(before, revoked=now)
                await self._write(tx, effects, actor, Action.KEY_REVOKE, before, after)
            return self._view(after, now)

        return await self._desk.change(actor, request, Key, work)

    async def rotate(self, actor: Actor, request: ask.RotateKey) -> Key:
        """Another key for the same holder. Raises Conflict when this one is not in force, Invalid."""
        old = self._existing(actor, request.id)
        now = self._desk.clock.now()
        if old.state(now) != "active":
            raise Conflict(f"This key is {old.state(now)}; make a new one.")
        if (old.kind == "curve") != (request.public is not None):
            message = "is needed: the new key's public half" if request.public is None else "is not for a token"
            raise Invalid.at("public", message)
        row = KeyRow(
            id=self._desk.ids.make("key", now), name=old.name, role=old.role, kind=old.kind, created=now,
            created_by=actor.who, guild_id=old.guild_id, public=request.public, made_in=old.made_in,
        )  # fmt: skip
        return await self._make(actor, request, row, Action.KEY_ROTATE)

    async def _make(
        self, actor: Actor, request: ask.NewKey | ask.RotateKey, row: KeyRow, action: Action, *, in_place: bool = False
    ) -> Key:
        """Save a key, and with ``in_place`` end those of its holder that there are."""
        token = None if row.kind == "curve" and not self._shows_token(row) else new_token()
        row = msgspec.structs.replace(row, digest=None if token is None else digest_of(token))

        async def work(tx: Transaction, effects: Effects) -> Key:
            kept = [decode_key(text) for text in (await tx.notes.all(KEY)).values()]
            if row.public is not None and any(other.public == row.public for other in kept):
                raise Conflict("This public key is known here already, and stands for one holder; make another pair.")
            if sum(other.guild_id == row.guild_id and other.revoked is None for other in kept) >= MOST_KEYS:
                raise QuotaExceeded(
                    f"There are {MOST_KEYS:,} keys; revoke some to make room.", limit="keys", used=MOST_KEYS,
                    allowed=MOST_KEYS,
                )  # fmt: skip
            for other in kept if in_place else ():
                if other.revoked is None and _holder(other) == _holder(row):
                    ended = msgspec.structs.replace(other, revoked=row.created)
                    await self._write(tx, effects, actor, Action.KEY_REVOKE, other, ended)
            await self._write(tx, effects, actor, action, None, row)
            return self._view(row, row.created)

        keyless = self._keyless(row)
        made = await self._desk.change(actor, request, Key, work)
        if made.id == row.id:  # not remembered from an earlier request of the same idempotency key
            made.token, made.keyless = token, keyless or None
        return made

    def _keyless(self, row: KeyRow) -> int:
        """How many processes are here that this key asks for a key, and that have none."""
        there = () if row.reserves is None else self._desk.engine.fleet.instances(row.reserves)
        return sum(each.keyless for each in there)

    # what handlers ask for

    async def register(self, token: str, name: str, public: str) -> KeyRow:
        """Bind a public key to a handler's name; the registration is used up by the same transaction.

        Raises:
            Unauthorized: it is used, revoked or over, or meant for another name.
            Unavailable, StorageFull: the store cannot take it now.
        """
        now = self._desk.clock.now()
        row = self._ring.registration(token, now)
        if row is None or row.name != name:
            raise Unauthorized("this token is not known: it was used or revoked, or its time ran out")
        id, effects = row.id, Effects()

        async def work(tx: Transaction) -> KeyRow:
            effects.clear()
            rules_change(self._desk, tx)
            before = await _stored(tx, id)
            others = [decode_key(text) for text in (await tx.notes.all(KEY)).values()]
            if before.state(now) != "pending":
                raise Unauthorized("this token is used up")
            if any(other.public == public for other in others):
                raise Unauthorized(
                    "this public key is known here already, and stands for one holder; make another pair"
                )
            after = msgspec.structs.replace(before, kind="curve", public=public, expires=None, last_used=now)
            await self._write(tx, effects, _AT_THE_DOOR, Action.KEY_REGISTER, before, after, by=f"handler:{name}")
            return after

        after = await self._desk.write(work)
        self._ring.put(after)
        return after

    # the ledger and memory

    async def load(self) -> None:
        """Read every key there is; at start, and again and again: another core may have changed them."""
        version = self._ring.version
        stored = await self._desk.reader.notes.all(KEY)
        if version == self._ring.version:  # else they changed while they were read
            self._ring.load(decode_key(text) for text in stored.values())

    async def keep(self) -> None:
        """Keep memory and ledger together, until cancelled: what others changed, what was used, what is long over."""
        noted = self._desk.clock.now()
        rules = RulesWatch(self._desk)
        while True:
            await rules.change(LOOK_S)
            try:
                await self.load()
                now = self._desk.clock.now()
                if now - noted >= NOTE_EVERY:
                    noted = now
                    await self._note(now)
            except StoreClosed:
                return
            except StoreError as error:  # keys as they are known hold on
                log.warning("the store refused; keys are looked at again later", error=str(error))

    async def _note(self, now: int) -> None:
        """Write down when keys were used, and forget what is long over."""
        used = self._ring.unnoted()
        over = [row.id for row in self._ring.rows() if _is_long_over(row, now)]
        if not used and not over:
            return

        async def work(tx: Transaction) -> list[KeyRow]:
            changed = []
            for id, at in used.items():
                text = await tx.notes.get(KEY, id)
                if text is not None:
                    changed.append(msgspec.structs.replace(decode_key(text), last_used=at))
            documents: dict[str, str | None] = {row.id: _encode(row).decode() for row in changed}
            await tx.notes.put(KEY, {**documents, **dict.fromkeys(over)})
            return changed

        for row in await self._desk.ledger.write(work):
            self._ring.put(row)

    async def _write(
        self, tx: Transaction, effects: Effects, actor: Actor, action: Action, before: KeyRow | None, after: KeyRow,
        by: str | None = None,
    ) -> None:  # fmt: skip
        await tx.notes.put(KEY, {after.id: _encode(after).decode()})
        was, is_now = _for_audit(before), _for_audit(after)
        await tx.notes.audit([self._desk.line(actor, action, after.id, after.guild_id, was, is_now, by=by)])
        effects.keys.append(after)

    def _existing(self, actor: Actor, id: str) -> KeyRow:
        row = self._ring.row(id)
        if row is None or not access.may_see_key(actor, row.guild_id):
            raise NotFound(f"There is no key {id!r}; the list of keys shows what there is.")
        return row

    def _shows_token(self, row: KeyRow) -> bool:
        """Whether its holder comes to a plain door, where a public half proves nothing: beside a pair it gets a token."""
        return row.role == "handler" and not self._ring.handlers_encrypted

    def _view(self, row: KeyRow, now: int) -> Key:
        return Key(
            id=row.id, name=row.name, role=row.role, kind=row.kind, state=row.state(now), guild_id=row.guild_id,
            created=spell(row.created), created_by=row.created_by, public=row.public, expires=_spelt(row.expires),
            last_used=_spelt(self._ring.last_used(row)), revoked=_spelt(row.revoked),
            server=None if self._shows_token(row) else self._ring.server,
        )  # fmt: skip


async def _stored(tx: Transaction, id: str) -> KeyRow:
    text = await tx.notes.get(KEY, id)
    if text is None:
        raise NotFound(f"There is no key {id!r} any more.")
    return decode_key(text)


def _kind_of(request: ask.NewKey) -> KeyKind:
    """What kind of key is asked for. Raises Invalid."""
    if request.valid_for is not None and not request.register:
        message = (
            "is for a registration, and every other key is good until it is revoked; add register, or leave it out"
        )
        raise Invalid.at("valid_for", message)
    if not request.register:
        return "token" if request.public is None else "curve"
    if request.public is not None or request.role != "handler":
        message = "is for a handler that brings its own key: leave out public, and say role handler"
        raise Invalid.at("register", message)
    return "registration"


def _validity(text: str) -> int:
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise Invalid.at("valid_for", str(error)) from None
    if not 0 < length <= LONGEST_VALID:
        message = "must be more than nothing and at most P30D"
        raise Invalid.at("valid_for", message)
    return length


def _is_long_over(row: KeyRow, now: int) -> bool:
    if row.revoked is not None:
        return now - row.revoked > REVOKED_KEPT
    return row.kind == "registration" and row.expires is not None and now - row.expires > EXPIRED_KEPT


def _holder(row: KeyRow) -> tuple[str, str, str | None]:
    return row.name, row.role, row.guild_id


def _for_audit(row: KeyRow | None) -> str | None:
    return None if row is None else _encode(msgspec.structs.replace(row, digest=None)).decode()


def _spelt(instant: int | None) -> str | None:
    return None if instant is None else spell(instant)

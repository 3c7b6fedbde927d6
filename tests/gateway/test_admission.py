"""Who is let in at the handlers' door: real sockets, real keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from core.gateway.gateway import Gateway
from core.gateway.guard import GRACE_S, Guard
from core.gateway.pair import SECRET_FILE, ensure_pair
from core.listening import CannotListen
from core.service.keyring import Keyring
from schedule_zero.actor import Actor
from schedule_zero.errors import Unauthorized
from schedule_zero.key import Key
from schedule_zero.process.worker import Refused, Worker
from schedule_zero.run import RunState
from schedule_zero.transport import wire
from schedule_zero.transport.curve import Pair, new_pair
from schedule_zero.transport.keyfile import KeyFile
from tests.engine.conftest import Build
from tests.gateway.conftest import Door, Far
from tests.gateway.stranger import OFFER, StrangeHandler

pytestmark = pytest.mark.slow


@pytest.fixture
async def vault(build: Build) -> AsyncIterator[Door]:
    """A door that encrypts."""
    made = Door(await build(serve=False), "on")
    yield made
    await made.close()


def file_of(door: Door, pair: Pair | None = None, **fields: Any) -> KeyFile:
    """The key file of a handler that has this pair, or a new one."""
    pair = pair or new_pair()
    return msgspec.structs.replace(
        KeyFile(public=pair.public, secret=pair.secret, server=door.pair.public), **fields
    )  # fmt: skip


async def known(door: Door, name: str = "far", **options: Any) -> tuple[KeyFile, Key]:
    """A key file whose key the core knows, and that key."""
    keys = file_of(door)
    options = {"role": "handler", "public": keys.public, **options}
    return keys, await door.house.client.new_key(name, **options)


async def turned_away(door: Door, keys: KeyFile | None, **options: Any) -> str:
    """What a worker is told that is not let in."""
    with pytest.raises(Refused) as refused:
        async with asyncio.timeout(10):
            await Worker(Far(), door.address, keys=keys, **options).run()
    return refused.value.sentence


async def works(door: Door, **fields: Any) -> None:
    """A run is done by whoever came."""
    run = await door.house.run_now(await door.house.schedule(handler="far", **fields))
    assert (await door.house.ended(run.id)).state is RunState.SUCCEEDED


class Cipher(StrangeHandler):
    """A program that speaks the wire by hand, under CURVE."""

    def __init__(self, address: str, keys: KeyFile, route: bytes | None = None) -> None:
        self._keys = keys
        super().__init__(address, route or b"")

    def prepare(self, socket: zmq.Socket[bytes]) -> None:
        assert self._keys.public
        assert self._keys.secret
        assert self._keys.server
        socket.curve_publickey = self._keys.public.encode()
        socket.curve_secretkey = self._keys.secret.encode()
        socket.curve_serverkey = self._keys.server.encode()


@contextlib.asynccontextmanager
async def cipher(door: Door, keys: KeyFile, route: bytes | None = None) -> AsyncIterator[Cipher]:
    made = Cipher(door.address, keys, route)
    try:
        yield made
    finally:
        await made.close()


# ── encrypted ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_handler_whose_key_is_known_is_given_work(vault: Door) -> None:
    keys, key = await known(vault)
    await vault.come(keys=keys)
    await works(vault)
    assert vault.house.service.keyring.last_used(vault.house.service.keyring.row(key.id)) is not None  # type: ignore[arg-type]


async def test_an_unknown_key_is_turned_away_and_told_so(vault: Door) -> None:
    assert "does not admit this key" in await turned_away(vault, file_of(vault))


async def test_who_does_not_encrypt_is_turned_away_and_told_so(vault: Door) -> None:
    assert "wants encryption" in await turned_away(vault, None)


async def test_who_encrypts_at_a_plain_door_is_told_so(door: Door) -> None:
    assert "does not encrypt" in await turned_away(door, file_of(door))


@pytest.mark.parametrize(
    ("role", "words"), [("operator", "does not admit this key"), ("bot", "a handler needs one of role handler")]
)
async def test_a_key_of_another_role_opens_nothing_here(vault: Door, role: str, words: str) -> None:
    keys, _ = await known(vault, role=role)
    assert words in await turned_away(vault, keys)


async def test_a_bots_key_admits_the_handler_discord(vault: Door) -> None:
    keys, _ = await known(vault, role="bot")
    await vault.come(keys=keys, name="discord")


async def test_a_key_gives_its_own_name_and_no_other(vault: Door) -> None:
    keys, _ = await known(vault, "near")
    assert await turned_away(vault, keys) == "this key is another handler's than far; start it with --name near"


async def test_a_handler_with_a_routing_id_of_its_own_is_refused(vault: Door) -> None:
    keys, _ = await known(vault)
    async with cipher(vault, keys, b"mine") as chosen:
        chosen.say(wire.Hello("far", "i1", (1, 1), "by hand", [OFFER], 8, []))
        assert "sets no routing id" in (await chosen.hear(wire.Refuse)).reason


async def test_whoever_comes_to_an_old_route_with_another_key_is_not_its_user(vault: Door) -> None:
    """ZeroMQ gives a route to whoever asks for it once the first is gone; the key on the frame is another's."""
    (ours, _), (theirs, _) = await known(vault), await known(vault)
    async with cipher(vault, ours) as first:
        await first.greet()
        run = await vault.house.run_now(await vault.house.schedule(handler="far"))
        await first.hear(wire.Run)
    (peer,) = vault.gateway._peers.values()
    result = wire.write([wire.Result([wire.Ended(run.id, 1, "succeeded", '"stolen"')])])
    user = theirs.public

    class Frame:
        bytes = peer.route

        def get(self, _name: str) -> str | None:
            return user

    vault.gateway._take([[Frame(), result]])
    await vault.house.engine.settler.drain()
    assert (await vault.house.client.get_run(run.id)).state in (RunState.DISPATCHED, RunState.RUNNING)
    user = ours.public
    vault.gateway._take([[Frame(), result]])
    assert (await vault.house.ended(run.id)).result == "stolen"


# ── registration ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_registration_binds_a_pair_to_a_name_once(vault: Door) -> None:
    made = await vault.house.client.new_key("far", "handler", register=True, guild_id="1")
    keys = file_of(vault, token=made.token)
    worker, _ = await vault.come(keys=keys)
    await works(vault, guild_id="1")
    (bound,) = (await vault.house.client.list_keys(any_guild=True)).items
    assert (bound.id, bound.kind, bound.state, bound.public, bound.guild_id) == (
        made.id, "curve", "active", keys.public, "1",
    )  # fmt: skip
    await worker.drain()
    await vault.come(keys=keys)  # its own start after the first, with the same file
    assert "does not admit this key" in await turned_away(vault, file_of(vault, token=made.token))


async def test_of_two_that_come_with_one_registration_one_is_bound(vault: Door) -> None:
    made = await vault.house.client.new_key("far", "handler", register=True)
    assert made.token is not None
    await vault.house.client.new_key("other", "handler", register=True)  # the door stays open for strangers
    keys = vault.house.service.keys
    first, second = new_pair().public, new_pair().public
    results = await asyncio.gather(
        keys.register(made.token, "far", first), keys.register(made.token, "far", second), return_exceptions=True
    )
    bound = [row for row in results if not isinstance(row, BaseException)]
    assert [row.public for row in bound] == [first]
    assert isinstance(results[1], Unauthorized)
    with pytest.raises(Unauthorized):
        await keys.register(made.token, "far", second)
    used = await turned_away(vault, file_of(vault, token=made.token))
    assert "it was used or revoked" in used


async def test_a_registration_that_ran_out_or_was_revoked_lets_nobody_in(vault: Door) -> None:
    made = await vault.house.client.new_key("far", "handler", register=True, valid_for="PT10M")
    other = await vault.house.client.new_key("far", "handler", register=True)
    await vault.house.client.revoke_key(other.id)
    assert "it was used or revoked" in await turned_away(vault, file_of(vault, token=other.token))
    vault.house.clock.move(601)
    assert "does not admit this key" in await turned_away(vault, file_of(vault, token=made.token))
    (over,) = [key for key in (await vault.house.client.list_keys(over=True)).items if key.id == made.id]
    assert over.state == "expired"


async def test_a_registration_is_for_one_name_and_not_spent_on_another(vault: Door) -> None:
    made = await vault.house.client.new_key("near", "handler", register=True)
    refused = await turned_away(vault, file_of(vault, token=made.token))
    assert refused == "this token registers another handler than far"
    await vault.come(keys=file_of(vault, token=made.token), name="near")


async def test_a_stranger_is_heard_for_a_moment_and_only_to_register(vault: Door) -> None:
    await vault.house.client.new_key("far", "handler", register=True)
    async with cipher(vault, file_of(vault)) as stranger:
        stranger.say(wire.Beat([]))
        await stranger.hear(wire.Who)
        stranger.say(wire.Hello("far", "i1", (1, 1), "by hand", [OFFER], 8, []))
        assert "register it with a token" in (await stranger.hear(wire.Refuse)).reason
        vault.house.clock.move(GRACE_S + 1)
        stranger.say(wire.Beat([]))
        async with cipher(vault, (await known(vault))[0]) as friend:
            await friend.greet()
        assert stranger.heard.empty()


def knocks(door: Door, count: int) -> list[str]:
    """So many unknown keys are shown at the door; they are let in to register."""
    shown = [door.guard._judge(b"zmq.handlers", b"CURVE", [n.to_bytes(32, "big")]) for n in range(count)]
    return [public for public in shown if public is not None]


async def test_unknown_keys_by_the_thousand_keep_nobody_out_who_waits_to_register_or_comes_then(vault: Door) -> None:
    made, other = [await vault.house.client.new_key("far", "handler", register=True) for _ in range(2)]
    async with cipher(vault, file_of(vault)) as waiting:
        waiting.say(wire.Beat([]))
        await waiting.hear(wire.Who)
        assert len(knocks(vault, 20_000)) == 20_000
        await waiting.greet(token=made.token)
        async with cipher(vault, file_of(vault)) as late:
            await late.greet(token=other.token, instance="i2")


async def test_no_more_strangers_are_remembered_than_may_be_and_none_beyond_its_time(
    vault: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.gateway.guard.MOST_STRANGERS", 3)
    await vault.house.client.new_key("far", "handler", register=True)
    first, *others = knocks(vault, 4)
    assert [vault.guard.may_register(public) for public in (first, *others)] == [False, True, True, True]
    vault.house.clock.move(GRACE_S - 1)
    assert knocks(vault, 2)[1] == others[0]  # these come again
    vault.house.clock.move(2)
    assert knocks(vault, 1) == [first]
    assert list(vault.guard._strangers) == [others[0], first]


# ── revocation and rotation ────────────────────────────────────────────────────────────────────────────────────


async def test_a_key_that_is_revoked_cuts_its_holder_off_while_it_works(vault: Door) -> None:
    keys, key = await known(vault)
    async with cipher(vault, keys) as holder:
        await holder.greet()
        run = await vault.house.run_now(await vault.house.schedule(handler="far"))
        await holder.hear(wire.Run)
        await vault.house.client.revoke_key(key.id)
        refusal = await holder.hear(wire.Refuse)
        assert (refusal.reason, refusal.again) == ("the key of this handler was revoked", False)
        assert vault.house.engine.fleet.handlers()["far"] == []
        holder.say(wire.Result([wire.Ended(run.id, 1, "succeeded", '"late"')]), wire.Beat([(run.id, 1)]))
        holder.say(wire.Hello("far", "i1", (1, 1), "by hand", [OFFER], 8, [(run.id, 1)]))
        other, _ = await vault.come(keys=(await known(vault))[0])
        vault.house.pass_time(7)
        ended = await vault.house.ended(run.id)
        assert (ended.state, ended.attempt, ended.attempts[1].instance) == (
            RunState.SUCCEEDED, 2, f"far@{other.instance}",
        )  # fmt: skip
        assert holder.heard.empty()
    assert "does not admit this key" in await turned_away(vault, keys)


async def test_a_worker_whose_key_is_revoked_ends_with_the_cores_words(vault: Door) -> None:
    keys, key = await known(vault)
    worker, _ = await vault.come(keys=keys)
    running = vault._tasks[-1]
    await vault.house.client.revoke_key(key.id)
    with pytest.raises(Refused, match="the key of this handler was revoked"):
        async with asyncio.timeout(10):
            await running
    assert not worker.welcomed.is_set()


async def test_two_keys_of_one_name_are_good_until_the_older_is_revoked(vault: Door) -> None:
    old, key = await known(vault)
    fresh = file_of(vault)
    await vault.house.client.rotate_key(key.id, public=fresh.public)
    await vault.come(keys=old)
    newer, _ = await vault.come(keys=fresh)
    await vault.house.client.revoke_key(key.id)
    assert [one.name for one in vault.house.engine.fleet.handlers()["far"]] == [f"far@{newer.instance}"]
    await works(vault)


# ── plain ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_on_loopback_a_name_with_a_key_is_only_for_who_shows_it(door: Door) -> None:
    made = await door.house.client.new_key("far", "handler", guild_id="1")
    assert "the name far is for who holds a key" in await turned_away(door, None)
    assert "it was used or revoked" in await turned_away(door, None, token="sz_wrong")
    await door.come(token=made.token)
    await works(door, guild_id="1")
    await door.come(name="near")
    await door.house.client.revoke_key(made.id)
    assert door.house.engine.fleet.handlers()["far"] == []
    assert "it was used or revoked" in await turned_away(door, None, token=made.token)


async def test_a_token_gives_its_own_name_and_role(door: Door) -> None:
    near = await door.house.client.new_key("near", "handler")
    assert "start it with --name near" in await turned_away(door, None, token=near.token)
    operator = await door.house.client.new_key("far", "operator")
    assert "needs one of role handler" in await turned_away(door, None, token=operator.token)


async def test_on_loopback_a_registration_binds_the_public_key_that_hello_names(door: Door) -> None:
    made = await door.house.client.new_key("far", "handler", register=True)
    assert "there is none" in await turned_away(door, None, token=made.token)
    keys = file_of(door, server=None, token=made.token)
    worker, _ = await door.come(keys=keys)
    await worker.drain()
    await door.come(keys=keys)
    await works(door)
    assert "it was used or revoked" in await turned_away(door, file_of(door, server=None, token=made.token))
    assert "the name far is for who holds a key" in await turned_away(door, None)


async def test_on_loopback_a_pair_opens_with_the_token_that_came_with_it_also_when_it_was_rotated(door: Door) -> None:
    first = file_of(door, server=None)
    made = await door.house.client.new_key("far", "handler", public=first.public)
    assert made.server is None
    await door.come(keys=msgspec.structs.replace(first, token=made.token))
    second = file_of(door, server=None)
    again = await door.house.client.rotate_key(made.id, public=second.public)
    assert "the name far is for who holds a key" in await turned_away(door, second)
    assert "it was used or revoked" in await turned_away(door, msgspec.structs.replace(first, token=again.token))
    await door.come(keys=msgspec.structs.replace(second, token=again.token))
    await door.house.client.revoke_key(made.id)
    await works(door)


async def test_where_handlers_encrypt_a_pair_is_all_there_is(vault: Door) -> None:
    keys, key = await known(vault)
    assert (key.token, key.server) == (None, keys.server)
    assert (await vault.house.client.rotate_key(key.id, public=new_pair().public)).token is None


async def test_what_a_confined_operator_makes_keeps_no_name_from_others(door: Door) -> None:
    confined = door.house.client.acting_as(Actor(kind="operator", id="theirs", guild_id="2"))
    await confined.new_key("far", "handler", guild_id="2")
    await door.come()


# ── addresses ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_beyond_loopback_nothing_is_bound_without_encryption(door: Door) -> None:
    off = Guard(Keyring(), door.house.clock, new_pair(), "off")
    gateway = Gateway(door.house.engine, door.house.clock, off, door.house.service.keys.register)
    with pytest.raises(CannotListen, match=r"other machines, and zmq\.curve is off: set zmq\.handlers"):
        gateway.bind("tcp://0.0.0.0:*")
    await off.close()


async def test_loopback_has_two_families(build: Build) -> None:
    house = await build(serve=False)
    made = Door(house, address="tcp://[::1]:*")
    await made.come()
    await works(made)
    await made.close()


async def test_a_socket_file_is_for_its_owner_alone(build: Build, tmp_path: Path) -> None:
    place = tmp_path / "socket"
    before = os.umask(0)
    try:
        made = Door(await build(serve=False), address=f"ipc://{place}")
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    await made.come()
    await works(made)
    await made.close()


def test_the_cores_pair_is_made_once_and_its_secret_is_for_the_owner_alone(tmp_path: Path) -> None:
    pair = ensure_pair(tmp_path / "data")
    assert ensure_pair(tmp_path / "data") == pair
    path = tmp_path / "data" / SECRET_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert pair.secret not in repr(pair)
    path.write_text("nonsense")
    with pytest.raises(CannotListen, match=r"curve\.secret holds no CURVE key; put the right one back"):
        ensure_pair(tmp_path / "data")

"""Keys as records: made, listed, rotated and revoked; and no secret kept anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from core.ledger.notes import NoteChanges
from core.ledger.rows import AuditRow
from core.service import keys as keys_module
from core.service.keyring import Keyring, KeyRow, digest_of
from core.service.keys import EXPIRED_KEPT, KEY, REVOKED_KEPT
from schedule_zero.actor import MANAGE_GUILD, OPERATOR, Actor
from schedule_zero.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from schedule_zero.instant import SECOND
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.transport.curve import new_pair
from schedule_zero.trigger import DateTrigger
from tests.engine.house import House
from tests.service.people import ANNA, REMINDER, as_, member

PUBLIC = new_pair().public
CONFINED = Actor(kind="operator", id="theirs", guild_id="1")


async def test_a_token_is_given_once_and_only_its_digest_is_kept(house: House) -> None:
    made = await house.client.new_key("ci", "operator", key="k")
    assert made.token is not None
    assert house.service.keyring.api_actor(made.token) == Actor(kind="operator", id="ci")
    again = await house.client.new_key("ci", "operator", key="k")
    assert (again.id, again.token) == (made.id, None)
    (listed,) = (await house.client.list_keys()).items
    assert (listed.id, listed.token, listed.created_by) == (made.id, None, "operator:operator")
    stored = await house.ledger.reader.notes.all(KEY)
    assert made.token not in str(stored)
    assert digest_of(made.token) in str(stored)


async def test_every_change_is_audited_and_no_line_holds_a_secret(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[AuditRow] = []
    write = NoteChanges.audit

    async def noting(self: NoteChanges, rows: Sequence[AuditRow]) -> None:
        lines.extend(rows)
        await write(self, rows)

    monkeypatch.setattr(NoteChanges, "audit", noting)
    made = await house.client.new_key("far", "handler", register=True, guild_id="1")
    assert made.token is not None
    await house.service.keys.register(made.token, "far", PUBLIC)
    other = await house.client.rotate_key(made.id, public=new_pair().public)
    await as_(house, CONFINED).revoke_key(made.id)
    assert [(line.action, line.target, line.actor, line.guild_id) for line in lines] == [
        ("key.new", made.id, "operator:operator", "1"),
        ("key.register", made.id, "handler:far", "1"),
        ("key.rotate", other.id, "operator:operator", "1"),
        ("key.revoke", made.id, "operator:theirs", "1"),
    ]
    told = "".join(f"{line.before}{line.after}" for line in lines)
    assert made.token not in told
    assert digest_of(made.token) not in told
    assert PUBLIC in told


async def test_keys_are_there_again_after_a_start(house: House) -> None:
    token = await house.client.new_key("ci", "operator", guild_id="1")
    curve = await house.client.new_key("far", "handler", public=PUBLIC)
    gone = await house.client.new_key("old", "operator")
    await house.client.revoke_key(gone.id)
    await house.close()
    await house.open(run=False)
    await house.service.keys.load()
    ring = house.service.keyring
    assert token.token is not None
    assert gone.token is not None
    assert ring.api_actor(token.token) == Actor(kind="operator", id="ci", guild_id="1")
    assert ring.of_public(PUBLIC) == ring.row(curve.id)
    assert ring.identify(gone.token) is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "name: has to be a name of 1 to 64 letters, digits, points, dashes and underscores"),
        ({"name": "x" * 65}, "name: has to be a name"),
        ({"public": "short"}, "public: has to be a CURVE public key, which is 40 characters of Z85"),
        ({"public": '"' * 40}, "public: has to be a CURVE public key"),
        ({"register": True, "public": PUBLIC}, "register: is for a handler that brings its own key"),
        ({"register": True, "role": "operator"}, "register: is for a handler that brings its own key"),
        ({"valid_for": "PT1H"}, "valid_for: is for a registration, and every other key is good until it is revoked"),
        ({"register": True, "valid_for": "soon"}, "valid_for: "),
        ({"register": True, "valid_for": "PT0S"}, "valid_for: must be more than nothing and at most P30D"),
        ({"register": True, "valid_for": "P31D"}, "valid_for: must be more than nothing and at most P30D"),
        ({"name": "hands"}, "name: hands is a handler of the core itself, and connects nowhere; choose another name"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_field(house: House, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await house.client.new_key(**{"name": "far", "role": "handler", **fields})
    assert refused.value.sentence.startswith(said)


async def test_a_public_key_stands_for_one_holder_also_after_it_was_revoked(house: House) -> None:
    made = await house.client.new_key("far", "handler", public=PUBLIC)
    for _ in range(2):
        with pytest.raises(Conflict, match="stands for one holder"):
            await house.client.new_key("near", "handler", public=PUBLIC)
        await house.client.revoke_key(made.id)


async def test_rotation_makes_another_key_alike_and_both_are_good_until_one_is_revoked(house: House) -> None:
    old = await house.client.new_key("ci", "operator", guild_id="1")
    new = await house.client.rotate_key(old.id)
    assert (new.name, new.role, new.kind, new.guild_id) == (old.name, old.role, old.kind, old.guild_id)
    ring = house.service.keyring
    assert old.token is not None
    assert new.token is not None
    assert ring.api_actor(old.token) == ring.api_actor(new.token) == Actor(kind="operator", id="ci", guild_id="1")
    await house.client.revoke_key(old.id)
    assert ring.api_actor(old.token) is None
    assert ring.api_actor(new.token) is not None
    with pytest.raises(Conflict, match="revoked; make a new one"):
        await house.client.rotate_key(old.id)


async def test_a_pair_is_rotated_with_another_pair_and_a_token_without(house: House) -> None:
    pair = await house.client.new_key("far", "handler", public=PUBLIC)
    token = await house.client.new_key("far", "handler")
    pending = await house.client.new_key("far", "handler", register=True)
    with pytest.raises(Invalid, match="public: is needed"):
        await house.client.rotate_key(pair.id)
    with pytest.raises(Invalid, match="public: is not for a token"):
        await house.client.rotate_key(token.id, public=new_pair().public)
    with pytest.raises(Conflict, match="pending; make a new one"):
        await house.client.rotate_key(pending.id)


async def test_revoking_twice_is_the_same_as_once(house: House) -> None:
    made = await house.client.new_key("ci", "operator")
    first = await house.client.revoke_key(made.id)
    house.clock.move(60)
    second = await house.client.revoke_key(made.id)
    assert (first.state, first.revoked) == (second.state, second.revoked)
    with pytest.raises(NotFound):
        await house.client.revoke_key("key_unknown")


async def test_what_is_over_is_listed_when_it_is_asked_for(house: House) -> None:
    revoked = await house.client.new_key("a", "operator")
    await house.client.revoke_key(revoked.id)
    await house.client.new_key("b", "handler", register=True)
    lasting = await house.client.new_key("c", "operator", guild_id="1")
    house.clock.move(3601)
    assert [key.id for key in (await house.client.list_keys(any_guild=True)).items] == [lasting.id]
    states = {key.name: key.state for key in (await house.client.list_keys(any_guild=True, over=True)).items}
    assert states == {"a": "revoked", "b": "expired", "c": "active"}
    assert [key.name for key in (await house.client.list_keys(over=True)).items] == ["a", "b"]
    assert [key.name for key in (await house.client.list_keys(guild_id="1")).items] == ["c"]


@pytest.mark.parametrize("actor", [ANNA, member("admin", permissions=MANAGE_GUILD)])
async def test_keys_are_no_business_of_members(house: House, actor: Actor) -> None:
    made = await house.client.new_key("ci", "operator", guild_id="1")
    client = as_(house, actor)
    for asking in (client.new_key("x", "operator", guild_id="1"), client.list_keys(guild_id="1")):
        with pytest.raises(Forbidden):
            await asking
    for asking in (client.revoke_key(made.id), client.rotate_key(made.id)):
        with pytest.raises(NotFound):
            await asking


@pytest.mark.parametrize("guild_id", ["2", None])
async def test_who_is_confined_makes_keys_for_their_own_guild_only(house: House, guild_id: str | None) -> None:
    with pytest.raises(Forbidden, match="confined to its server"):
        await as_(house, CONFINED).new_key("x", "operator", guild_id=guild_id)


async def test_there_are_so_many_keys_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "MOST_KEYS", 2)
    made = [await house.client.new_key("x", "operator", guild_id="1") for _ in range(2)]
    with pytest.raises(QuotaExceeded, match="revoke some"):
        await house.client.new_key("x", "operator", guild_id="1")
    await house.client.new_key("x", "operator", guild_id="2")
    await house.client.revoke_key(made[0].id)
    await house.client.new_key("x", "operator", guild_id="1")


async def test_what_another_core_changed_is_known_and_a_change_of_ones_own_is_never_undone(house: House) -> None:
    made = await house.client.new_key("ci", "operator")
    assert made.token is not None
    ring, keys = house.service.keyring, house.service.keys
    row = ring.row(made.id)
    assert row is not None
    elsewhere = msgspec.structs.replace(row, revoked=house.clock.now())

    async def unit(tx: Any) -> None:
        await tx.notes.put(KEY, {row.id: msgspec.json.encode(elsewhere).decode()})

    await house.ledger.write(unit)
    await keys.load()
    assert ring.identify(made.token) is None
    other = await house.client.new_key("other", "operator")
    assert other.token is not None
    reading = asyncio.create_task(keys.load())  # reads, and meanwhile the key is revoked
    await asyncio.sleep(0)
    fresh = ring.row(other.id)
    assert fresh is not None
    ring.put(msgspec.structs.replace(fresh, revoked=1))
    await reading
    assert ring.identify(other.token) is None


async def test_use_is_noted_and_what_is_long_over_is_forgotten(house: House) -> None:
    ring, keys = house.service.keyring, house.service.keys
    used = await house.client.new_key("used", "handler")
    revoked = await house.client.new_key("revoked", "operator")
    await house.client.revoke_key(revoked.id)
    await house.client.new_key("expired", "handler", register=True)
    row = ring.row(used.id)
    assert row is not None
    ring.note_use(row, house.clock.now())
    await keys._note(house.clock.now())
    stored = await house.ledger.reader.notes.all(KEY)
    assert len(stored) == 3
    assert '"last_used"' in stored[used.id]
    for seconds, left in ((EXPIRED_KEPT // SECOND + 3601, 2), (REVOKED_KEPT // SECOND, 1)):
        house.clock.move(seconds)
        await keys._note(house.clock.now())
        assert len(await house.ledger.reader.notes.all(KEY)) == left


async def test_a_persons_zone_does_not_show_in_what_a_confined_key_makes(house: House) -> None:
    await house.client.set_user_timezone("anna", "Pacific/Chatham")
    spec = ScheduleSpec(
        handler="discord", method="send_dm", args={"user_id": "anna", "content": "x"}, guild_id="1", metadata=REMINDER,
        owner_id="anna", trigger=DateTrigger(at="2026-03-09T09:00"),
    )  # fmt: skip
    assert (await house.client.create_schedule(spec)).timezone == "Pacific/Chatham"
    assert (await as_(house, CONFINED).create_schedule(spec)).timezone == "UTC"


def test_the_keyring_knows_each_key_by_what_is_shown_of_it_and_forgets_at_once() -> None:
    ring = Keyring()
    changes: list[int] = []
    ring.on_change(lambda: changes.append(ring.version))
    common = {"role": "handler", "created": 0, "created_by": "x"}
    token = KeyRow(id="key_1", name="a", kind="token", digest=digest_of("t"), **common)  # type: ignore[arg-type]
    curve = KeyRow(id="key_2", name="b", kind="curve", public="p", digest=digest_of("r"), **common)  # type: ignore[arg-type]
    ring.load([token, curve])
    ring.load([token, curve])
    assert changes == [1]
    assert (ring.identify("t"), ring.identify("r"), ring.identify("key_1")) == (token, None, None)
    assert (ring.of_public("p"), ring.registered("r", "p"), ring.registered("t", "p")) == (curve, curve, None)
    assert (ring.registered("r", None), ring.registered("r", "q"), ring.api_actor("t")) == (None, None, None)
    ring.put(msgspec.structs.replace(token, revoked=1))
    assert ring.identify("t") is None
    assert (ring.is_valid("key_1"), ring.is_valid("key_2"), ring.reserves("a"), ring.reserves("b")) == (
        False, True, False, True,
    )  # fmt: skip
    ring.trust("file")
    assert ring.api_actor("file") == OPERATOR
    assert [row.id for row in ring.rows()] == ["key_1", "key_2"]


@pytest.mark.parametrize(
    ("role", "scope", "actor", "answer"),
    [
        ("bot", None, member("anna", "1"), True),
        ("bot", "1", member("anna", "1"), True),
        ("bot", "2", member("anna", "1"), False),
        ("bot", "1", member("anna", None), False),
        ("bot", None, OPERATOR, False),
        ("operator", None, member("anna", "1"), False),
        ("handler", None, member("anna", "1"), False),
    ],
)
def test_only_a_bot_speaks_for_members_and_only_where_it_may(
    role: Any, scope: str | None, actor: Actor, answer: bool
) -> None:
    row = KeyRow(id="k", name="n", role=role, kind="token", created=0, created_by="x", guild_id=scope)
    assert row.may_speak_for(actor) is answer


async def test_who_manages_a_guild_lets_handlers_of_its_own_connect_and_nothing_else(house: House) -> None:
    admin = as_(house, member("admin", permissions=MANAGE_GUILD))
    made = await admin.new_key("ours", "handler", guild_id="1", register=True)
    row = house.service.keyring.row(made.id)
    assert made.token is not None
    assert row is not None
    assert (row.guild_id, row.kind, row.reserves) == ("1", "registration", None)
    for asking in (
        admin.new_key("ours", "handler", guild_id="2", register=True), admin.new_key("ours", "handler", register=True),
        admin.new_key("ours", "handler", guild_id="1"), admin.new_key("ours", "bot", guild_id="1"),
        as_(house, ANNA).new_key("ours", "handler", guild_id="1", register=True),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            await asking
    with pytest.raises(Invalid, match="the bot's own"):
        await admin.new_key("discord", "handler", guild_id="1", register=True)


async def test_a_key_made_in_place_ends_those_of_its_holder_alone(house: House) -> None:
    old = await house.client.new_key("ours", "handler", guild_id="1", register=True)
    others = [
        await house.client.new_key("ours", "handler", guild_id="2", register=True),
        await house.client.new_key("theirs", "handler", guild_id="1", register=True),
    ]
    await house.client.new_key("ours", "handler", guild_id="1", register=True)
    new = await house.client.new_key("ours", "handler", guild_id="1", register=True, in_place=True)
    states = {key.id: key.state for key in (await house.client.list_keys(any_guild=True, over=True)).items}
    assert states[old.id] == "revoked"
    assert [states[key.id] for key in (*others, new)] == ["pending"] * 3
    assert list(states.values()).count("revoked") == 2

"""Who is signed in: known by a secret that nobody keeps, for a time, and as what they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from core.ledger.notes import NoteChanges
from core.ledger.rows import AuditRow
from core.service import sessions as module
from core.service.service import Service
from core.service.sessions import IDLE, LINK, LINK_FOR, LONGEST, MOST, NOTE_EVERY, Session, TheirGuilds
from schedule_zero import requests as ask
from schedule_zero.actor import ADMINISTRATOR, MANAGE_GUILD, MANAGE_MESSAGES, OPERATOR, Actor
from schedule_zero.errors import Forbidden, Gone, NotFound
from schedule_zero.instant import SECOND
from tests.engine.house import House
from tests.service.people import ANNA, as_

TOKEN = "sz_a token"
ANNAS = {"1": MANAGE_GUILD, "2": 0, "3": ADMINISTRATOR}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[AuditRow]:
    """The audit lines that are written."""
    noted: list[AuditRow] = []
    write = NoteChanges.audit

    async def noting(self: NoteChanges, rows: Sequence[AuditRow]) -> None:
        noted.extend(rows)
        await write(self, rows)

    monkeypatch.setattr(NoteChanges, "audit", noting)
    return noted


async def signed_in(
    house: House, who: str = "anna", guilds: dict[str, int] = ANNAS, owned: tuple[str, ...] = ()
) -> tuple[str, Session]:
    secret = await house.service.sessions.by_discord(who, who.title(), TheirGuilds(guilds, owned), "Firefox", "")
    return secret, await known(house, secret)


async def known(house: House, secret: str) -> Session:
    found = await house.service.sessions.find(secret)
    assert found is not None
    return found


async def bot_is_in(house: House, *guild_ids: str) -> None:
    for guild_id in guild_ids:
        await house.client.note_guild(guild_id, f"Server {guild_id}")


async def test_a_session_outlives_the_core_and_is_known_at_another(house: House) -> None:
    secret, session = await signed_in(house)
    other = Service(house.engine, dict)
    assert (await other.sessions.find(secret)) == session
    await house.close()
    await house.open(run=False)
    assert await known(house, secret) == session


@pytest.mark.parametrize("secret", ["", "x", "x" * 10_000, "\0", "\ud800", "ü"])
async def test_a_made_up_secret_is_nobodys(house: House, secret: str) -> None:
    await signed_in(house)
    assert await house.service.sessions.find(secret) is None


async def test_a_session_ends_unused_after_hours_and_used_after_days(house: House) -> None:
    unused, _ = await signed_in(house)
    used, _ = await signed_in(house)
    hours = IDLE // SECOND
    for _ in range(LONGEST // IDLE - 1):
        house.clock.move(hours - 1)
        assert (await known(house, used)).known.name == "Anna"
    assert await house.service.sessions.find(unused) is None
    house.clock.move(2 * hours)
    assert await house.service.sessions.find(used) is None


async def test_use_is_written_down_now_and_then_and_never_brings_a_session_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, session = await signed_in(house)
    assert (await known(house, secret)).used == session.used
    house.clock.move(NOTE_EVERY // SECOND + 1)
    await known(house, secret)
    later = await known(house, secret)
    assert later.used > session.used
    assert later.until > session.until
    await house.service.sessions.end(later)
    await house.service.sessions.note_guilds(later, TheirGuilds())
    assert await house.service.sessions.find(secret) is None


async def test_who_signs_out_is_out_with_that_browser_alone_or_with_all(house: House) -> None:
    secrets = [(await signed_in(house))[0] for _ in range(3)]
    stranger, _ = await signed_in(house, "ben")
    sessions = house.service.sessions
    first = await known(house, secrets[0])
    assert [each.id for each in await sessions.mine(first)][-1] == first.id
    second = await known(house, secrets[1])
    await sessions.end(first, second.id)
    assert [await sessions.find(each) is None for each in secrets] == [False, True, False]
    with pytest.raises(NotFound):
        await sessions.end(first, second.id)
    with pytest.raises(NotFound):
        await sessions.end(first, (await known(house, stranger)).id)
    await sessions.end_all(first)
    assert [await sessions.find(each) for each in secrets] == [None, None, None]
    assert await sessions.find(stranger) is not None


async def test_a_browser_that_signs_in_again_is_not_signed_in_twice(house: House) -> None:
    before, _ = await signed_in(house)
    await house.service.sessions.by_discord("ben", "Ben", TheirGuilds(), "", before)
    assert await house.service.sessions.find(before) is None


async def test_sessions_of_one_person_do_not_pile_up(house: House) -> None:
    secrets = [(await signed_in(house))[0] for _ in range(MOST + 2)]
    found = [await house.service.sessions.find(secret) is not None for secret in secrets]
    assert found == [False] * 2 + [True] * MOST


async def test_sessions_that_ran_out_are_swept_away(house: House) -> None:
    await signed_in(house)
    house.clock.move(IDLE // SECOND + 1)
    await house.engine.janitor.sweep()
    assert await house.ledger.reader.sessions.of("discord:anna") == []


async def test_everything_about_sessions_leaves_a_line(house: House, lines: list[AuditRow]) -> None:
    house.service.keyring.trust(TOKEN)
    _, session = await signed_in(house)
    link = await house.client.new_sign_in()
    assert link.path is not None
    await house.service.sessions.by_link(link.path.partition("code=")[2], "", "")
    await house.service.sessions.end_all(session)
    assert [(line.action, line.actor) for line in lines] == [
        ("session.begin", "member:anna"),
        ("sign_in.new", "operator:operator"),
        ("session.begin", "operator:operator"),
        ("session.end", "member:anna"),
    ]


# what somebody is


async def test_a_person_is_who_discord_says_where_a_request_is_about(house: House) -> None:
    await bot_is_in(house, "1", "2")
    _, session = await signed_in(house)
    sessions = house.service.sessions

    async def who(request: ask.Request) -> Actor:
        return await sessions.actor(session, request)

    assert await who(ask.GetGuildSettings(guild_id="1")) == Actor(
        kind="member", id="anna", guild_id="1", permissions=MANAGE_GUILD
    )
    assert await who(ask.GetGuildSettings(guild_id="2")) == Actor(kind="member", id="anna", guild_id="2")
    outside = Actor(kind="member", id="anna")
    for request in (ask.GetGuildSettings(guild_id="3"), ask.GetGuildSettings(guild_id="4"), ask.GetStatus()):
        assert await who(request) == outside, "the bot is not there, or the person is not"
    run = await house.run_now(await house.schedule(guild_id="1"))
    assert (await who(ask.GetRun(id=run.id))).guild_id == "1"
    assert (await who(ask.PauseSchedule(id=run.schedule_id))).guild_id == "1"
    assert await who(ask.GetRun(id="run_x")) == outside


async def test_a_guild_that_the_bot_left_or_took_the_role_from_is_nothing_any_more(house: House) -> None:
    await bot_is_in(house, "1")
    _, session = await signed_in(house)
    sessions = house.service.sessions
    assert [(each.guild_id, each.name, each.manages) for each in await sessions.guilds(session)] == [
        ("1", "Server 1", True)
    ]
    fewer = await sessions.note_guilds(session, TheirGuilds({"1": 0}))
    assert (await sessions.actor_in(fewer, "1")).permissions == 0
    assert not (await sessions.guilds(fewer))[0].manages
    gone = await sessions.note_guilds(session, TheirGuilds())
    assert (await sessions.actor_in(gone, "1")).guild_id is None
    await house.client.note_guild("1", "Server 1", present=False)
    assert (await sessions.actor_in(session, "1")).guild_id is None
    assert await sessions.guilds(session) == []


async def test_who_owns_a_guild_at_discord_is_its_owner_here_until_discord_says_otherwise(house: House) -> None:
    await bot_is_in(house, "1", "2")
    _, session = await signed_in(house, owned=("1", "9"))
    sessions = house.service.sessions

    async def owns(session: Session, guild_id: str) -> bool:
        return (await sessions.actor(session, ask.EraseGuild(guild_id=guild_id))).owner

    assert [await owns(session, guild_id) for guild_id in ("1", "2", "9")] == [True, False, False]
    for guild_id, error in (("2", Forbidden), ("9", NotFound)):
        asked = ask.EraseGuild(guild_id=guild_id)
        with pytest.raises(error):
            await house.service.handle(await sessions.actor(session, asked), asked)
    given_away = await sessions.note_guilds(session, TheirGuilds(ANNAS))
    assert not await owns(given_away, "1")
    asked = ask.EraseGuild(guild_id="1")
    with pytest.raises(Forbidden, match="is for its owner"):
        await house.service.handle(await sessions.actor(given_away, asked), asked)
    await house.client.note_guild("1", "Server 1", present=False)
    assert not await owns(session, "1"), "the bot is not there any more"


async def test_who_the_configuration_names_operates_the_service_however_they_come(house: House) -> None:
    service = Service(house.engine, dict, operator_ids=("anna",))
    secret, _ = await signed_in(house)
    session = await service.sessions.find(secret)
    assert session is not None
    assert session.operates
    assert await service.sessions.actor(session, ask.GetStatus()) == Actor(kind="operator", id="anna")
    plain = await known(house, secret)
    assert not plain.operates
    assert (await house.service.sessions.actor(plain, ask.GetStatus())).kind == "member"


async def test_rights_are_asked_for_anew_when_they_are_minutes_old(house: House) -> None:
    _, session = await signed_in(house)
    sessions = house.service.sessions
    assert not sessions.is_stale(session)
    house.clock.move(module.FRESH_FOR // SECOND + 1)
    assert sessions.is_stale(session)
    assert not sessions.is_stale(await sessions.note_guilds(session, TheirGuilds(ANNAS)))
    house.service.keyring.trust(TOKEN)
    token = await sessions.by_token(TOKEN, "", "")
    assert token is not None
    house.clock.move(module.FRESH_FOR // SECOND + 1)
    assert not sessions.is_stale(await known(house, token))


# by a token


async def test_a_session_by_a_token_is_that_tokens_and_ends_with_it(house: House) -> None:
    made = await house.client.new_key("ci", "operator", guild_id="1")
    assert made.token is not None
    secret = await house.service.sessions.by_token(made.token, "curl", "")
    assert secret is not None
    session = await known(house, secret)
    assert await house.service.sessions.actor(session, ask.GetGuildSettings(guild_id="2")) == Actor(
        kind="operator", id="ci", guild_id="1"
    )
    await house.client.revoke_key(made.id)
    assert await house.service.sessions.find(secret) is None


async def test_no_other_token_opens_a_session(house: House) -> None:
    bot = await house.client.new_key("shard", "bot")
    assert bot.token is not None
    for token in ("", "sz_other", bot.token):
        assert await house.service.sessions.by_token(token, "", "") is None


# by a link


async def test_a_link_signs_in_once_as_who_made_it(house: House) -> None:
    house.service.keyring.trust(TOKEN)
    link = await house.client.new_sign_in(key="k")
    again = await house.client.new_sign_in(key="k")
    assert (again.id, again.path) == (link.id, None)
    assert link.path is not None
    code = link.path.partition("code=")[2]
    secret = await house.service.sessions.by_link(code, "", "")
    assert await house.service.sessions.actor(await known(house, secret), ask.GetStatus()) == OPERATOR
    with pytest.raises(Gone, match="used already"):
        await house.service.sessions.by_link(code, "", "")


async def test_of_many_who_open_a_link_at_once_one_is_signed_in(house: House) -> None:
    house.service.keyring.trust(TOKEN)
    code = str((await house.client.new_sign_in()).path).partition("code=")[2]
    opened = await asyncio.gather(
        *(house.service.sessions.by_link(code, "", "") for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(each, str) for each in opened) == 1
    assert sum(isinstance(each, Gone) for each in opened) == 19


async def test_a_link_is_good_for_five_minutes_and_no_longer_than_who_made_it(house: House) -> None:
    house.service.keyring.trust(TOKEN)
    old = str((await house.client.new_sign_in()).path).partition("code=")[2]
    house.clock.move(LINK_FOR // SECOND + 1)
    with pytest.raises(Gone, match="five minutes are over"):
        await house.service.sessions.by_link(old, "", "")
    await house.client.new_sign_in()
    assert len(await house.ledger.reader.notes.all(LINK)) == 1, "what is over goes when another is made"
    key = await house.client.new_key("ci", "operator")
    theirs = await as_(house, Actor(kind="operator", id="ci")).new_sign_in()
    secret = await house.service.sessions.by_link(str(theirs.path).partition("code=")[2], "", "")
    unused = await as_(house, Actor(kind="operator", id="ci")).new_sign_in()
    await house.client.revoke_key(key.id)
    assert await house.service.sessions.find(secret) is None
    with pytest.raises(Gone):
        await house.service.sessions.by_link(str(unused.path).partition("code=")[2], "", "")


async def test_who_holds_no_operators_token_makes_no_link(house: House) -> None:
    house.service.keyring.trust(TOKEN)
    await house.client.new_key("shard", "bot")
    for actor in (ANNA, Actor(kind="operator", id="shard"), Actor(kind="operator", id="operator", guild_id="1")):
        with pytest.raises(Forbidden):
            await as_(house, actor).new_sign_in()


async def test_a_confined_operators_link_is_confined(house: House) -> None:
    await house.client.new_key("theirs", "operator", guild_id="1")
    confined = Actor(kind="operator", id="theirs", guild_id="1")
    link = await as_(house, confined).new_sign_in()
    secret = await house.service.sessions.by_link(str(link.path).partition("code=")[2], "", "")
    assert await house.service.sessions.actor(await known(house, secret), ask.GetStatus()) == confined


async def test_a_moderator_sees_by_the_session_what_they_see_in_discord(house: House) -> None:
    await bot_is_in(house, "1", "2")
    schedule = await house.schedule(guild_id="1")
    elsewhere = await house.schedule(guild_id="2")
    _, session = await signed_in(house, "mod", {"1": MANAGE_MESSAGES})
    sessions = house.service.sessions
    seen = ask.GetSchedule(id=schedule.id)
    assert (await house.service.handle(await sessions.actor(session, seen), seen)) == await house.client.get_schedule(
        schedule.id
    )
    for request in (ask.GetSchedule(id=elsewhere.id), ask.ListRuns(guild_id="2"), ask.GetGuildSettings(guild_id="2")):
        with pytest.raises(NotFound):
            await house.service.handle(await sessions.actor(session, request), request)

"""A guild is verified by a code that its manager entered there, once and within five tries, or by an operator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from core.governor.settings import GovernorSettings
from core.ledger.notes import NoteChanges
from core.ledger.port import StoreError
from schedule_zero import requests as ask
from schedule_zero.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from tests.engine.house import House
from tests.service.people import ADMIN, ANNA, MOD, OWNER, STRANGER, as_, member

Build = Callable[..., Awaitable[House]]
UNVERIFIED = GovernorSettings()


async def test_a_code_from_the_dashboard_verifies_the_guild_once(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    code = (await as_(house, OWNER).new_verification("1")).code
    assert code is not None
    verified = await as_(house, ADMIN).verify_guild("1", code.lower())
    assert verified.plan == "verified"
    assert verified.verified is not None
    assert verified.verified.by == "member:admin"
    await house.heard("guild.verified")
    with pytest.raises(Invalid, match="not the code of this server"):
        await as_(house, ADMIN).verify_guild("1", code)
    with pytest.raises(Conflict):
        await as_(house, OWNER).new_verification("1")


async def test_a_code_is_worth_nothing_elsewhere_later_or_after_five_wrong_ones(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    here, there = as_(house, OWNER), as_(house, member("boss", "3", OWNER.permissions))
    code = (await here.new_verification("1")).code
    with pytest.raises(Invalid):
        await there.verify_guild("3", code)
    house.pass_time(15 * 60 + 1)
    with pytest.raises(Invalid):
        await here.verify_guild("1", code)
    code = (await here.new_verification("1")).code
    for _ in range(4):
        with pytest.raises(Invalid, match="not the code of this server, or too old"):
            await here.verify_guild("1", "WRONG")
    with pytest.raises(Invalid, match=r"none is good any more: .* sign in at the dashboard for a new one"):
        await here.verify_guild("1", "WRONG")
    with pytest.raises(Invalid, match="none is good any more"):
        await here.verify_guild("1", code)
    assert (await here.guild_quota("1")).plan == "unverified"


async def test_a_code_holds_over_a_restart_and_is_kept_as_a_hash(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    code = (await as_(house, OWNER).new_verification("1")).code
    assert code is not None
    assert code not in str(await house.ledger.reader.notes.all("verification"))
    await house.close()
    house = await build(governor=UNVERIFIED)
    assert (await as_(house, ADMIN).verify_guild("1", code)).plan == "verified"


async def test_a_code_is_used_up_with_the_verification_or_not_at_all(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(governor=UNVERIFIED)
    code = (await as_(house, OWNER).new_verification("1")).code

    async def refuse(_notes: NoteChanges, _rows: object) -> None:
        raise StoreError("the disk is away")

    with monkeypatch.context() as trouble:
        trouble.setattr(NoteChanges, "audit", refuse)  # what the verification writes behind what became of the code
        with pytest.raises(Unavailable, match="the disk is away"):
            await as_(house, ADMIN).verify_guild("1", code)
    await house.kill()
    house = await build(governor=UNVERIFIED)
    assert (await as_(house, OWNER).guild_quota("1")).plan == "unverified"
    assert (await as_(house, ADMIN).verify_guild("1", code)).plan == "verified"


async def test_a_wrong_try_counts_whatever_follows_and_changes_nothing_else(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    code = (await as_(house, OWNER).new_verification("1")).code
    wrong = ask.VerifyGuild(guild_id="1", code="WRONG", idempotency_key="k")
    for _ in range(4):  # asked again under its key, a wrong one is looked at again: nothing of it is remembered
        with pytest.raises(Invalid, match="or too old"):
            await as_(house, ADMIN).send(wrong)
    assert await house.ledger.reader.notes.all("measures") == {}
    assert [line.action for line in (await house.client.list_audit(guild_id="1")).items] == ["guild.code"]
    await house.kill()
    house = await build(governor=UNVERIFIED)
    with pytest.raises(Invalid, match="none is good any more"):
        await as_(house, ADMIN).verify_guild("1", "WRONG")
    with pytest.raises(Invalid, match="none is good any more"):
        await as_(house, ADMIN).verify_guild("1", code)


async def test_of_many_tries_at_once_five_count(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    code = (await as_(house, OWNER).new_verification("1")).code
    tries = (*[f"WRONG{number}" for number in range(5)], code)
    refused = await asyncio.gather(
        *(as_(house, ADMIN).verify_guild("1", each) for each in tries), return_exceptions=True
    )
    assert [type(each) for each in refused] == [Invalid] * 6
    assert (await as_(house, OWNER).guild_quota("1")).plan == "unverified"


async def test_a_verification_that_is_asked_for_again_under_its_key_is_answered_as_before(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    code = (await as_(house, OWNER).new_verification("1")).code
    asked = ask.VerifyGuild(guild_id="1", code=code, idempotency_key="k")
    first, again = [await as_(house, ADMIN).send(asked) for _ in range(2)]
    assert first == again


async def test_a_code_is_for_who_manages_the_guild(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    for actor in (ANNA, MOD):
        with pytest.raises(Forbidden):
            await as_(house, actor).new_verification("1")
    with pytest.raises(NotFound):
        await as_(house, STRANGER).new_verification("1")
    with pytest.raises(Forbidden):
        await as_(house, OWNER).verify_guild("1")


async def test_an_operator_verifies_without_a_code_and_takes_no_better_plan_away(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    await house.client.change_guild_quota("1", {"plan": "trusted"})
    assert (await house.client.verify_guild("1", by="discord:eve")).plan == "trusted"

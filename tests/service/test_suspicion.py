"""Who does what spammers do is slowed down for a time, hears why, loses nothing, and is let go by an operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.governor.measures import ForATime, Mark, Stored
from core.governor.settings import GovernorSettings, GuildQuota, Plan, Quota, SuspicionSettings
from core.ledger.port import StoreError
from core.service.suspicion import BY, HOUR_S, MINUTE_S, Watch, is_slowed, lifted, slowed, tells
from schedule_zero import Handler, method
from schedule_zero.errors import Reject
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from tests.engine.house import House

Build = Callable[..., Awaitable[House]]
RULES = SuspicionSettings(new_schedules=3, mass_mentions=2, links=3, refused=4)
OPEN = Plan(running=9, schedules=100)


def args(content: str = "x", mentions: Any = ()) -> str:
    return msgspec.json.encode({"channel_id": "7", "content": content, "mentions": mentions}).decode()


# ── the rules ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mentions", [["@everyone"], ["@here"], ["<@&123456789012345678>"], ["<@1>"] * 10])
def test_everyone_a_role_or_ten_people_are_masses(mentions: list[str]) -> None:
    assert tells(args(mentions=mentions)) == (True, False)


@pytest.mark.parametrize("mentions", [[], ["<@123456789012345678>"], ["<@1>"] * 9, "@everyone", None, [7]])
def test_a_few_people_are_no_masses(mentions: Any) -> None:
    assert tells(args(mentions=mentions)) == (False, False)


@pytest.mark.parametrize(
    "content", ["see https://x.example", "HTTP://x", "join discord.gg/abc", "discord.com/invite/x"]
)
def test_addresses_and_invitations_are_links(content: str) -> None:
    assert tells(args(content)) == (False, True)


@pytest.mark.parametrize("content", ["x", "discord.com/channels/1", "at 9:30", 7, None])
def test_other_words_are_none(content: Any) -> None:
    assert tells(args(content)) == (False, False)


def test_many_schedules_in_a_minute_are_told_and_as_many_over_a_longer_time_are_not() -> None:
    watch = Watch(RULES)
    assert watch.made(2, 0.0) is None
    assert watch.made(1, MINUTE_S + 1) is None
    assert watch.made(1, MINUTE_S + 2) is None
    found = watch.made(1, MINUTE_S + 3)
    assert found is not None
    assert (found.rule, found.words) == ("new_schedules", "made 3 schedules within a minute")


def test_masses_and_links_count_by_the_hour() -> None:
    watch = Watch(RULES)
    assert [watch.sent(args(mentions=["@here"]), now) for now in (0.0, HOUR_S + 1)] == [None, None]
    found = watch.sent(args(mentions=["@here"]), HOUR_S + 2)
    assert found is not None
    assert found.rule == "mass_mentions"
    watch = Watch(RULES)
    linked = [watch.sent(args("https://x"), now) for now in (0.0, 1.0, 2.0)]
    assert [each and each.rule for each in linked] == [None, None, "links"]


def test_refusals_count_only_where_fewer_went_out() -> None:
    watch = Watch(RULES)
    for now in range(4):
        watch.sent(args(), float(now))
    assert [watch.refused(float(now)) for now in range(10)] == [None] * 10
    watch = Watch(RULES)
    refused = [watch.refused(float(now)) for now in range(4)]
    assert [each and each.rule for each in refused] == [None, None, None, "refused"]


def test_a_rule_that_is_off_is_never_met() -> None:
    watch = Watch(SuspicionSettings(new_schedules=None, mass_mentions=None, links=None, refused=None))
    assert watch.made(1000, 0.0) is None
    assert [watch.sent(args("https://x", ["@everyone"]), 0.0) or watch.refused(0.0) for _ in range(200)] == [None] * 200


def test_slowing_down_only_ever_lowers() -> None:
    low = Quota(running=0, rate="1/h", sends_per_channel="1/d", dms_per_hour=0)
    assert slowed(low) == GuildQuota()
    assert slowed(Quota()) == GuildQuota(running=1, rate="2/min", sends_per_channel="1/min", dms_per_hour=1)


def test_lifting_leaves_what_others_set() -> None:
    theirs, ours = ForATime(GuildQuota(running=5), 10, "operator:eve"), ForATime(GuildQuota(running=1), 10, BY)
    stored = Stored(for_a_time=(theirs, ours), verified=Mark(1, "x"))
    assert (is_slowed(stored), is_slowed(lifted(stored))) == (True, False)
    assert lifted(stored) == Stored(for_a_time=(theirs,), verified=Mark(1, "x"))


# ── the watcher ────────────────────────────────────────────────────────────────────────────────────────────────


class Post(Handler):
    """As the handler ``discord``; a channel 0 there is not."""

    name = "discord"

    @method()
    async def send_message(self, channel_id: str, content: str = "x", mentions: list[str] = []) -> None:  # noqa: B006
        if channel_id == "0":
            raise Reject("there is no such channel")


async def watched(build: Build, rules: SuspicionSettings = RULES, **settings: Any) -> House:
    house = await build(governor=GovernorSettings(plans={"unverified": OPEN}, suspicion=rules, **settings))
    house.engine.serve(Post())
    return house


async def message(house: House, guild_id: str = "1", **fields: Any) -> Schedule:
    return await house.schedule(
        handler="discord", method="send_message", guild_id=guild_id, args={"channel_id": "7", **fields},
        policy={"overlap": "allow"},
    )  # fmt: skip


async def slow(house: House, guild_id: str = "1") -> bool:
    await house.service.suspicions.turn()
    return any(each.by == BY for each in (await house.client.guild_quota(guild_id)).temporary)


async def test_a_suspected_guild_is_slowed_down_hears_of_it_and_keeps_all_it_has(build: Build) -> None:
    house = await watched(build)
    made = [await message(house) for _ in range(2)]
    assert not await slow(house)
    made.append(await message(house))
    assert await slow(house)
    quota = await house.client.guild_quota("1")
    assert (quota.limits["running"], quota.limits["rate"], quota.origins["running"]) == (1, "2/min", "temporary")
    event = await house.heard("quota.reached", guild_id="1", limit="suspicion")
    assert (event.data["rule"], event.data["words"]) == ("new_schedules", "made 3 schedules within a minute")
    [line] = (await house.client.list_audit(guild_id="1", action="guild.suspect")).items
    assert line.actor == "core:suspicion"
    for schedule in made:
        assert (await house.client.get_schedule(schedule.id)).state == "active"
    assert not await slow(house, "2")


async def test_it_ends_by_itself_after_a_day(build: Build) -> None:
    house = await watched(build)
    for _ in range(3):
        await message(house)
    assert await slow(house)
    house.pass_time(86_401)
    await house.service.measures.turn()
    assert (await house.client.guild_quota("1")).limits["running"] == 9


async def test_an_operator_lifts_it_by_setting_any_limit_and_what_was_counted_is_forgotten(build: Build) -> None:
    house = await watched(build)
    for _ in range(3):
        await message(house)
    assert await slow(house)
    lifted = await house.client.change_guild_quota("1", {})
    assert (lifted.temporary, lifted.limits["running"]) == ((), 9)
    await message(house)
    assert not await slow(house)


@pytest.mark.parametrize(
    ("fields", "times", "rule"),
    [
        ({"content": "hi", "mentions": ["@everyone"]}, 2, "mass_mentions"),
        ({"content": "https://x.example"}, 3, "links"),
        ({"channel_id": "0"}, 4, "refused"),
    ],
)
async def test_what_messages_are_and_how_they_end_is_seen(
    build: Build, fields: dict[str, Any], times: int, rule: str
) -> None:
    house = await watched(build)
    schedule = await message(house, **fields)
    for turn in range(times):
        assert not await slow(house)
        run = await house.ended((await house.run_now(schedule)).id)
        assert run.state is (RunState.FAILED if rule == "refused" else RunState.SUCCEEDED), turn
    assert await slow(house)
    assert (await house.heard("quota.reached", limit="suspicion")).data["rule"] == rule


async def test_verified_guilds_and_other_plans_are_not_watched(build: Build) -> None:
    house = await watched(build, guilds={"2": GuildQuota(plan="trusted")})
    await house.client.verify_guild("1")
    for guild_id in ("1", "2"):
        for _ in range(4):
            await message(house, guild_id)
        assert not await slow(house, guild_id)


async def test_whom_the_store_could_not_note_is_slowed_down_later(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await watched(build)
    for _ in range(3):
        await message(house)

    async def refuse(*_: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as trouble:
        trouble.setattr(house.service.suspicions._slows, "slow_down", refuse)
        with pytest.raises(StoreError):
            await house.service.suspicions.turn()
    assert await slow(house)

"""What a guild sets, and what comes of it: roles, mentions, channels, the defaults of schedules, dates; and taking it back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from core.ledger.notes import NoteChanges
from core.ledger.rows import AuditRow
from schedule_zero.actor import MANAGE_GUILD, MANAGE_MESSAGES, MENTION_EVERYONE, Actor
from schedule_zero.closings import CalendarDays
from schedule_zero.errors import Conflict, Forbidden, Gone, Invalid, NotFound
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger, DateTrigger, TextTrigger
from tests.engine.house import House
from tests.service.people import ADMIN, ANNA, BEN, MOD, OPERATOR, OWNER, STRANGER, as_, post, remind

Build = Callable[..., Awaitable[House]]
CREW, TEAM, RAIDERS = "901", "902", "903"


def holding(actor: Actor, *roles: str) -> Actor:
    return msgspec.structs.replace(actor, roles=roles)


async def put(house: House, **changes: Any) -> Any:
    return await house.client.change_guild_settings("1", changes)


def named(error: pytest.ExceptionInfo[Invalid]) -> str:
    return error.value.errors[0].field


# ── the document ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_setting_has_a_default_that_is_marked_and_comes_back_with_null(house: House) -> None:
    changes: dict[str, Any] = {
        "timezone": "Europe/Rome", "locale": "DE", "hour24": False, "default_time": "07:30", "ephemeral": False,
        "channels": {"log": "5", "allow": ["7"], "deny": ["8"]}, "roles": {"manager": [CREW], "member": [TEAM]},
        "mentions": {"everyone": "off", "roles": "listed", "listed": [RAIDERS], "max": 3},
        "policy": {"catchup": "skip", "dst": "literal", "month_end": "last"},
        "retention": {"history_days": 7, "delete_on_leave": True},
    }  # fmt: skip
    before = await house.client.guild_settings("1")
    assert set(before.defaults) == set(changes)
    changed = await put(house, **changes)
    seen = msgspec.json.decode(msgspec.json.encode(changed))
    for name, value in changes.items():
        wanted = "de" if name == "locale" else value
        assert seen[name] == (seen[name] | wanted if isinstance(wanted, dict) else wanted)
    assert set(changed.defaults) == {"channels.default", "channels.review", "channels.failures"}
    back = await put(house, **dict.fromkeys(changes))
    assert msgspec.structs.replace(back, undo=None) == before


async def test_a_group_is_changed_in_part_and_the_parts_nobody_set_are_marked(house: House) -> None:
    await put(house, mentions={"max": 3})
    changed = await put(house, mentions={"everyone": "off"})
    assert (changed.mentions.max, changed.mentions.everyone, changed.mentions.roles) == (3, "off", "managers")
    assert "mentions.roles" in changed.defaults
    assert not {"mentions", "mentions.max", "mentions.everyone"} & set(changed.defaults)
    cleared = await put(house, mentions={"max": None, "everyone": None})
    assert "mentions" in cleared.defaults
    assert cleared.mentions.max == 20


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"locale": "xx"}, "locale", "'xx' is no language of Discord's; write one such as en-GB, en-US or de"),
        ({"mentions": {"max": 21}}, "mentions.max", "has to be at most 20"),
        ({"mentions": {"max": -1}}, "mentions.max", "has to be at least 0"),
        ({"mentions": {"everyone": "all"}}, "mentions.everyone", "off"),
        ({"roles": {"owner": ["1"]}}, "roles.owner", "is not known here"),
        ({"roles": {"manager": ["1"]}}, "roles.manager", "everybody cannot manage here"),
        ({"roles": {"manager": [str(n) for n in range(26)]}}, "roles.manager", "a list of at most 25 ids"),
        ({"policy": {"dst": "never"}}, "policy.dst", "debian"),
        ({"retention": {"history_days": 0}}, "retention.history_days", "at least 1"),
        ({"channels": {"allow": ["7"], "deny": ["7"]}}, "channels.deny", "<#7> stands in allow as well"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_its_place_and_nothing_is_saved(
    house: House, changes: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await put(house, hour24=False, **changes)
    assert named(caught) == field
    assert says in caught.value.errors[0].message
    assert (await house.client.guild_settings("1")).hour24


async def test_what_is_contradictory_only_with_what_is_set_already_is_refused_too(house: House) -> None:
    await put(house, channels={"allow": ["7"]})
    with pytest.raises(Invalid, match="stands in allow as well"):
        await put(house, channels={"deny": ["7", "8"]})
    assert (await put(house, channels={"deny": ["7", "8"], "allow": None})).channels.deny == ("7", "8")


async def test_settings_of_an_older_version_that_are_none_any_more_are_passed_over(build: Build) -> None:
    house = await build(run=False)
    note = '{"name":"Tea","present":true,"mentions_everyone":false,"mention_roles":[],"ephemeral":true,"hour24":false}'
    await house.ledger.write(lambda tx: tx.notes.put("guild", {"1": note}))
    settings = await house.client.guild_settings("1")
    assert (settings.hour24, settings.mentions.everyone) == (False, "managers")
    await put(house, hour24=None)
    assert (await house.ledger.reader.notes.all("guild"))["1"].count("Tea") == 1


async def test_a_change_leaves_one_audit_line_with_what_was_and_what_is_and_no_change_leaves_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[AuditRow] = []
    write = NoteChanges.audit

    async def noting(notes: NoteChanges, lines: Sequence[AuditRow]) -> None:
        rows.extend(lines)
        await write(notes, lines)

    monkeypatch.setattr(NoteChanges, "audit", noting)
    actor = as_(house, ADMIN)
    await actor.change_guild_settings("1", {"hour24": False})
    again = await actor.change_guild_settings("1", {"hour24": False})
    assert again.undo is None
    (row,) = rows
    assert (row.action, row.actor, row.guild_id) == ("guild.settings", "member:admin", "1")
    assert (row.before, row.after) == ("{}", '{"hour24":false}')


async def test_roles_and_channels_in_another_order_are_no_change_and_can_be_taken_back(house: House) -> None:
    wanted: dict[str, Any] = {
        "roles": {"manager": ["5", "6"], "member": ["7"]}, "channels": {"deny": ["8", "9"]},
        "mentions": {"roles": "listed", "listed": ["5", "6"]},
    }  # fmt: skip
    first = await put(house, **wanted)
    turned: dict[str, Any] = {
        "roles": {"manager": ["6", "5"]}, "channels": {"deny": ["9", "8"]}, "mentions": {"listed": ["6", "5"]},
    }  # fmt: skip
    again = await put(house, **turned)
    assert again.undo is None
    assert again.roles.manager == ("5", "6")
    assert len((await house.client.list_audit(guild_id="1")).items) == 1
    await put(house, hour24=False, **turned)  # written in that order, and still the same lists
    assert first.undo is not None
    assert (await house.client.undo_guild_settings("1", first.undo.token)).roles.manager == ()


# ── taking back ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_change_is_taken_back_once_and_that_can_be_taken_back_as_well(house: House) -> None:
    client = as_(house, ADMIN)
    await client.change_guild_settings("1", {"timezone": "Asia/Tokyo"})
    changed = await client.change_guild_settings("1", {"timezone": "Europe/Rome", "channels": {"log": "5"}})
    assert changed.undo is not None
    back = await client.undo_guild_settings("1", changed.undo.token)
    assert (back.timezone, back.channels.log) == ("Asia/Tokyo", None)
    with pytest.raises(Gone, match="once"):
        await client.undo_guild_settings("1", changed.undo.token)
    assert back.undo is not None
    assert (await client.undo_guild_settings("1", back.undo.token)).timezone == "Europe/Rome"


async def test_what_was_changed_again_since_is_not_taken_back_and_what_else_was_changed_stays(house: House) -> None:
    first = await put(house, timezone="Asia/Tokyo", mentions={"max": 3})
    await put(house, hour24=False, mentions={"everyone": "off"})
    assert first.undo is not None
    back = await house.client.undo_guild_settings("1", first.undo.token)
    assert (back.timezone, back.hour24, back.mentions.max, back.mentions.everyone) == ("UTC", False, 20, "off")
    second = await put(house, timezone="Asia/Tokyo", mentions={"max": 3})
    await put(house, mentions={"max": 4})
    assert second.undo is not None
    with pytest.raises(Conflict, match="changed again since then; set them as they should be"):
        await house.client.undo_guild_settings("1", second.undo.token)
    assert (await house.client.guild_settings("1")).timezone == "Asia/Tokyo"


async def test_taking_back_leaves_alone_what_is_no_setting(house: House) -> None:
    changed = await put(house, hour24=False)
    await house.client.note_guild("1", "Tea house")
    assert changed.undo is not None
    await house.client.undo_guild_settings("1", changed.undo.token)
    assert "Tea house" in (await house.ledger.reader.notes.all("guild"))["1"]


async def test_a_token_is_good_for_15_minutes_in_its_own_guild_and_for_those_who_may_change_settings(
    house: House,
) -> None:
    changed = await put(house, hour24=False)
    assert changed.undo is not None
    token = changed.undo.token
    for actor, guild, refusal in ((MOD, "1", Forbidden), (STRANGER, "1", NotFound), (STRANGER, "2", Gone)):
        with pytest.raises(refusal):
            await as_(house, actor).undo_guild_settings(guild, token)
    with pytest.raises(Gone):
        await house.client.undo(token)
    schedule = await post(house, MOD)
    assert schedule.undo is not None
    with pytest.raises(Gone):
        await house.client.undo_guild_settings("1", schedule.undo.token)
    house.clock.move(901)
    with pytest.raises(Gone, match="too late"):
        await house.client.undo_guild_settings("1", token)


# ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_manager_role_does_with_everybodys_schedules_and_jobs_what_the_permissions_do(house: House) -> None:
    theirs, job = await post(house, MOD), await house.schedule(owner_id="mod")
    manager = holding(ANNA, "900", CREW)
    with pytest.raises(NotFound):
        await as_(house, manager).get_schedule(theirs.id)
    await put(house, roles={"manager": [CREW]})
    client = as_(house, manager)
    assert (await client.pause_schedule(theirs.id)).state == "paused"
    assert (await client.resume_schedule(theirs.id)).state == "active"
    assert (await client.run_schedule(job.id)).schedule_id == job.id
    assert (await client.list_schedules(guild_id="1")).items
    assert (await client.list_events(guild_id="1")).items
    assert (await post(house, manager)).owner_id == "anna"
    await client.put_calendar("1", "ours", CalendarDays(dates=("12-24",)))


async def test_a_manager_role_changes_no_settings_and_makes_no_keys(house: House) -> None:
    await put(house, roles={"manager": [CREW]})
    client = as_(house, holding(ANNA, CREW))
    with pytest.raises(Forbidden, match="takes the permission Manage Server"):
        await client.change_guild_settings("1", {"hour24": False})
    with pytest.raises(Forbidden):
        await client.new_key("x", "handler", guild_id="1", register=True)


async def test_a_manager_role_counts_in_its_own_guild_alone_and_only_while_it_is_named_and_held(house: House) -> None:
    await put(house, roles={"manager": [CREW]})
    here, elsewhere = await post(house, MOD), await post(house, STRANGER)
    with pytest.raises(NotFound):
        await as_(house, holding(ANNA, CREW)).get_schedule(elsewhere.id)
    with pytest.raises(NotFound):
        await as_(house, holding(msgspec.structs.replace(ANNA, guild_id="2"), CREW)).get_schedule(here.id)
    with pytest.raises(NotFound):
        await as_(house, ANNA).get_schedule(here.id)
    await put(house, roles={"manager": None})
    with pytest.raises(NotFound):
        await as_(house, holding(ANNA, CREW)).get_schedule(here.id)


async def test_nobody_says_of_themselves_what_they_are(house: House) -> None:
    theirs = await post(house, MOD)
    with pytest.raises(NotFound):
        await as_(house, msgspec.structs.replace(ANNA, standing="manager")).get_schedule(theirs.id)
    with pytest.raises(Forbidden):
        await post(house, msgspec.structs.replace(ANNA, standing="member"))


async def test_a_member_role_schedules_messages_of_its_own_and_sees_nobody_elses(house: House) -> None:
    theirs = await post(house, MOD)
    member = holding(ANNA, TEAM)
    with pytest.raises(Forbidden, match="takes the permission Manage Messages"):
        await post(house, member)
    await put(house, roles={"member": [TEAM]})
    own = await post(house, member)
    client = as_(house, member)
    assert (await client.run_schedule(own.id)).schedule_id == own.id
    assert [item.id for item in (await client.list_schedules(guild_id="1")).items] == [own.id]
    with pytest.raises(NotFound):
        await client.pause_schedule(theirs.id)
    with pytest.raises(Forbidden, match="Work for other programs takes the permission Manage Server"):
        await client.create_schedule(
            ScheduleSpec(handler="hands", method="work", trigger=DateTrigger(at=house.clock.in_s(900)), guild_id="1")
        )
    await put(house, roles={"member": []})
    with pytest.raises(Forbidden):
        await client.run_schedule(own.id)
    assert (await client.delete_schedule(own.id)).state == "deleted"


async def test_everybody_may_schedule_where_the_role_of_everybody_may(house: House) -> None:
    await put(house, roles={"member": ["1"]})
    assert (await post(house, BEN)).owner_id == "ben"


async def test_nobody_gives_to_roles_what_they_do_not_hold(house: House) -> None:
    both = msgspec.structs.replace(ADMIN, permissions=MANAGE_GUILD | MANAGE_MESSAGES)
    for who, role in (("manager", CREW), ("member", TEAM)):
        with pytest.raises(Forbidden, match="takes the permission Manage Messages as well"):
            await as_(house, ADMIN).change_guild_settings("1", {"roles": {who: [role]}})
        changed = await as_(house, both).change_guild_settings("1", {"roles": {who: [role]}})
        assert getattr(changed.roles, who) == (role,)
    taken = await as_(house, ADMIN).change_guild_settings("1", {"roles": {"manager": []}})
    assert taken.roles.manager == ()
    assert taken.undo is not None
    with pytest.raises(Forbidden, match="takes the permission Manage Messages as well"):
        await as_(house, ADMIN).undo_guild_settings("1", taken.undo.token)


# ── mentions ──────────────────────────────────────────────────────────────────────────────────────────────────


async def mentioning(house: House, actor: Actor, *mentions: str, **fields: Any) -> Any:
    args = {"channel_id": "7", "content": "hello", "mentions": list(mentions)}
    return await post(house, actor, args=args, **fields)


@pytest.mark.parametrize(
    ("settings", "mentions", "manager", "member"),
    [
        ({}, ["@everyone"], None, "let only those who manage here mention everyone"),
        ({}, [f"<@&{CREW}>"], None, "let only those who manage here mention roles"),
        ({}, ["<@123456789012345678>"], None, None),
        ({"everyone": "off"}, ["@here"], "let no schedule mention everyone", "let no schedule mention everyone"),
        ({"roles": "off"}, [f"<@&{CREW}>"], "let no schedule mention a role", "let no schedule mention a role"),
        ({"roles": "listed", "listed": [CREW]}, [f"<@&{CREW}>"], None, None),
        ({"roles": "listed", "listed": [CREW]}, [f"<@&{TEAM}>"], "mention only <@&901>", "mention only <@&901>"),
        ({"roles": "listed"}, [f"<@&{TEAM}>"], "mention no role, for none is listed", "for none is listed"),
        ({"max": 1}, ["<@1>", "<@2>"], "2 mentions are too many; this server's settings allow at most 1", "at most 1"),
        ({"max": 0}, ["<@1>"], "allow none in a message", "allow none in a message"),
    ],
)
async def test_whom_a_message_may_mention_is_judged_when_it_is_made(
    house: House, settings: dict[str, Any], mentions: list[str], manager: str | None, member: str | None
) -> None:
    await put(house, mentions=settings, roles={"member": [TEAM]})
    for actor, refusal in ((OPERATOR, manager), (MOD, manager), (holding(ANNA, TEAM), member)):
        if refusal is None:
            assert (await mentioning(house, actor, *mentions, guild_id="1")).args["mentions"] == mentions
            continue
        with pytest.raises(Invalid) as caught:
            await mentioning(house, actor, *mentions, guild_id="1")
        assert named(caught) == "args.mentions"
        assert refusal in caught.value.errors[0].message


async def test_listing_roles_for_everybody_takes_the_right_to_mention_them(house: House) -> None:
    may = msgspec.structs.replace(ADMIN, permissions=MANAGE_GUILD | MENTION_EVERYONE)
    wish = {"mentions": {"roles": "listed", "listed": [CREW]}}
    with pytest.raises(Forbidden, match="takes the permission Mention Everyone"):
        await as_(house, ADMIN).change_guild_settings("1", wish)
    assert (await as_(house, may).change_guild_settings("1", wish)).mentions.listed == (CREW,)
    fewer = await as_(house, ADMIN).change_guild_settings("1", {"mentions": {"listed": []}})
    assert fewer.mentions.listed == ()


async def test_a_change_to_something_else_does_not_ask_anew_whom_it_mentions(house: House) -> None:
    schedule = await mentioning(house, MOD, "@everyone")
    await put(house, mentions={"everyone": "off"}, channels={"deny": ["7"]})
    assert (await as_(house, MOD).patch_schedule(schedule.id, {"name": "other"})).name == "other"
    changed = {"args": {"channel_id": "7", "content": "new", "mentions": ["@everyone"]}}
    with pytest.raises(Invalid) as caught:
        await as_(house, MOD).patch_schedule(schedule.id, changed)
    assert {error.field for error in caught.value.errors} == {"args.channel_id", "args.mentions"}


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("channels", "refusal"),
    [
        ({"deny": ["7"]}, "this server's settings let no schedule post in <#7>"),
        ({"allow": ["8", "9"]}, "this server's settings let schedules post in <#8>, <#9> only"),
        ({"allow": ["1", "2", "3", "4", "5"]}, "let schedules post in <#1>, <#2>, <#3> and 2 more only"),
        ({"allow": ["7"]}, None),
        ({"deny": ["8"]}, None),
    ],
)
async def test_where_schedules_may_post_is_judged_when_they_are_made(
    house: House, channels: dict[str, Any], refusal: str | None
) -> None:
    await put(house, channels=channels)
    for actor in (MOD, OPERATOR):
        if refusal is None:
            await post(house, actor, guild_id="1")
            continue
        with pytest.raises(Invalid) as caught:
            await post(house, actor, guild_id="1")
        assert (named(caught), refusal in caught.value.sentence) == ("args.channel_id", True)
    assert (await remind(house, ANNA)).method == "send_dm"
    assert (await post(house, OPERATOR, guild_id="2")).guild_id == "2"


# ── the defaults of schedules ─────────────────────────────────────────────────────────────────────────────────


async def test_a_guilds_policy_is_taken_where_a_schedule_says_nothing_and_stays_with_it(house: House) -> None:
    wish = {"catchup": "skip", "dst": "literal", "month_end": "last"}
    cron = CronTrigger(expression="0 9 31 * *")
    older = await house.schedule(cron)
    await put(house, policy=wish)
    renamed = await house.client.patch_schedule(older.id, {"name": "older"})
    assert renamed.policy == older.policy
    made = await house.schedule(cron)
    assert msgspec.to_builtins(made.policy) | wish == msgspec.to_builtins(made.policy)
    own = await house.schedule(cron, policy={"catchup": "all"})
    assert (own.policy.catchup, own.policy.dst) == ("all", "literal")
    elsewhere = await house.schedule(cron, guild_id="2")
    assert (elsewhere.policy.catchup, elsewhere.policy.dst, elsewhere.policy.month_end) == ("once", "debian", "skip")
    await put(house, policy={"catchup": "all", "dst": None, "month_end": None})
    assert (await house.client.get_schedule(made.id)).policy == made.policy
    renamed = await house.client.patch_schedule(elsewhere.id, {"name": "renamed"})
    assert renamed.policy == elsewhere.policy
    renamed = await house.client.patch_schedule(made.id, {"name": "renamed too"})
    assert (renamed.policy.catchup, renamed.policy.dst, renamed.policy.month_end) == ("skip", "literal", "last")


async def test_a_guilds_policy_is_heeded_in_previews_and_readings_as_it_is_in_schedules(house: House) -> None:
    await put(house, policy={"month_end": "skip", "dst": "literal"})
    text = TextTrigger(text="every month on the 31st at 9:00", timezone="Europe/Berlin")
    made = await house.schedule(text)
    preview = await house.client.preview(text, timezone="Europe/Berlin", n=5, guild_id="1")
    read = await house.client.read_time(text.text, timezone="Europe/Berlin", guild_id="1")
    assert read.month_end == "skip"
    fires = [fire.local for fire in preview.fires]
    assert fires == [fire.local for fire in read.fires] == list(made.next_fire_times)
    assert {fire[8:10] for fire in fires} == {"31"}


# ── dates ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("de", "Friday 3 April 2026 at 09:00"),
        ("en-US", "Wednesday March 4 2026 at 09:00"),
        ("ja", "Wednesday March 4 2026 at 09:00"),
    ],
)
async def test_a_language_says_how_figures_of_a_date_are_read_and_how_dates_are_said(
    house: House, locale: str, words: str
) -> None:
    with pytest.raises(Invalid, match="can be read in more than one way"):
        await house.client.read_time("03/04", guild_id="1")
    await put(house, locale=locale)
    read = await house.client.read_time("03/04", guild_id="1")
    assert read.words == words
    assert (await house.schedule(TextTrigger(text="03/04"))).words == words
    assert (await house.client.suggest_times("when", "03/04", guild_id="1")).items[0].name == words
    await put(house, locale=None)
    with pytest.raises(Invalid, match="can be read in more than one way"):
        await house.client.read_time("03/04", guild_id="1")


async def test_the_clock_of_a_guild_is_said_in_words(house: House) -> None:
    await put(house, hour24=False, locale="en-US")
    made = await house.schedule(TextTrigger(text="tomorrow at 17:30"))
    assert made.words.endswith("2026 at 5:30pm")


async def test_the_owner_of_a_guild_may_set_all_of_it(house: House) -> None:
    wish: dict[str, Any] = {"roles": {"manager": [CREW]}, "mentions": {"roles": "listed", "listed": [TEAM]}}
    changed = await as_(house, OWNER).change_guild_settings("1", wish)
    assert (changed.roles.manager, changed.mentions.listed) == ((CREW,), (TEAM,))

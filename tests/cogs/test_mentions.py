"""Mentions: off unless listed, and only what the author may make (complaint 16)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogs.channels import missing_to_post, named
from cogs.mentions import Mentions, UnreadableMention, may_make, parse, split

IDS = st.integers(10**16, 10**19)
TOKENS = st.one_of(IDS.map(lambda n: f"<@{n}>"), IDS.map(lambda n: f"<@&{n}>"), st.sampled_from(["@everyone", "@here"]))


@given(st.lists(TOKENS, max_size=20), st.sampled_from([" ", ", ", "", "\n"]))
def test_what_is_typed_comes_back_as_a_list_without_repeats(tokens: list[str], between: str) -> None:
    assert split(between.join(tokens)) == tuple(dict.fromkeys(tokens))


def test_a_nickname_mention_is_the_same_person() -> None:
    assert split("<@!123456789012345678>") == ("<@123456789012345678>",)


@pytest.mark.parametrize("text", ["everyone", "<@abc>", "<@123456789012345678> and Bob", "@Bob"])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnreadableMention, match="`mentions` holds"):
        split(text)


def test_more_than_twenty_are_refused() -> None:
    text = " ".join(f"<@{10**17 + number}>" for number in range(21))
    with pytest.raises(UnreadableMention, match="names 21; at most 20"):
        split(text)


def test_only_what_is_listed_may_be_mentioned() -> None:
    allowed = parse(["<@123456789012345678>", "<@&223456789012345678>"]).allowed().to_dict()
    assert allowed["parse"] == []
    assert [str(user) for user in allowed["users"]] == ["123456789012345678"]
    assert [str(role) for role in allowed["roles"]] == ["223456789012345678"]
    assert Mentions().allowed().to_dict()["parse"] == []
    assert parse(["@here"]).allowed().to_dict()["parse"] == ["everyone"]
    with pytest.raises(UnreadableMention):
        parse(["Bob"])


def _guild(*, mentionable: bool) -> discord.Guild:
    role = SimpleNamespace(mentionable=mentionable, name="crew")
    return cast("discord.Guild", SimpleNamespace(get_role=lambda id: role if id == 1 else None))


@pytest.mark.parametrize(
    ("mentions", "rights", "guild", "allowed"),
    [
        (Mentions(users=[5]), {}, None, True),
        (Mentions(everyone=True), {}, None, False),
        (Mentions(everyone=True), {"mention_everyone": True}, None, True),
        (Mentions(everyone=True), {"administrator": True}, None, True),
        (Mentions(roles=[1]), {}, _guild(mentionable=False), False),
        (Mentions(roles=[1]), {}, _guild(mentionable=True), True),
        (Mentions(roles=[1]), {}, None, False),
        (Mentions(roles=[2]), {}, _guild(mentionable=False), True),
    ],
)
def test_roles_and_everyone_need_the_right(
    mentions: Mentions, rights: dict[str, bool], guild: Any, allowed: bool
) -> None:
    answer, why = may_make(mentions, discord.Permissions(**rights), guild)
    assert answer is allowed
    assert (why is None) is allowed


def test_missing_rights_have_discords_names() -> None:
    nothing = discord.Permissions.none()
    assert named(missing_to_post(nothing, discord.ChannelType.text)) == "View Channel and Send Messages"
    seeing = discord.Permissions(view_channel=True, send_messages=True)
    assert missing_to_post(seeing, discord.ChannelType.public_thread) == ("Send Messages in Threads",)
    assert missing_to_post(seeing, discord.ChannelType.news) == ()

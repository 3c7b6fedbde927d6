"""What people see of /timezone convert and clear."""

from __future__ import annotations

import pytest
import simcord

from schedule_zero import instant
from schedule_zero import requests as ask
from schedule_zero.trigger import DateTrigger
from tests.bot.fake_core import START
from tests.cogs.stage import Stage, said, texts

AT = instant.from_datetime(START) // instant.SECOND + 7_200


def _said(result: simcord.InteractionResult, *, to_all: bool = False) -> str:
    assert result.response is not None
    assert result.ephemeral is not to_all
    return texts(result.response)


async def test_a_time_is_shown_in_other_zones_with_discords_notation_to_copy(stage: Stage) -> None:
    stage.world.zones[str(stage.bob.id)] = "Europe/Berlin"
    shown = _said(
        await stage.bob.slash(stage.general, "timezone convert", when="in 2 hours", to="Asia/Tokyo, America/New_York")
    )
    assert f"<t:{AT}:F> (<t:{AT}:R>)" in shown
    assert f"`<t:{AT}:F>` · `<t:{AT}:t>` · `<t:{AT}:R>`" in shown
    lines = [line for line in shown.split("\n") if line.startswith("**")]
    assert [line.partition(":")[0] for line in lines] == ["**Europe/Berlin**", "**Asia/Tokyo**", "**America/New_York**"]
    assert "(UTC+09:00)" in lines[1]
    assert [request.trigger for request in stage.world.of(ask.PreviewTrigger)] == [
        DateTrigger(instant.spell(AT * instant.SECOND))
    ] * 2


async def test_the_zone_a_time_is_said_in_may_be_named(stage: Stage) -> None:
    await stage.bob.slash(stage.general, "timezone convert", **{"when": "in 2 hours", "from": "Asia/Tokyo"})
    (asked,) = stage.world.of(ask.ReadTime)
    assert (asked.timezone, asked.user_id, asked.guild_id) == ("Asia/Tokyo", str(stage.bob.id), stage.guild_id)


async def test_only_public_shows_a_time_to_everybody(stage: Stage) -> None:
    shown = _said(await stage.bob.slash(stage.general, "timezone convert", when="in 2 hours", public=True), to_all=True)
    assert f"<t:{AT}:F>" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"when": "every day at 9"}, "give one moment"),
        (
            {"when": "in 2 hours", "to": "Asia/Tokyo, Mars"},
            "`to`: 'Mars' is no time zone; write one such as Europe/Berlin",
        ),
        ({"when": "in 2 hours", "to": ", ".join(f"Zone/{n}" for n in range(11))}, "`to` names 11 zones; at most 10"),
        ({"when": "in 2 hours", "to": ", ,"}, "`to` names no zone; write some with commas between them"),
        ({"when": "blah"}, "cannot be read as a time"),
        ({"when": "at 5"}, "Did you mean:"),
    ],
)
async def test_what_cannot_be_converted_is_refused(stage: Stage, options: dict[str, str], words: str) -> None:
    assert words in _said(await stage.bob.slash(stage.general, "timezone convert", **options))


@pytest.mark.parametrize(
    ("when", "at"),
    [
        ("now", 1_767_225_600),
        ("2020-05-01 10:00", 1_588_327_200),
        ("2020-05-01T10:00:00+02:00", 1_588_320_000),
        ("<t:1588320000>", 1_588_320_000),
    ],
)
async def test_a_moment_that_is_over_can_be_converted(served: Stage, when: str, at: int) -> None:
    words = await said(served, "timezone convert", when=when, to="Asia/Tokyo")
    assert f"<t:{at}:F> (<t:{at}:R>)" in words
    assert "**Asia/Tokyo**: " in words


async def test_a_day_that_may_be_another_tomorrow_is_refused_as_over(served: Stage) -> None:
    assert "`when`: that was 15 hours ago." in await said(served, "timezone convert", when="yesterday at 9")


@pytest.mark.parametrize(
    ("when", "note"),
    [
        (
            "2026-03-29 02:30",
            "-# 02:30 does not exist on 2026-03-29 in Europe/Berlin, where the clocks go forward; this is 03:00.",
        ),
        (
            "2026-10-25 02:30",
            "-# 02:30 comes twice on 2026-10-25 in Europe/Berlin, where the clocks go back; this is the first.",
        ),
    ],
)
async def test_what_the_clocks_do_to_a_converted_time_is_said_without_firing_anything(
    served: Stage, when: str, note: str
) -> None:
    words = await said(served, "timezone convert", when=when, from_="Europe/Berlin")
    assert note in words
    assert "fires" not in words


async def test_the_last_of_several_zones_is_completed(stage: Stage) -> None:
    first = await stage.bob.autocomplete(stage.general, "timezone convert", "to", "tok", when="in 2 hours")
    assert [choice["value"] for choice in first] == ["Asia/Tokyo"]
    more = await stage.bob.autocomplete(stage.general, "timezone convert", "to", "Asia/Tokyo, ber", when="in 2 hours")
    assert [choice["value"] for choice in more] == ["Asia/Tokyo, Europe/Berlin"]


async def test_a_zone_can_be_forgotten_again(stage: Stage) -> None:
    await stage.bob.slash(stage.general, "timezone set", tz="Europe/Berlin")
    assert "server's zone" in _said(await stage.bob.slash(stage.general, "timezone clear"))
    assert stage.world.zones[str(stage.bob.id)] is None
    assert "Yours: not set" in _said(await stage.bob.slash(stage.general, "timezone show"))
    assert _said(await stage.bob.slash(stage.general, "timezone clear")).startswith("You have set no time zone")


async def test_who_shares_a_zone_is_seen_by_others_until_they_take_it_back(served: Stage) -> None:
    async def seen() -> str:
        return _said(await served.bob.slash(served.general, "timezone show", member=served.alice))

    async def own(command: str, **options: str) -> str:
        return _said(await served.alice.slash(served.general, command, **options))

    none = "You have set no time zone, so there is none to share; `/timezone set` sets it."
    assert await own("timezone share on") == none
    hidden = await seen()
    await own("timezone set", tz="Asia/Tokyo")
    assert "Only you see it; `/timezone share on` lets others." in await own("timezone show")
    assert await seen() == hidden  # as if none were set
    assert "Yours is **Asia/Tokyo**. Everybody may see it" in await own("timezone share on")
    assert "Others see it." in await own("timezone show")
    assert f"<@{served.alice.id}>: **Asia/Tokyo**. It is " in await seen()
    assert "Nobody else sees it." in await own("timezone share off")
    assert await seen() == hidden
    await own("timezone share on")
    await own("timezone clear")
    assert await seen() == hidden
    await own("timezone set", tz="Asia/Tokyo")
    assert await seen() == hidden  # forgotten with the zone


async def test_a_zone_that_is_not_shared_is_refused_in_words_without_escapes(served: Stage) -> None:
    refused = await served.bob.slash(served.general, "timezone show", member=served.alice)
    assert _said(refused) == "They do not share a time zone. Whoever wants to says /timezone share on."

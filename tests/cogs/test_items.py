"""Which schedule `item` means, and what is never done on a guess. It is Thursday 1 January 2026, midnight in UTC."""

from __future__ import annotations

import pytest

from tests.cogs.stage import Stage, said, scheduled, texts

MEANT = (
    "No schedule is called 'week'. Did you mean 'news weekly'? Write the whole name, or pick one from the suggestions "
    "of `item`."
)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("schedule delete", {}),
        ("schedule pause", {}),
        ("schedule resume", {}),
        ("schedule skip", {}),
        ("schedule move", {"to": "tomorrow at 10"}),
        ("schedule policy", {"catchup": "skip"}),
        ("schedule run_now", {}),
    ],
)
async def test_what_changes_something_takes_the_whole_name(
    served: Stage, command: str, options: dict[str, str]
) -> None:
    made = await scheduled(served, name="news weekly")
    assert await said(served, command, item="week", **options) == MEANT
    assert (await served.bot.core.get_schedule(made.id)).revision == made.revision


async def test_to_look_words_that_fit_only_one_are_enough(served: Stage) -> None:
    await scheduled(served, name="news weekly")
    assert "### Schedule: news weekly" in await said(served, "schedule show", item="week")
    assert "### Preview: news weekly" in await said(served, "schedule preview", item="week")


async def test_names_that_may_have_been_meant_are_named_up_to_five(served: Stage) -> None:
    for number in range(7):
        await scheduled(served, name=f"news {number}")
    words = await said(served, "schedule delete", item="news")
    assert "Did you mean 'news 0' or 'news 1' or 'news 2' or 'news 3' or 'news 4' or one of 2 more?" in words


@pytest.mark.parametrize("command", ["schedule delete", "schedule pause", "schedule show", "schedule preview"])
async def test_the_name_of_what_was_just_deleted_never_means_another_schedule(served: Stage, command: str) -> None:
    news = await scheduled(served, name="news")
    weekly = await scheduled(served, name="news weekly")
    await said(served, "schedule delete", item="news")
    assert await said(served, command, item="news") == (
        "'news' was deleted just now; Undo brings it back: the button where it was deleted, or `/schedule undo`."
    )
    assert (await served.bot.core.get_schedule(weekly.id)).state == "active"
    assert (await served.bot.core.get_schedule(news.id)).state == "deleted"


async def test_what_was_deleted_longer_ago_than_it_can_be_undone_is_not_known_any_more(served: Stage) -> None:
    await scheduled(served, name="news")
    await scheduled(served, name="news weekly")
    await said(served, "schedule delete", item="news")
    await served.env.advance_time(16 * 60)
    assert (await said(served, "schedule delete", item="news")).startswith(
        "No schedule is called 'news'. Did you mean 'news weekly'?"
    )


async def test_a_reminder_is_deleted_by_its_whole_text_alone(served: Stage) -> None:
    await served.bob.slash(served.general, "remind me", when="tomorrow at 9", text="buy cat food")
    part = await served.bob.slash(served.general, "remind delete", item="cat")
    assert part.response is not None
    assert part.response.content.startswith("No reminder is called 'cat'. Did you mean 'buy cat food'?")
    shown = await served.bob.slash(served.general, "remind show", item="cat")
    assert shown.response is not None
    assert "### Reminder: buy cat food" in texts(shown.response)
    whole = await served.bob.slash(served.general, "remind delete", item="Buy cat food")
    assert whole.response is not None
    assert "### Deleted: buy cat food" in texts(whole.response)
    assert (await served.bot.core.list_schedules(guild_id=served.guild_id)).items == ()

"""What a posted message says beside its text, and what Discord's answers mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.endpoint import WrongBase, read_base, use_gateway
from bot.faults import FateUnknown, is_refusal, judge
from bot.letters import CONTENT, EMBED, compose, due_note, set_note
from schedule_zero.errors import Reject, RetryAfter

TEXT = st.text(alphabet="ab\n", min_size=1, max_size=CONTENT)


@given(
    text=TEXT,
    mention=st.sampled_from(["", "<@1100000000000000004>"]),
    notes=st.lists(st.text(alphabet="n", min_size=1, max_size=90), max_size=3),
    embeds=st.booleans(),
)
def test_whatever_is_said_beside_it_the_text_is_whole_and_fits(
    text: str, mention: str, notes: list[str], embeds: bool
) -> None:
    content, embed = compose(text, mention, notes, embeds=embeds)
    described = "" if embed is None else embed.description or ""
    assert len(content) <= CONTENT
    assert len(described) <= EMBED
    assert embed is None or embeds
    assert text in content or text in described
    if embeds:
        assert all(note in content + described for note in notes)
        assert content.startswith(mention)


def test_a_message_on_time_says_nothing_of_it() -> None:
    assert due_note(1_700_000_000_000_000, 60_000_000) is None
    assert due_note(1_700_000_000_000_000, 61_000_000) == "-# Was due <t:1700000000:F> (<t:1700000000:R>)"


def test_a_reminder_says_who_set_it_as_far_as_that_is_known() -> None:
    assert set_note(None, None) == "-# Set by you"
    assert set_note("1700000000", "5") == "-# Set by you <t:1700000000:R> in <#5>"
    assert set_note("<script>", "x") == "-# Set by you"


def _answer(status: int, code: int = 0, text: str = "no") -> discord.HTTPException:
    kinds: dict[int, type[discord.HTTPException]] = {403: discord.Forbidden, 404: discord.NotFound}
    kind = discord.DiscordServerError if status >= 500 else kinds.get(status, discord.HTTPException)
    message: Any = {"code": code, "message": text} if code else text
    return kind(SimpleNamespace(status=status, reason="x"), message)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_answer(404, 10003), "the channel no longer exists"),
        (_answer(403, 50001), "the bot may not see the channel"),
        (_answer(403, 50007), "this person takes no direct messages from the bot"),
        (_answer(403, 50013), "the bot may not write there"),
        (_answer(400, 50035, "Invalid Form Body"), r"Discord refused the message \(400, code 50035\)"),
        (_answer(400, 200000), "the server's AutoMod blocked the text"),
    ],
)
def test_lasting_refusals_are_rejected_with_words(error: Exception, words: str) -> None:
    assert is_refusal(error)
    judged = judge(error)
    assert isinstance(judged, Reject)
    with pytest.raises(Reject, match=words):
        raise judged


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (discord.RateLimited(45.0), True),
        (_answer(429), True),
        (_answer(401), True),
        (_answer(403, 40333), True),
        (_answer(403, 0, "<html>banned</html>"), True),
        (_answer(503), False),
        (OSError("reset"), False),
        (aiohttp.ServerDisconnectedError(), False),
        (TimeoutError(), False),
    ],
)
def test_what_passes_waits_and_only_a_refusal_proves_that_nothing_was_posted(error: Exception, refused: bool) -> None:
    judged = judge(error)
    assert isinstance(judged, RetryAfter)
    assert judged.seconds >= 5
    assert is_refusal(error) is refused


def test_an_unknown_fate_is_a_rejection_the_engine_knows_by_its_first_word() -> None:
    assert FateUnknown("nobody can tell").reason == "unknown: nobody can tell"


def test_what_is_no_fault_of_discords_is_not_judged() -> None:
    with pytest.raises(ZeroDivisionError):
        judge(ZeroDivisionError())


@pytest.mark.parametrize("text", ["", "discord.com/api", "ftp://x/api", "https://", "http://x/api?v=10"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WrongBase, match="DISCORD_API_BASE"):
        read_base(text)


def test_an_address_loses_its_last_slash() -> None:
    assert read_base("http://127.0.0.1:9000/api/v10/") == "http://127.0.0.1:9000/api/v10"


def test_a_gateway_that_is_none_is_refused() -> None:
    with pytest.raises(WrongBase, match="GET /gateway/bot"):
        use_gateway("https://gateway.example.org")

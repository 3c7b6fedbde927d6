"""A result can be read by everybody who will ever be shown it, and what it was is kept."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.handler import Context, Handler, method, methods_of
from schedule_zero.process.calling import call
from schedule_zero.result import DEEPEST, readable

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@pytest.mark.slow
@given(VALUES)
def test_what_json_says_well_stays_as_it_is(value: Any) -> None:
    text = msgspec.json.encode(value).decode()
    assert readable(text) == text


@pytest.mark.parametrize(
    "text", ["", "{", "nothing", "1e999", "[1e400]", "9" * 5000, str(10**30), "[" * 30_000 + "]" * 30_000, "[" * 65 + "]" * 65]
)  # fmt: skip
def test_what_somebody_could_not_read_is_kept_as_the_text_it_is(text: str) -> None:
    kept = readable(text)
    assert json.loads(kept) == text
    assert msgspec.msgpack.encode(msgspec.json.decode(kept))


def test_as_many_levels_as_there_may_be_stay() -> None:
    text = "[" * DEEPEST + "]" * DEEPEST
    assert readable(text) == text
    wide = json.dumps([[]] * 1000).replace(" ", "")
    assert readable(wide) == wide


class Odd(Handler):
    """Whose methods give back what is hard to say."""

    name = "odd"

    @method()
    async def deep(self, ctx: Context) -> Any:
        value: list[Any] = []
        for _ in range(100_000):
            value = [value]
        return value

    @method()
    async def mute(self, ctx: Context) -> Any:
        return Mute()

    @method()
    async def large(self, ctx: Context) -> Any:
        return 10**30


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("name", "said"), [("deep", "<list>"), ("mute", "<Mute>"), ("large", "1000000000000000000000000000000")]
)
async def test_work_whose_result_is_hard_to_say_is_done_all_the_same(name: str, said: str) -> None:
    context = Context(
        run_id="run_1", attempt=1, due=0, schedule_id="sch_1", deadline=0, guild_id=None, owner_id="o", metadata={},
        late_by=0, note=lambda *_: None,
    )  # fmt: skip
    ended = await call(methods_of(Odd())[name], context, "{}")
    assert (ended.status, ended.value) == ("succeeded", json.dumps(said))

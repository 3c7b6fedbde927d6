"""What the handler ``example_name`` promises."""

from __future__ import annotations

import pytest

from handlers.example_name import ExampleName
from schedule_zero import Context
from schedule_zero.errors import Invalid
from schedule_zero.handler import methods_of

CONTEXT = Context(run_id="run_1", attempt=1, due=0, deadline=30_000_000, schedule_id="sch_1")


async def test_the_answer_repeats_the_text() -> None:
    assert await ExampleName().echo(CONTEXT, "tea", times=2) == {"text": "tea tea"}


def test_an_argument_of_the_wrong_type_is_refused_before_the_schedule_is_saved() -> None:
    with pytest.raises(Invalid, match="times"):
        methods_of(ExampleName())["echo"].check({"text": "tea", "times": "often"})

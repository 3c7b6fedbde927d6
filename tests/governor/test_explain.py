from __future__ import annotations

import msgspec
import pytest

from core.governor.explain import sentence_of, why_of
from core.governor.verdict import Wait
from schedule_zero.instant import parse
from schedule_zero.run import Why

NOW = parse("2026-11-21T10:00:00+00:00")


def test_why_is_the_record_of_the_contract() -> None:
    why = why_of(Wait("guild:123", "rate", 30.0, 30.0, 1002.5), now=NOW, monotonic=1000.0)
    assert why == {
        "scope": "guild:123", "limit": "rate", "used": 30, "allowed": 30, "until": "2026-11-21T10:00:02.500000+00:00",
    }  # fmt: skip
    assert msgspec.json.encode(why).startswith(b'{"scope":"guild:123","limit":"rate","used":30,"allowed":30,"until":')
    assert msgspec.convert(why, Why).until == why["until"]


def test_on_release_has_no_time_and_the_past_is_now() -> None:
    assert why_of(Wait("global", "running", 5, 5), now=NOW, monotonic=0.0)["until"] is None
    late = why_of(Wait("global", "rate", 5, 5, 3.0), now=NOW, monotonic=9.0)
    assert late["until"] == "2026-11-21T10:00:00+00:00"


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (Wait("guild:123", "rate", 30, 30, 2.0),
         "Guild 123 has used 30 of the 30 starts its rate allows; the next can start at 2026-11-21T10:00:02+00:00."),
        (Wait("global", "running", 1000, 1000),
         "The whole service has 1000 of 1000 runs going at once; the next can start when one of them ends."),
        (Wait("plan:verified", "running", 9, 9),
         "Plan verified has 9 of 9 runs going at once; the next can start when one of them ends."),
        (Wait("method:webhook.post", "running", 50, 50),
         "Method webhook.post has 50 of 50 runs going at once; the next can start when one of them ends."),
        (Wait("handler:hooks/webhook.post", "running", 5, 5),
         "Handler hooks (webhook.post) has 5 of 5 runs going at once; the next can start when one of them ends."),
        (Wait("guild:123", "share", 800, 800),
         ("Guild 123 holds 800 of the 800 slots one guild may hold while others are active; "
         "the next can start when one is free.")),
        (Wait("guild:-", "share", 8, 8),
         ("The operator's own work holds 8 of the 8 slots one guild may hold while others are active; "
         "the next can start when one is free.")),
        (Wait("method:webhook.post", "handlers", 0, 0),
         "No handler is free for the method webhook.post; it goes on when one is."),
        (Wait("guild:123", "handlers", 0, 0),
         "Guild 123 may not use this handler; it goes on when that is allowed again."),
        (Wait("handler:webhook", "available", 0, 0),
         "No handler is free for the handler webhook; it goes on when one is."),
    ],
)  # fmt: skip
def test_a_sentence_names_scope_use_limit_and_time(refusal: Wait, sentence: str) -> None:
    assert sentence_of(refusal, now=NOW, monotonic=0.0) == sentence

"""What counts as proven: all three witnesses have to agree, and one of them missing is no proof."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.discord_server.records import RequestEntry
from tests.process.remains import Remains, RunLeft
from tests.process.windows import Target, Window, window_of

TARGET = Target(schedule_id="sch_1", due=1_000_000, text="tea", channel_id=7)
TICK, TICKED = '{"event":"tick commits"}', '{"event":"tick committed"}'
POSTING, POSTED = "posting to channel 7 with nonce a", "posted to channel 7: message 5"
OUTCOME = '{"event":"outcomes committed"}'


def remains(state: str | None, *, due: int | None = None, told: int | None = None, acknowledged: int = 3) -> Remains:
    runs = () if state is None else (RunLeft("run_1", "sch_1", "t:1", state, 1, None, None, None, None, told),)
    return Remains(runs, {} if due is None else {"sch_1": due}, acknowledged, ())


def post(outcome: Literal["open", "answered", "dropped", "gone"]) -> RequestEntry:
    return RequestEntry(
        seq=1, at="", route="POST /channels/7/messages", outcome=outcome, body={"content": "<@1> tea\n-# Set by you"}
    )


@pytest.mark.parametrize(
    ("log", "left", "requests", "window"),
    [
        ([TICK], remains(None, due=1_000_000), [], Window.TICK_TO_COMMIT),
        ([TICK, TICKED], remains("waiting"), [], Window.COMMIT_TO_SEND),
        ([TICK, TICKED], remains("dispatched"), [], Window.COMMIT_TO_SEND),
        ([TICK, TICKED, POSTING], remains("dispatched"), [post("gone")], Window.SENT_TO_ANSWER),
        ([TICK, TICKED, POSTING, POSTED], remains("running"), [post("answered")], Window.ANSWER_TO_OUTCOME),
        ([TICK, TICKED, OUTCOME], remains("succeeded", told=4), [], Window.OUTCOME_TO_ACKNOWLEDGED),
    ],
)
def test_log_disk_and_discord_together_prove_a_window(
    log: list[str], left: Remains, requests: list[RequestEntry], window: Window
) -> None:
    assert window_of(TARGET, log, left, requests) is window


@pytest.mark.parametrize(
    ("log", "left", "requests"),
    [
        pytest.param([], remains(None, due=1_000_000), [], id="no tick was under way"),
        pytest.param([TICK, TICKED], remains(None, due=1_000_000), [], id="that tick was over"),
        pytest.param([TICK], remains(None, due=2_000_000), [], id="the schedule had gone on"),
        pytest.param([TICK], remains("waiting"), [], id="the log does not know of the commit"),
        pytest.param([TICK, TICKED, POSTING], remains("dispatched"), [], id="the post may not have left"),
        pytest.param([TICK, TICKED, POSTING], remains("dispatched"), [post("answered")], id="heard or not heard"),
        pytest.param([TICK, TICKED, POSTING, POSTED], remains("running"), [post("gone")], id="contradiction"),
        pytest.param([TICK, TICKED, OUTCOME], remains("succeeded", told=3), [], id="acknowledged already"),
        pytest.param([TICK, TICKED], remains("succeeded", told=4), [], id="the log does not know of the outcome"),
    ],
)
def test_a_witness_that_is_missing_proves_nothing(log: list[str], left: Remains, requests: list[RequestEntry]) -> None:
    assert window_of(TARGET, log, left, requests) is None

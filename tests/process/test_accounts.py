"""The accounts find what is lost and what is doubled."""

from __future__ import annotations

import msgspec

from schedule_zero.instant import spell
from tests.process.accounts import Due, settle, settle_series
from tests.process.remains import Remains, RunLeft

TEA = Due("sch_1", "tea")


def run(id: str, *, due: int = 1, state: str = "succeeded", message: str = "5", missed: str | None = None) -> RunLeft:
    result = msgspec.json.encode({"message_id": message}).decode() if state == "succeeded" else None
    return RunLeft(id, "sch_1", f"t:{due}", state, 1, None, None, result, missed, None)


def ledger(*runs: RunLeft) -> Remains:
    return Remains(runs, {}, 0, ())


def test_one_run_and_one_message_balance() -> None:
    assert settle([TEA], ledger(run("run_1")), ["<@1> tea", "cake"]).balanced


def test_a_message_that_never_came_is_lost() -> None:
    assert settle([TEA], ledger(run("run_1")), ["cake"]).lost


def test_a_run_that_did_not_succeed_is_lost() -> None:
    assert settle([TEA], ledger(run("run_1", state="failed")), ["tea"]).lost
    assert settle([TEA], ledger(), ["tea"]).lost


def test_a_second_message_and_a_second_run_are_doubled() -> None:
    assert settle([TEA], ledger(run("run_1")), ["tea", "tea"]).doubled
    assert settle([TEA], ledger(run("run_1"), run("run_2")), ["tea"]).doubled


def test_a_series_balances_with_runs_and_missed_rows() -> None:
    span = msgspec.json.encode({"from": spell(2), "to": spell(3), "count": 2}).decode()
    runs = [run("run_1"), run("run_2", due=3, state="skipped", missed=span), run("run_3", due=4, message="6")]
    assert settle_series([1, 2, 3, 4], runs, ["5", "6"]).balanced
    assert settle_series([1, 2, 3, 4, 5], runs, ["5", "6"]).lost
    assert settle_series([1, 2, 3, 4], [*runs, run("run_4", due=2, message="7")], ["5", "6", "7"]).doubled
    assert settle_series([1, 2, 3, 4], runs, ["5"]).lost
    assert settle_series([1, 2, 3, 4], runs, ["5", "6", "6"]).doubled
    assert settle_series([1, 2, 3, 4], runs, ["5", "6", "7"]).doubled

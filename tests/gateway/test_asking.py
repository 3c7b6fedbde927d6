"""The bytes between a core and its clients: golden ones, and none that could hurt."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule_zero import requests as ask
from schedule_zero.answers import ANSWERS, NOT_TWICE
from schedule_zero.event import Event, bucket_of
from schedule_zero.routes import ROUTES
from schedule_zero.transport import asking, wire
from schedule_zero.views import Problem

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
PROBLEM = Problem(type="urn:x", title="t", status=404, detail="d")
RAW = msgspec.Raw(bytes.fromhex("81a772657175657374a6737461747573"))
GOLDEN: list[tuple[msgspec.Struct, str]] = [
    (asking.Login("i1", (1, 1), "kit", "t"), "01 91 95 a5 4c4f47494e a2 6931 92 01 01 a3 6b6974 a1 74"),
    (asking.Ask(7, RAW), "01 91 94 a3 41534b 07 81 a7 72657175657374 a6 737461747573 c0"),
    (
        asking.Ask(7, RAW, asking.Member("5", None, 8192)),
        "01 91 94 a3 41534b 07 81 a7 72657175657374 a6 737461747573 95 a1 35 c0 cd 2000 90 c2",
    ),
    (
        asking.Ask(7, RAW, asking.Member("5", "1", 0, ("90",))),
        "01 91 94 a3 41534b 07 81 a7 72657175657374 a6 737461747573 95 a1 35 a1 31 00 91 a2 3930 c2",
    ),
    (asking.Leave(7), "01 91 92 a5 4c45415645 07"),
    (
        asking.Follow(8, "1-4", ("run.failed",), None, "mine", (), 100),
        "01 91 99 a6 464f4c4c4f57 08 a3 312d34 91 aa 72756e2e6661696c6564 c0 a4 6d696e65 90 64 c0",
    ),
    (asking.Taken(8, 1, 300), "01 91 94 a5 54414b454e 08 01 cd 012c"),
    (asking.Report("discord", True, "ok"), "01 91 94 a6 5245504f5254 a7 646973636f7264 c3 a2 6f6b"),
    (asking.Beat(), "01 91 91 a4 42454154"),
    (asking.Bye(), "01 91 91 a3 425945"),
    (
        asking.Welcome(1, "api-token", "operator", 2.0, 64, 1048576, 0),
        "01 91 98 a7 57454c434f4d45 01 a9 6170692d746f6b656e a8 6f70657261746f72 cb4000000000000000 40 ce00100000 00",
    ),
    (
        asking.Refuse(PROBLEM, True),
        "01 91 93 a6 524546555345 84 a4 74797065 a5 75726e3a78 a5 7469746c65 a1 74 a6 737461747573 cd0194 a6 64657461696c a1 64 c3",
    ),
    (asking.Who(), "01 91 91 a3 57484f"),
    (asking.Answer(7, msgspec.Raw(bytes.fromhex("81a26f6bc3"))), "01 91 93 a6 414e53574552 07 81 a2 6f6b c3"),
    (
        asking.Failed(7, PROBLEM),
        "01 91 93 a7 50524f424c454d 07 84 a4 74797065 a5 75726e3a78 a5 7469746c65 a1 74 a6 737461747573 cd0194 a6 64657461696c a1 64",
    ),
    (asking.Following(8, 1, 4, False), "01 91 95 a9 464f4c4c4f57494e47 08 01 04 c2"),
    (
        asking.Events(8, [Event(epoch=1, seq=5, at="x", kind="run.failed")], 1, 5),
        "01 91 95 a6 4556454e5453 08 91 88 a5 65706f6368 01 a3 736571 05 a2 6174 a1 78 a4 6b696e64 aa 72756e2e6661696c6564 a8 6775696c645f6964 c0 ab 7363686564756c655f6964 c0 a6 72756e5f6964 c0 a4 64617461 80 01 05",
    ),
    (asking.Missed(8, 1, 2, 4), "01 91 95 a6 4d4953534544 08 01 02 04"),
]


@pytest.mark.parametrize(("message", "golden"), GOLDEN, ids=lambda value: type(value).__name__)
def test_every_message_has_these_bytes(message: msgspec.Struct, golden: str) -> None:
    body = bytes.fromhex(golden)
    assert wire.write([message]) == body
    read = asking.read_from_client if isinstance(message, asking.ToCore) else asking.read_from_core
    assert wire.write(read(body)) == body


def test_every_message_is_golden_and_on_the_page() -> None:
    kinds = set(get_args(asking.ToCore)) | set(get_args(asking.ToClient))
    assert {type(message) for message, _ in GOLDEN} == kinds
    page = PAGE[PAGE.index("# The protocol between a core and its clients") :]
    told = set(re.findall(r"^\| `([A-Z]+)` \|", page, re.MULTILINE))
    assert told == {kind.__struct_config__.tag for kind in kinds}
    assert "01 91 91 a4 42 45 41 54" in page


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    for body in (noise, b"\x01" + noise, b"\x01\x91" + noise):
        with contextlib.suppress(wire.WireError):
            assert isinstance(asking.read_from_client(body), list)


@pytest.mark.parametrize(
    "message",
    [
        asking.Login("i 1", (1, 1), "", None),
        asking.Login("i", (1, 1), "x" * 101, None),
        asking.Login("i", (1, 1), "", "x" * 201),
        asking.Follow(-1, None, (), None, None, (), 1),
        asking.Follow(1, None, (), None, None, (), 0),
        asking.Follow(1, None, (), None, None, (64,), 1),
        asking.Follow(1, None, ("k",) * 51, None, None, (), 1),
        asking.Follow(1, None, (), None, "a/b", (), 1),
        asking.Report("x" * 65, True, ""),
        asking.Ask(1, RAW, asking.Member("", None, 0)),
        asking.Ask(1, RAW, asking.Member("1", None, -1)),
        asking.Ask(1, RAW, asking.Member("1", "1", 0, ("",))),
        asking.Ask(1, RAW, asking.Member("1", "1", 0, ("9",) * 1_001)),
    ],
)
def test_what_is_too_much_or_wrong_is_refused(message: msgspec.Struct) -> None:
    with pytest.raises(wire.WireError, match="cannot be read"):
        asking.read_from_client(wire.write([message]))


def test_every_request_has_its_answer() -> None:
    assert set(ANSWERS) == set(get_args(ask.Request))
    posted = {route.request for route in ROUTES if route.method == "POST"}
    assert posted - set(NOT_TWICE) == {ask.PreviewTrigger, ask.ReadTime, ask.CheckRun}
    assert {ask.PatchSchedule, ask.DeleteSchedule} <= set(NOT_TWICE)


def test_a_guild_stays_in_its_bucket() -> None:
    assert [bucket_of(guild) for guild in (None, "abc", "0", str(5 << 22), str((64 + 5) << 22), str(2**64 - 1))] == [
        0, 0, 0, 5, 5, 63,
    ]  # fmt: skip

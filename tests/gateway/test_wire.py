"""The bytes on the wire: golden ones, and none that could hurt."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.run import Cause
from schedule_zero.transport import wire

GOLDEN: list[tuple[msgspec.Struct, str]] = [
    (wire.Beat([]), "01 91 92 a4 42454154 90"),
    (wire.Beat([("run_a", 1)]), "01 91 92 a4 42454154 91 92 a5 72756e5f61 01"),
    (wire.Ack([("run_a", 1)]), "01 91 92 a3 41434b 91 92 a5 72756e5f61 01"),
    (
        wire.Progress("run_a", 1, 0.5, "half"),
        "01 91 97 a8 50524f4752455353 a5 72756e5f61 01 cb3fe0000000000000 a4 68616c66 90 00",
    ),
    (
        wire.Result([wire.Ended("run_a", 2, "failed", cause=Cause.LASTING, error="no")]),
        "01 91 92 a6 524553554c54 91 97 a5 72756e5f61 02 a6 6661696c6564 c0 a7 6c617374696e67 a2 6e6f c0",
    ),
    (wire.Nack("run_a", 1, "draining"), "01 91 94 a4 4e41434b a5 72756e5f61 01 a8 647261696e696e67"),
    (wire.NewCredit(8), "01 91 92 a6 435245444954 08"),
    (wire.Drain(), "01 91 91 a5 445241494e"),
    (wire.Bye(), "01 91 91 a3 425945"),
    (
        wire.Hello("echo", "i1", (1, 1), "kit", [wire.MethodOffer("echo", "", None, False, "{}")], 4, [("run_a", 1)]),
        "01 91 9c a5 48454c4c4f a4 6563686f a2 6931 92 01 01 a3 6b6974 91 96 a4 6563686f a0 c0 c2 a2 7b7d c0 04 91 92 a5 72756e5f61 01 c0 c0 c0 c0",
    ),
    (wire.Welcome(1, 6.0, 2.0, 1048576, 0), "01 91 97 a7 57454c434f4d45 01 cb4018000000000000 cb4000000000000000 ce00100000 00 c0"),
    (wire.Refuse("no", False), "01 91 93 a6 524546555345 a2 6e6f c2"),
    (wire.Who(), "01 91 91 a3 57484f"),
    (wire.Cancel("run_a", 1), "01 91 93 a6 43414e43454c a5 72756e5f61 01"),
    (wire.ResultAck([("run_a", 1)]), "01 91 92 aa 524553554c545f41434b 91 92 a5 72756e5f61 01"),
    (
        wire.Run([wire.Order("run_a", 1, "echo", "{}", "sch_a", None, "7", 0, 5, 30.0, "{}")]),
        "01 91 92 a3 52554e 91 9b a5 72756e5f61 01 a4 6563686f a2 7b7d a5 7363685f61 c0 a1 37 00 05 cb403e000000000000 a2 7b7d",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("message", "golden"), GOLDEN, ids=lambda each: type(each).__name__)
def test_the_bytes_of_version_1_never_change(message: msgspec.Struct, golden: str) -> None:
    body = bytes.fromhex(golden)
    assert wire.write([message]) == body
    read = wire.read_from_core if isinstance(message, wire.ToHandler) else wire.read_from_handler
    assert read(body) == [message]


def test_every_kind_of_message_is_golden() -> None:
    assert {type(message) for message, _ in GOLDEN} == set(wire.ToCore.__args__) | set(wire.ToHandler.__args__)


def test_a_welcome_without_its_newest_field_is_read_as_before() -> None:
    shorter = "01 91 96 a7 57454c434f4d45 01 cb4018000000000000 cb4000000000000000 ce00100000 00"
    assert wire.read_from_core(bytes.fromhex(shorter)) == [wire.Welcome(1, 6.0, 2.0, 1048576, 0)]


def test_progress_without_its_newest_fields_is_read_as_before() -> None:
    shorter = "01 91 95 a8 50524f4752455353 a5 72756e5f61 01 cb3fe0000000000000 a4 68616c66"
    assert wire.read_from_handler(bytes.fromhex(shorter)) == [wire.Progress("run_a", 1, 0.5, "half")]


def test_lines_travel_with_progress_and_one_without_its_newest_field_left_nothing_out() -> None:
    told = wire.Progress("run_a", 1, None, "", [wire.Line(7, "a"), wire.Line(8, "b", 3)], 2)
    golden = "01 91 97 a8 50524f4752455353 a5 72756e5f61 01 c0 a0 92 93 07 a1 61 00 93 08 a1 62 03 02"
    assert wire.write([told]) == bytes.fromhex(golden)
    assert wire.read_from_handler(bytes.fromhex(golden)) == [told]
    shorter = bytes.fromhex("01 91 96 a8 50524f4752455353 a5 72756e5f61 01 c0 a0 91 92 07 a1 61")
    assert wire.read_from_handler(shorter) == [wire.Progress("run_a", 1, None, "", [wire.Line(7, "a")])]


def test_a_hello_without_its_newest_fields_is_read_as_before() -> None:
    shorter = "01 91 99 a5 48454c4c4f a4 6563686f a2 6931 92 01 01 a3 6b6974 90 04 90 a1 74"
    assert wire.read_from_handler(bytes.fromhex(shorter)) == [wire.Hello("echo", "i1", (1, 1), "kit", [], 4, [], "t")]
    public = "0" * 40
    longer = f"01 91 9a{shorter[8:]} d928 {'30' * 40}"
    named = wire.Hello("echo", "i1", (1, 1), "kit", [], 4, [], "t", public)
    assert wire.read_from_handler(bytes.fromhex(longer)) == [named]
    longest = f"01 91 9c{longer[8:]} a3 322e31 92 a3 677075 a2 6575"
    named = wire.Hello("echo", "i1", (1, 1), "kit", [], 4, [], "t", public, "2.1", ["gpu", "eu"])
    assert wire.write([named]) == bytes.fromhex(longest)


def test_an_offer_without_its_newest_field_is_read_as_before() -> None:
    shorter = "01 91 98 a5 48454c4c4f a4 6563686f a2 6931 92 01 01 a3 6b6974 91 95 a4 6563686f a0 c0 c2 a2 7b7d 04 90"
    longer = "01 91 9c a5 48454c4c4f a4 6563686f a2 6931 92 01 01 a3 6b6974 91 96 a4 6563686f a0 c0 c2 a2 7b7d cb408c200000000000 04 90 c0 c0 c0 c0"
    offer = wire.MethodOffer("echo", "", None, False, "{}")
    assert wire.read_from_handler(bytes.fromhex(shorter)) == [wire.Hello("echo", "i1", (1, 1), "kit", [offer], 4, [])]
    offer.lease = 900.0
    assert wire.write([wire.Hello("echo", "i1", (1, 1), "kit", [offer], 4, [])]) == bytes.fromhex(longer)


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused_and_raises_nothing_else(noise: bytes) -> None:
    for body in (noise, b"\x01" + noise):
        with contextlib.suppress(wire.WireError):
            assert isinstance(wire.read_from_handler(body), list)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is empty"),
        (b"\x02\x90", "the body is of version 2; this side speaks version 1"),
        (b"\x01" + b"\x91" * 3000, "cannot be read"),
        (b"\x01\x91\x92\xa4BEAT\xdd\x00\x10\x00\x00", "cannot be read"),
        (wire.write([wire.Beat([("run_a", 1)] * 4097)]), "length <= 4096"),
        (wire.write([wire.Progress("run_a", 1, 2.0, "")]), "<= 1"),
        (wire.write([wire.Progress("run_a", 1, None, "a\0b")]), "matching regex"),
        (wire.write([wire.NewCredit(-1)]), ">= 0"),
        (wire.write([wire.Result([wire.Ended("run_a", 1, "succeeded", "x" * 70_000)])]), "length <= 65536"),
        (wire.write([wire.Ack([("run a", 1)])]), "matching regex"),
        (wire.write([wire.Welcome(1, 1.0, 1.0, 1, 1)]), "Invalid value 'WELCOME'"),
    ],
)
def test_what_is_too_much_or_wrong_is_refused_with_the_place(body: bytes, said: str) -> None:
    with pytest.raises(wire.WireError, match=said):
        wire.read_from_handler(body)

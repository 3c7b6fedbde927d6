"""The reading of requests as a pure function: whatever comes, it is a request or a refusal."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.web.reading import Reading, bound
from schedule_zero.errors import Invalid, ScheduleZeroError
from schedule_zero.routes import ROUTES

READINGS = [Reading(route) for route in ROUTES]


def status_of(reading: Reading, query: bytes, body: bytes) -> int:
    """200 if the bytes make a request, else the status of the refusal."""
    try:
        reading.request({}, dict.fromkeys(reading.route.path_fields, "x"), query, body)
    except ScheduleZeroError as error:
        return error.status
    return 200


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_no_body_breaks_the_reading(body: bytes) -> None:
    for reading in READINGS:
        assert status_of(reading, b"", body) in (200, 400, 422)


@given(st.text(max_size=100))
@settings(max_examples=200)
def test_no_query_breaks_the_reading(text: str) -> None:
    query = text.encode("ascii", "ignore")
    for reading in READINGS:
        assert status_of(reading, query, b"") in (200, 400, 422)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.integers(0, 45))
@settings(max_examples=200)
@example(value=(1 << 63) - 1, wrapping=0)
@example(value=1 << 63, wrapping=0)
@example(value=1 << 64, wrapping=0)
@example(value=1 << 200, wrapping=0)
@example(value=-(1 << 63), wrapping=0)
@example(value=-(1 << 63) - 1, wrapping=0)
@example(value=1e300, wrapping=0)
@example(value=float(1 << 63), wrapping=1)
@example(value={"a": 1 << 63}, wrapping=0)
@example(value={"a": [0, {"b": -(1 << 63) - 1}]}, wrapping=2)
@example(value={str(1 << 64): "9" * 30}, wrapping=0)
@example(value=[], wrapping=31)
@example(value=[], wrapping=32)
def test_the_bound_refuses_exactly_what_is_too_deep_or_too_large(value: Any, wrapping: int) -> None:
    for _ in range(wrapping):
        value = [value]
    body = msgspec.json.encode(value)
    allowed = depth(value) <= 32 and largest(value) < 1 << 63
    try:
        bound(body)
    except Invalid:
        assert not allowed
    else:
        assert allowed


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def largest(value: Any) -> int:
    if isinstance(value, dict):
        return max(map(largest, value.values()), default=0)
    if isinstance(value, list):
        return max(map(largest, value), default=0)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else -value - 1
    return 0

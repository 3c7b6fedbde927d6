"""What is encrypted, and what may not be bound: a table, and every address there is."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gateway.exposure import Curve, Refused, protection, speaks_ipv6

# Address; under auto, on, off.
TABLE = [
    ("tcp://127.0.0.1:4242", "plain", "curve", "plain"),
    ("tcp://127.8.9.10:*", "plain", "curve", "plain"),
    ("tcp://[::1]:4242", "plain", "curve", "plain"),
    ("tcp://[0:0:0:0:0:0:0:1]:4242", "plain", "curve", "plain"),
    ("tcp://[::ffff:127.0.0.1]:4242", "plain", "curve", "plain"),
    ("tcp://localhost:4242", "plain", "curve", "plain"),
    ("tcp://LOCALHOST:4242", "plain", "curve", "plain"),
    ("ipc:///run/schedule-zero.sock", "plain", "curve", "plain"),
    ("ipc://@abstract", "plain", "curve", "plain"),
    ("inproc://here", "plain", "plain", "plain"),
    ("tcp://*:4242", "curve", "curve", None),
    ("tcp://0.0.0.0:4242", "curve", "curve", None),
    ("tcp://[::]:4242", "curve", "curve", None),
    ("tcp://192.168.1.10:4242", "curve", "curve", None),
    ("tcp://[fe80::1%eth0]:4242", "curve", "curve", None),
    ("tcp://[::ffff:10.0.0.1]:4242", "curve", "curve", None),
    ("tcp://eth0:4242", "curve", "curve", None),
    ("tcp://lo:4242", "curve", "curve", None),
    ("tcp://127.0.0.1.example.org:4242", "curve", "curve", None),
    ("tcp://localhost.example.org:4242", "curve", "curve", None),
]


@pytest.mark.parametrize(("address", "auto", "on", "off"), TABLE)
def test_everything_that_leaves_the_machine_is_encrypted_or_refused(
    address: str, auto: str, on: str, off: str | None
) -> None:
    assert protection(address, "auto", "zmq.handlers") == auto
    assert protection(address, "on", "zmq.handlers") == on
    found = protection(address, "off", "zmq.handlers")
    if off is None:
        assert found == Refused(
            f"{address} can be reached from other machines, and zmq.curve is off: set zmq.handlers to a loopback "
            "address, or zmq.curve to auto"
        )
    else:
        assert found == off


@given(st.ip_addresses(), st.sampled_from(["auto", "on", "off"]))
def test_only_loopback_is_ever_plain(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, curve: Curve) -> None:
    host = f"[{ip}]" if ip.version == 6 else str(ip)
    found = protection(f"tcp://{host}:1", curve, "zmq.handlers")
    here = (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
    assert (found == "plain") == (here and curve != "on")
    assert isinstance(found, Refused) == (not here and curve == "off")


@given(st.text(max_size=30))
def test_whatever_stands_for_a_host_is_never_taken_for_loopback_by_accident(host: str) -> None:
    if protection(f"tcp://{host}:1", "auto", "zmq.handlers") == "plain":
        bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
        assert bare.lower() == "localhost" or ipaddress.ip_address(bare) is not None


@pytest.mark.parametrize(
    ("address", "answer"),
    [("tcp://[::]:1", True), ("tcp://[::1]:1", True), ("tcp://127.0.0.1:1", False), ("tcp://*:1", False),
     ("ipc://a:b:c", False)],
)  # fmt: skip
def test_ipv6_is_spoken_where_the_address_asks_for_it(address: str, answer: bool) -> None:
    assert speaks_ipv6(address) is answer

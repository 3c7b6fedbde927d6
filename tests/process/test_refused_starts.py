"""A start that cannot succeed says so in one sentence, exits with 1, and hurts nobody."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.process.house import House

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(120)]


def _sentences(log: Sequence[str]) -> list[str]:
    """What the process said to people: its log's lines are JSON."""
    return [line for line in log if not line.startswith("{")]


async def test_a_second_up_on_one_data_dir_is_refused_and_the_first_goes_on(house: House) -> None:
    first = await house.start(connected=False)
    second = house.open()
    assert await second.end() == 1
    assert len(_sentences(second.log)) == 1, second.log
    assert str(house.data) in _sentences(second.log)[0]
    assert (await house.core.status()).running
    first.kill()


async def test_a_port_in_use_is_told_in_one_sentence(house: House, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = tmp_path / "taken.yaml"
        settings = msgspec.yaml.decode(house.config.read_bytes())
        config.write_bytes(msgspec.yaml.encode(settings | {"http": {"bind": f"127.0.0.1:{port}"}}))
        refused = house.open(config=config)
        assert await refused.end() == 1
    (sentence,) = _sentences(refused.log)
    assert sentence.startswith(f"port {port} is in use")

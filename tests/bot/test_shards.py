"""Shards dealt out to several processes: each guild, and each bucket of guilds, belongs to one of them."""

from __future__ import annotations

import pytest

from bot.shards import Part, read
from schedule_zero.event import BUCKETS, bucket_of


def test_a_part_is_read() -> None:
    assert read("0-3/8") == Part(0, 3, 8)
    assert read(" 5/8 ") == Part(5, 5, 8)
    assert read("4-7/8").ids == [4, 5, 6, 7]


@pytest.mark.parametrize("text", ["", "0-3", "3/3", "4-3/8", "a/2", "0/0", "0/100000", "1.5/2"])
def test_what_is_no_part_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="names no shards"):
        read(text)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 16, 64, 100])
def test_every_bucket_belongs_to_one_process(count: int) -> None:
    parts = [Part(shard, shard, count) for shard in range(count)]
    assert sorted(bucket for part in parts for bucket in part.buckets) == list(range(BUCKETS))


@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_a_shard_hears_of_its_own_guilds(count: int) -> None:
    for guild_id in (1100000000000000100, 1100000000005000101, 81384788765712384):
        for shard in range(count):
            part = Part(shard, shard, count)
            assert (bucket_of(str(guild_id)) in part.buckets) == part.holds(guild_id)

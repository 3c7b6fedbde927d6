"""Where a durable subscriber stands: in one place, or in one for each bucket of guilds."""

from __future__ import annotations

from core.engine.standing import Place, Standing, name_of, standing
from schedule_zero.event import BUCKETS, Event


def event(seq: int, bucket: int) -> Event:
    return Event(epoch=1, seq=seq, at="", kind="run.failed", guild_id=str(bucket << 22))


def stands(buckets: tuple[int, ...], own: Place | None, **of_buckets: Place) -> Standing:
    places = {name_of("s", int(bucket[1:])): place for bucket, place in of_buckets.items()}
    return standing("s", buckets, own, places, 1, 100)


def test_a_new_one_begins_behind_all_there_is() -> None:
    assert stands((), None) == Standing("s", 100, True)
    new = stands((1, 2), None)
    assert (new.seq, new.new, new.kept(100)) == (100, True, [("s#1", 100), ("s#2", 100)])


def test_one_place_stays_one_place() -> None:
    one = stands((), (1, 40))
    assert (one.seq, one.new, one.kept(50)) == (40, False, [("s", 50)])
    assert one.wants(event(41, 3))


def test_buckets_begin_where_the_whole_stood() -> None:
    part = stands((1, 2), (1, 40))
    assert (part.seq, part.new, part.kept(40)) == (40, False, [("s#1", 40), ("s#2", 40)])


def test_the_furthest_behind_decides_and_the_others_hear_nothing_twice() -> None:
    both = stands((1, 2), (1, 40), b1=(1, 60))
    assert both.seq == 40
    assert [both.wants(event(seq, bucket)) for seq, bucket in ((50, 1), (50, 2), (61, 1))] == [False, True, True]
    assert both.kept(50) == [("s#1", 60), ("s#2", 50)]
    assert both.kept(70) == [("s#1", 70), ("s#2", 70)]


def test_the_whole_goes_on_where_each_bucket_stood() -> None:
    whole = stands((), (1, 40), b1=(1, 60))
    assert (whole.seq, len(whole.ahead)) == (40, BUCKETS)
    assert not whole.wants(event(60, 1))
    assert whole.wants(event(41, 2))


def test_a_place_of_another_epoch_is_one_of_the_backup() -> None:
    assert stands((), (0, 40)).seq == 40
    assert stands((), (0, 4000)).seq == 100
    assert stands((7,), None, b7=(0, 30)).seq == 30

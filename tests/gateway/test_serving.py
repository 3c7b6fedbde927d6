"""Handlers in another process: orders out, results in, over a real socket."""

from __future__ import annotations

import asyncio

import pytest
import zmq
import zmq.asyncio

from schedule_zero.handler import Context, Handler, method
from schedule_zero.process.worker import Worker
from schedule_zero.run import RunState
from tests.gateway.conftest import Door, Far
from tests.gateway.desk import Desk

pytestmark = pytest.mark.slow


async def test_a_run_is_done_by_a_handler_elsewhere_and_its_result_is_kept(door: Door) -> None:
    worker, hands = await door.come()
    schedule = await door.house.schedule(handler="far")
    run = await door.house.ended((await door.house.run_now(schedule, n=7)).id)
    assert (run.state, run.result, run.attempts[0].instance) == (
        RunState.SUCCEEDED, {"n": 7}, f"far@{worker.instance}",
    )  # fmt: skip
    assert hands.calls == [(run.id, 1, 7)]
    await door.house.until(lambda: not worker._attempts._unacknowledged)


async def test_many_runs_come_back_once_each(door: Door) -> None:
    _, hands = await door.come()
    await door.come()
    schedule = await door.house.schedule(handler="far", policy={"overlap": "allow"})
    runs = await asyncio.gather(*(door.house.run_now(schedule, n=n) for n in range(300)))
    ended = [await door.house.ended(run.id) for run in runs]
    assert {run.state for run in ended} == {RunState.SUCCEEDED}
    assert [run.attempt for run in ended] == [1] * 300
    assert 0 < len(hands.calls) < 300


class Painter(Handler):
    """Says what it is."""

    name = "far"
    version = "2.1"
    capabilities = ("gpu",)

    @method
    def work(self, n: int = 0) -> int:
        return n


async def test_what_a_process_says_it_is_and_has_is_what_schedules_can_ask_for(door: Door) -> None:
    await door.come()
    painter = await door.serve(Painter(), capabilities=["eu", "gpu"])
    by_id = {each.id: each for each in (await door.house.client.get_handler("far")).instances}
    there = by_id.pop(f"far@{painter.instance}")
    assert (there.version, there.capabilities) == ("2.1", ("eu", "gpu"))
    (other,) = by_id.values()
    assert (other.version, other.capabilities) == (None, ())
    schedule = await door.house.schedule(
        handler="far", policy={"needs": ["gpu", "eu"], "version": ">=2", "overlap": "allow"}
    )
    runs = [await door.house.ended((await door.house.run_now(schedule)).id) for _ in range(4)]
    assert {run.attempts[0].instance for run in runs} == {there.id}


class Reader(Handler):
    """Takes texts."""

    name = "far"

    @method
    def read(self, text: str) -> int:
        return len(text)

    @method
    async def chat(self, ctx: Context, lines: int, length: int) -> int:
        for line in range(lines):
            ctx.progress(line / lines, "x" * length)
        return lines


async def test_orders_that_are_large_together_arrive_all_the_same(door: Door) -> None:
    first = await door.serve(Reader())
    await first.drain()
    await door.house.until(lambda: not door.gateway._peers)  # else the first run may be given to who has just left
    schedule = await door.house.schedule(
        handler="far", method="read", args={"text": "x" * 60_000}, policy={"overlap": "allow"}
    )
    runs = [await door.house.client.run_schedule(schedule.id) for _ in range(150)]  # they wait for whoever comes
    await door.serve(Reader())
    ended = [await door.house.ended(run.id) for run in runs]
    assert {(run.state, run.attempt, run.result) for run in ended} == {(RunState.SUCCEEDED, 1, 60_000)}


@pytest.mark.parametrize("length", [1, 400])
async def test_a_method_may_say_more_in_one_go_than_one_message_holds(door: Door, length: int) -> None:
    worker = await door.serve(Reader())
    (peer,) = door.gateway._peers.values()
    schedule = await door.house.schedule(handler="far", method="chat", args={"lines": 6000, "length": length})
    run = await door.house.ended((await door.house.client.run_schedule(schedule.id)).id)
    assert (run.state, run.attempt, run.result) == (RunState.SUCCEEDED, 1, 6000)
    assert worker.welcomed.is_set()
    assert list(door.gateway._peers.values()) == [peer]  # its connection was not cut meanwhile


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("stranger", "what answers at {} is not for handlers; trying on: is this what the core's configuration has as zmq.handlers?"),
        ("http", "no connection to the core at {} comes about; it may want encryption, with a key file, or it listens elsewhere"),
        ("nowhere", "no core answers at {}; trying on: is it running, and is this what its configuration has as zmq.handlers?"),
    ],
)  # fmt: skip
async def test_a_handler_at_a_wrong_port_says_in_one_line_what_is_likely(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, where: str, words: str
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        writer.close()

    async def babble(router: zmq.asyncio.Socket) -> None:
        while True:
            route, *_ = await router.recv_multipart()
            await router.send_multipart([route, b"", b"what?"])

    monkeypatch.setattr("schedule_zero.process.worker.HELLO_AGAIN_S", 0.05)
    with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        babbling = asyncio.create_task(babble(router))
        http = await asyncio.start_server(refuse, "127.0.0.1", 0)
        at = {
            "stranger": f"tcp://127.0.0.1:{port}", "nowhere": "tcp://127.0.0.1:1",
            "http": f"tcp://127.0.0.1:{http.sockets[0].getsockname()[1]}",
        }[where]  # fmt: skip
        lost = asyncio.create_task(Worker(Far(), at).run())
        await desk.house.until(lambda: words.format(at) in caplog.text)
        lost.cancel()
        babbling.cancel()
        await asyncio.gather(lost, babbling, return_exceptions=True)
        http.close()
        await http.wait_closed()
    assert caplog.text.count("sent something that cannot be read") == (where == "stranger")


async def test_a_handler_that_has_several_reasons_at_once_to_say_who_it_is_says_it_once(door: Door) -> None:
    """A process that was frozen wakes to a connection that came again, a core that asks, and a beat that is due."""
    worker = await door.serve(Far())
    for _ in range(3):
        worker._connected_again()
        worker._greet()
        async with asyncio.timeout(5):
            await worker.welcomed.wait()  # where a body held two of them the core would refuse it for good
    schedule = await door.house.schedule(handler="far", method="work")
    run = await door.house.ended((await door.house.client.run_schedule(schedule.id)).id)
    assert run.state is RunState.SUCCEEDED

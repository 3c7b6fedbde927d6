"""Who is signed in is in every store alike."""

from __future__ import annotations

from core.ledger.port import Ledger, Transaction
from core.ledger.rows import SessionRow
from tests.ledger.making import NOW


def session(digest: str, *, holder: str = "discord:1", begun: int = NOW, until: int = NOW + 10) -> SessionRow:
    return SessionRow(
        digest=digest, id=f"ses_{digest}", holder=holder, begun=begun, used=begun, until=until, document='{"a": "ü"}'
    )


async def add(ledger: Ledger, *rows: SessionRow) -> None:
    async def unit(tx: Transaction) -> None:
        for row in rows:
            await tx.sessions.add(row)

    await ledger.write(unit)


async def test_a_session_is_found_by_what_the_browser_shows_and_by_its_holder(ledger: Ledger) -> None:
    rows = [session("a", begun=NOW + 2), session("b", begun=NOW + 1), session("c", holder="discord:2")]
    await add(ledger, *rows)
    sessions = ledger.reader.sessions
    assert await sessions.get("a") == rows[0]
    assert await sessions.get("A") is None
    assert [row.digest for row in await sessions.of("discord:1")] == ["b", "a"]
    assert await sessions.of("discord:3") == []


async def test_what_is_noted_of_a_session_that_has_ended_does_not_bring_it_back(ledger: Ledger) -> None:
    await add(ledger, session("a"), session("b"))

    async def unit(tx: Transaction) -> None:
        await tx.sessions.end(["a", "nobody"])
        for digest in ("a", "b"):
            await tx.sessions.note_use(digest, NOW + 5, NOW + 50)
            await tx.sessions.rewrite(digest, '{"b": 1}')

    await ledger.write(unit)
    assert await ledger.reader.sessions.get("a") is None
    row = await ledger.reader.sessions.get("b")
    assert row is not None
    assert (row.begun, row.used, row.until, row.document) == (NOW, NOW + 5, NOW + 50, '{"b": 1}')


async def test_all_of_a_holder_end_at_once_and_what_ran_out_is_purged(ledger: Ledger) -> None:
    await add(ledger, session("a"), session("b"), session("c", holder="discord:2"), session("d", holder="x", until=NOW))

    async def unit(tx: Transaction) -> None:
        await tx.sessions.end_all("discord:1")
        await tx.sessions.purge(NOW)

    await ledger.write(unit)
    left = [digest for digest in "abcd" if await ledger.reader.sessions.get(digest) is not None]
    assert left == ["c"]

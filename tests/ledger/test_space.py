from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.port import StoreFull, Transaction
from core.ledger.space import BALLAST, FLOOR, MIB, DiskRoom, free_bytes
from tests.ledger.making import schedule


class Disk:
    """A disk with as much room as a test says, and a clock it moves."""

    def __init__(self, folder: Path) -> None:
        self.free = 1024 * MIB
        self.now = 0.0
        self.measured = 0
        self.room = DiskRoom(folder, free=self._measure, clock=lambda: self.now)
        self.ballast = folder / "schedule-zero.ballast"

    def _measure(self, folder: Path) -> int:
        self.measured += 1
        return self.free


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def inserting(id: str) -> Callable[[Transaction], Awaitable[None]]:
    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert([schedule(id)])

    return unit


async def test_below_the_floor_new_things_are_refused_and_what_is_there_goes_on(disk: Disk, tmp_path: Path) -> None:
    ledger = StoredLedger(FileDriver(tmp_path / "ledger.sqlite3", room=disk.room))
    await ledger.open()
    assert await ledger.has_room()
    disk.free, disk.now = FLOOR - 1, 5.0
    await ledger.write_new(inserting("sch_1"))
    await ledger.write_essential(inserting("sch_6"))  # the disk is measured between two groups
    with pytest.raises(StoreFull, match="nearly full"):
        await ledger.write_new(inserting("sch_2"))
    await ledger.write(inserting("sch_3"))
    await ledger.write_essential(inserting("sch_5"))
    assert not await ledger.has_room()
    disk.free, disk.now = FLOOR, 10.0
    await ledger.write_new(inserting("sch_4"))
    assert await ledger.has_room()
    assert set(await ledger.reader.schedules.get_many([f"sch_{n}" for n in range(1, 6)])) == {
        "sch_1", "sch_3", "sch_4", "sch_5",
    }  # fmt: skip
    await ledger.close()


async def test_once_a_write_was_refused_the_reserve_is_for_outcomes_alone(disk: Disk, tmp_path: Path) -> None:
    ledger = StoredLedger(FileDriver(tmp_path / "ledger.sqlite3", room=disk.room))
    await ledger.open()
    disk.room.filled()
    disk.free, disk.now = FLOOR - 1, 5.0
    with pytest.raises(StoreFull, match="only outcomes"):
        await ledger.write(inserting("sch_1"))
    await ledger.write_essential(inserting("sch_2"))
    disk.free, disk.now = FLOOR, 10.0
    await ledger.write(inserting("sch_3"))
    assert set(await ledger.reader.schedules.get_many(["sch_1", "sch_2", "sch_3"])) == {"sch_2", "sch_3"}
    await ledger.close()


async def test_the_disk_is_measured_at_most_once_a_second(disk: Disk) -> None:
    for moment in (0.0, 0.5, 0.99, 1.0, 1.5, 2.1):
        disk.now = moment
        await disk.room.look()
    assert disk.measured == 3


async def test_ballast_is_laid_given_up_once_and_laid_again_when_there_is_room(disk: Disk) -> None:
    await disk.room.look()
    assert disk.ballast.stat().st_size == BALLAST
    assert disk.ballast.stat().st_blocks * 512 >= BALLAST, "a file with a hole keeps nothing free"
    disk.room.filled()
    assert disk.room.give_up_ballast()
    assert not disk.ballast.exists()
    assert not disk.room.give_up_ballast()
    assert not _ok(disk)
    disk.free, disk.now = FLOOR, 10.0
    await disk.room.look()
    assert _ok(disk)
    assert not disk.ballast.exists(), "too little room to take any of it away again"
    disk.free, disk.now = 1024 * MIB, 20.0
    await disk.room.look()
    assert disk.ballast.exists()


def _ok(disk: Disk) -> bool:
    return disk.room.ok


async def test_without_ballast_the_ledger_works_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    disk = Disk(folder)
    await disk.room.look()
    assert disk.room.ok


def test_free_room_is_what_the_file_system_says(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0

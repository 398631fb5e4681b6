"""What only a store in a file can get wrong: being killed, damaged, too new, in use, full."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.contract.store_committer import PAD, WRITERS

from cardume.pooldb import sqlite_file
from cardume.pooldb.sqlite import SQLiteStore
from cardume.pooldb.sqlite_file import SQLiteFile, Transaction
from cardume.pooldb.sqlite_thread import COMPACT_EVERY
from cardume.pooldb.store import (
    Delete,
    NoQuorum,
    Put,
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreTooNew,
)

COMMITTER = Path(__file__).parent / "store_committer.py"


async def run_and_kill(path: Path, first: int, after_s: float) -> dict[int, int]:
    """Run the committer for a while, kill -9; the last number that it acknowledged for each writer."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(COMMITTER), str(path), str(first), stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert child.stdout is not None
    begun = await asyncio.wait_for(child.stdout.readline(), 120)
    await asyncio.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    lines = (begun + await asyncio.wait_for(child.stdout.read(), 120)).decode().splitlines(keepends=True)
    await child.wait()
    acknowledged = [line.split() for line in lines if line.endswith("\n")]
    return {int(writer): int(number) for writer, number in acknowledged}


async def test_what_was_acknowledged_before_a_kill_is_there_and_nothing_is_there_by_half(tmp_path: Path) -> None:
    chance = random.Random(20261122)
    path = tmp_path / "pool.db"
    first, acknowledged_in_all = 0, 0
    for round in range(200):
        if round >= 25 and acknowledged_in_all > 100:
            break
        acknowledged = await run_and_kill(path, first, chance.uniform(0.0, 0.25))
        store = await SQLiteStore.open(path, keep_revisions=50)
        highest = first
        for writer in range(WRITERS):
            a, b = await store.get(f"/{writer}/a"), await store.get(f"/{writer}/b")
            if writer not in acknowledged and (a is None or int(a.value) < first):
                continue  # killed before this writer's first
            assert a is not None
            assert b is not None
            number = int(a.value)
            large = await store.get(f"/{writer}/{number % 7}")
            assert large is not None
            assert number >= acknowledged.get(writer, first)
            assert number <= acknowledged.get(writer, first - 1) + 1
            assert (a.value, a.mod_revision) == (b.value, b.mod_revision)
            assert (large.value, large.mod_revision) == (a.value.ljust(PAD), a.mod_revision)
            highest = max(highest, number)
        acknowledged_in_all += sum(number - first + 1 for number in acknowledged.values())
        first = highest + 1
        await store.close()
    assert acknowledged_in_all > 100


async def test_revisions_items_and_history_go_on_after_a_restart(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db")
    first = await store.txn([Put("/a", b"1")])
    await store.txn([Put("/b", b"1"), Delete("/a")])
    await store.close()

    again = await SQLiteStore.open(tmp_path / "pool.db")
    assert await again.txn([Put("/c", b"1")]) == first + 2
    watch = again.watch("/", first)
    told = [await anext(watch) for _ in range(3)]
    await again.close()

    assert [batch.changes for batch in told] == [(("/a", b"1"),), (("/a", None), ("/b", b"1")), (("/c", b"1"),)]


async def test_every_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db")

    def pragmas(file: SQLiteFile) -> list[object]:
        return [file._rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")]

    found = await store._thread.ask(pragmas)
    await store.close()

    assert found == ["wal", 2]


async def test_transactions_that_wait_share_a_sync(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db")
    sizes: list[int] = []

    def count_groups(file: SQLiteFile) -> None:
        commit = file.commit

        def counting(transactions: Sequence[Transaction]) -> list[int | StoreError]:
            sizes.append(len(transactions))
            return commit(transactions)

        file.commit = counting  # type: ignore[method-assign]  # to see what the thread gives it

    await store._thread.ask(count_groups)
    revisions = await asyncio.gather(*(store.txn([Put(f"/{number}", b"v")]) for number in range(100)))
    await store.close()

    assert revisions == list(range(revisions[0], revisions[0] + 100))
    assert sum(sizes) == 100
    assert len(sizes) < 50


async def test_keys_of_leases_do_not_outlive_the_process(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db")
    lease = await store.lease(60)
    before = await store.txn([Put("/alive", b"1", lease=lease.id), Put("/stays", b"1")])
    await store.close()

    again = await SQLiteStore.open(tmp_path / "pool.db")
    _, items = await again.list("/")
    revision = await again.revision()
    await again.close()

    assert [item.key for item in items] == ["/stays"]
    assert revision == before + 1


async def test_old_history_is_forgotten_without_being_asked(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db", keep_revisions=100)
    for _ in range(0, COMPACT_EVERY + 200, 50):
        await asyncio.gather(*(store.txn([Put("/a", b"v")]) for _ in range(50)))

    rows = await store._thread.ask(lambda file: file._rows("SELECT count(*) FROM log")[0][0])
    await store.close()

    assert 100 <= rows < 400


async def test_a_caller_that_is_cancelled_leaves_the_store_usable(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db")
    writing = asyncio.create_task(store.txn([Put("/a", b"1")]))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    revision = await store.txn([Put("/b", b"1")])
    watch = store.watch("/", 1)
    told = [await anext(watch) for _ in range(revision)]
    await store.close()

    assert [batch.revision for batch in told] == list(range(1, revision + 1))


async def test_a_closed_store_says_so_and_ends_watches(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db")
    watch = store.watch("/", 1)
    waiting = asyncio.create_task(anext(watch))
    await asyncio.sleep(0.01)
    await store.close()
    await store.close()

    with pytest.raises(StoreClosed):
        await asyncio.wait_for(waiting, 60)
    with pytest.raises(StoreClosed):
        await store.get("/a")
    with pytest.raises(StoreClosed):
        await store.txn([Put("/a", b"1")])


async def test_a_second_daemon_on_the_same_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.1)
    store = await SQLiteStore.open(tmp_path / "pool.db")
    await store.txn([Put("/a", b"1")])

    with pytest.raises(StoreError, match=r"pool\.db is in use by another process"):
        await SQLiteStore.open(tmp_path / "pool.db")
    await store.close()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    path.write_bytes(b"this is not a database, it is a text of some length. " * 100)
    before = path.read_bytes()

    with pytest.raises(StoreDamaged, match="is damaged or no pool database"):
        await SQLiteStore.open(path)
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE song (name TEXT)")
    other.close()

    with pytest.raises(StoreDamaged, match="SQLite file of another program"):
        await SQLiteStore.open(path)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("song",)]
    other.close()


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    store = await SQLiteStore.open(path)
    for number in range(50):
        await store.txn([Put(f"/{number}", bytes(5000))])
    await store.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(random.Random(1).randbytes(40_000))

    with pytest.raises(StoreDamaged, match="restore it from a backup"):
        await SQLiteStore.open(path)


async def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    await (await SQLiteStore.open(path)).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
    db.close()

    with pytest.raises(StoreTooNew, match=r"written by a newer Cardume \(format 99, this one reads up to 1\)"):
        await SQLiteStore.open(path)


def test_an_older_format_is_brought_up_step_by_step(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    SQLiteFile(path).close()
    second = ("CREATE TABLE extra (name TEXT)",)
    third = ("INSERT INTO extra VALUES ('made in step 3')",)

    file = SQLiteFile(path, (*sqlite_file.FORMAT_STEPS, second, third))
    rows = file._rows("SELECT extra.name, meta.value FROM extra, meta WHERE meta.name = 'format'")
    file.close()

    assert rows == [("made in step 3", 3)]


async def test_a_file_in_a_missing_directory_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot open .*unable to open database file"):
        await SQLiteStore.open(tmp_path / "no" / "pool.db")


async def test_a_full_disk_refuses_the_write_and_keeps_what_was_there(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db")
    before = await store.txn([Put("/a", b"1")])
    await store._thread.ask(lambda file: file._rows("PRAGMA max_page_count = 20"))

    with pytest.raises(NoQuorum, match="full"):
        await store.txn([Put("/a", b"2"), Put("/big", bytes(500_000))])
    item = await store.get("/a")
    after = await store.txn([Put("/a", b"3")])
    await store.close()

    assert item is not None
    assert item.value == b"1"
    assert after == before + 1


async def test_keys_of_a_lease_that_ends_while_the_disk_is_full_go_when_there_is_room(tmp_path: Path) -> None:
    store = await SQLiteStore.open(tmp_path / "pool.db")
    lease = await store.lease(30)
    await store.txn([Put("/alive", b"1", lease=lease.id)])
    await store._thread.ask(lambda file: setattr(file, "commit", lambda group: [NoQuorum("full")] * len(group)))

    with pytest.raises(NoQuorum):
        await lease.revoke()
    kept = await store.get("/alive")
    await store._thread.ask(lambda file: delattr(file, "commit"))
    async with asyncio.timeout(60):
        await anext(store.watch("/alive", await store.revision() + 1))
    gone = await store.get("/alive")
    await store.close()

    assert kept is not None
    assert gone is None

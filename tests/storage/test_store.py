"""The way from the event loop to the database: whoever wrote sees what it wrote, and nobody waits for a writer."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from threading import Event
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from setpoint.errors import GatewayError, RequestError
from setpoint.routing.catalog import Catalog
from setpoint.snapshot import SnapshotHolder
from setpoint.storage import presets
from setpoint.storage.database import Database
from setpoint.storage.store import Store
from setpoint.storage.tables import rates
from support.sealed import SEALER
from support.seats import lone_seat

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from setpoint.records import AddedKey, Key, Preset, Workspace
    from setpoint.storage.workspaces import Owner


@pytest.fixture
def snapshots() -> SnapshotHolder:
    """A snapshot of nothing."""
    return SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={}))


@pytest.fixture
def store(database: Database, snapshots: SnapshotHolder) -> Iterator[Store]:
    """The store under test."""
    store = Store(database, snapshots, lone_seat(), SEALER)
    yield store
    store.close()


@pytest.fixture
def saving(owner: Owner, new_id: Callable[[], str], now: datetime) -> Callable[[str], Callable[[Connection], Preset]]:
    """Makes the work of saving one more version of a slug."""

    def work(slug: str) -> Callable[[Connection], Preset]:
        return lambda connection: presets.save_version(
            connection,
            workspace_id=owner.workspace_id,
            slug=slug,
            creator_id=owner.user_id,
            config=b"{}",
            system_prompt=None,
            now=now,
            new_id=new_id,
        )

    return work


def count(connection: Connection) -> int:
    return connection.execute(sa.text("SELECT count(*) FROM versions")).scalar_one()


def test_all_that_is_stored_is_loaded_at_the_start(
    store: Store, snapshots: SnapshotHolder, owner: Owner, capture: Callable[..., Preset]
) -> None:
    saved = [capture("a"), capture("b")]
    assert len(snapshots.current.presets) == 0
    store.load()
    assert [snapshots.current.presets[owner.workspace_id, slug] for slug in ("a", "b")] == saved
    assert snapshots.current.revision == saved[-1].revision


def test_what_was_written_is_in_the_snapshot_when_the_writer_hears_of_it(
    store: Store, snapshots: SnapshotHolder, owner: Owner, saving: Callable[[str], Any]
) -> None:
    async def write() -> None:
        for version in (1, 2):
            saved = await store.write(saving("a"))
            assert saved.latest_version == version
            assert snapshots.current.presets[owner.workspace_id, "a"] == saved
            assert snapshots.current.revision == saved.revision
            assert await store.read(count) == version

    asyncio.run(write())


def test_many_writers_at_once_take_turns_and_none_is_lost(
    store: Store, snapshots: SnapshotHolder, owner: Owner, saving: Callable[[str], Any]
) -> None:
    async def write() -> list[Preset]:
        return await asyncio.gather(*(store.write(saving("a")) for _ in range(30)))

    saved = asyncio.run(write())
    assert sorted(one.latest_version for one in saved) == list(range(1, 31))
    assert snapshots.current.presets[owner.workspace_id, "a"].latest_version == 30


def test_a_write_that_fails_changes_neither_the_database_nor_the_snapshot(
    store: Store, snapshots: SnapshotHolder, saving: Callable[[str], Any]
) -> None:
    def fail(connection: Connection) -> None:
        saving("a")(connection)
        raise RequestError("conflict", "no")

    async def write() -> int:
        before = snapshots.current
        with pytest.raises(RequestError, match="no"):
            await store.write(fail)
        assert snapshots.current is before
        return await store.read(count)

    assert asyncio.run(write()) == 0


class WatchedSnapshots(SnapshotHolder):
    """A snapshot that says when it has changed."""

    def __init__(self) -> None:
        super().__init__(Catalog(models={}, providers={}, aliases={}, offers={}))
        self.changed = asyncio.Event()

    def apply(
        self,
        revision: int,
        presets: Iterable[Preset],
        keys: Iterable[Key],
        provider_keys: Iterable[AddedKey] = (),
        workspaces: Iterable[Workspace] = (),
    ) -> None:
        super().apply(revision, presets, keys, provider_keys, workspaces)
        self.changed.set()


def test_a_writer_that_goes_away_does_not_undo_what_is_committed(
    database: Database, owner: Owner, saving: Callable[[str], Any]
) -> None:
    begun, go_on = Event(), Event()

    def slow(connection: Connection) -> Preset:
        begun.set()
        assert go_on.wait(20)
        return saving("a")(connection)

    async def leave() -> Preset:
        snapshots = WatchedSnapshots()
        store = Store(database, snapshots, lone_seat(), SEALER)
        writing = asyncio.create_task(store.write(slow))
        await asyncio.to_thread(begun.wait, 20)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert not snapshots.changed.is_set()
        go_on.set()
        async with asyncio.timeout(20):
            await snapshots.changed.wait()
        store.close()
        return snapshots.current.presets[owner.workspace_id, "a"]

    assert asyncio.run(leave()).latest_version == 1


def test_a_reader_does_not_wait_for_a_writer_and_sees_nothing_of_it(store: Store, saving: Callable[[str], Any]) -> None:
    written, go_on = Event(), Event()

    def slow(connection: Connection) -> Preset:
        saved = saving("a")(connection)
        written.set()
        assert go_on.wait(20)
        return saved

    async def read() -> tuple[int, int]:
        writing = asyncio.create_task(store.write(slow))
        try:
            await asyncio.to_thread(written.wait, 20)
            async with asyncio.timeout(20):
                meanwhile = await store.read(count)
        finally:
            go_on.set()
        await writing
        return meanwhile, await store.read(count)

    assert asyncio.run(read()) == (0, 1)


def test_the_event_loop_does_not_wait_for_a_writer(store: Store) -> None:
    go_on = Event()

    async def work() -> str:
        writing = asyncio.create_task(store.write(lambda _: go_on.wait(20)))
        await asyncio.sleep(0.01)  # the loop turns while the writer's thread is held
        go_on.set()
        return "released" if await writing else "timed out"

    assert asyncio.run(work()) == "released"


def test_a_reader_cannot_write(store: Store, saving: Callable[[str], Any]) -> None:
    async def read() -> None:
        with pytest.raises(GatewayError):
            await store.read(saving("a"))
        assert await store.read(count) == 0

    asyncio.run(read())


def test_closing_waits_for_what_runs(
    database: Database, snapshots: SnapshotHolder, saving: Callable[[str], Any]
) -> None:
    begun, go_on = Event(), Event()

    def slow(connection: Connection) -> Preset:
        begun.set()
        assert go_on.wait(20)
        return saving("a")(connection)

    async def write() -> bool:
        store = Store(database, snapshots, lone_seat(), SEALER)
        writing = asyncio.create_task(store.write(slow))
        await asyncio.to_thread(begun.wait, 20)
        closing = asyncio.create_task(asyncio.to_thread(store.close))
        await asyncio.sleep(0.01)
        closed_early = closing.done()
        go_on.set()
        await asyncio.gather(writing, closing)
        return closed_early

    assert not asyncio.run(write())
    with database.read() as connection:
        assert count(connection) == 1


# --- storage that is away ------------------------------------------------------------------------------------


def test_a_write_that_takes_too_long_is_given_up_and_leaves_nothing(
    database: Database, snapshots: SnapshotHolder, saving: Callable[[str], Any]
) -> None:
    go_on = Event()

    def slow(connection: Connection) -> None:
        saving("slow")(connection)
        assert go_on.wait(20)

    async def write() -> int:
        store = Store(database, snapshots, lone_seat(), SEALER, write_s=0.1)
        with pytest.raises(GatewayError) as caught:
            await store.write(slow)
        assert (caught.value.type, caught.value.retry_after_s) == ("unavailable", 1)
        go_on.set()
        store.close()  # the thread has come to its end, and taken back what it wrote
        return await Store(database, snapshots, lone_seat(), SEALER).read(count)

    assert asyncio.run(write()) == 0


def test_writes_behind_one_that_takes_too_long_do_not_wait_in_line(
    database: Database, snapshots: SnapshotHolder, saving: Callable[[str], Any]
) -> None:
    go_on = Event()

    async def write() -> tuple[Sequence[object], int]:
        store = Store(database, snapshots, lone_seat(), SEALER, write_s=0.2)
        writes = [store.write(lambda _: go_on.wait(20)), *(store.write(saving("a")) for _ in range(300))]
        async with asyncio.timeout(10):  # one after the other they would take a minute
            ended = await asyncio.gather(*writes, return_exceptions=True)
        go_on.set()
        saved = await Store(database, snapshots, lone_seat(), SEALER).write(saving("a"))
        store.close()
        return ended, saved.latest_version

    ended, latest = asyncio.run(write())
    assert [type(one) for one in ended] == [GatewayError] * 301
    assert latest == 1  # of what was refused, nothing was done


def test_a_commit_that_has_begun_is_waited_for(database: Database, owner: Owner, saving: Callable[[str], Any]) -> None:
    class SlowToCommit(Database):
        @contextmanager
        def write(self, *, durable: bool = True, wait_s: float | None = None) -> Generator[Connection]:
            with super().write(durable=durable, wait_s=wait_s) as connection:
                yield connection
                sleep(1.3)

    async def write() -> Preset:
        snapshots = WatchedSnapshots()
        slow = SlowToCommit.open(database.path)
        store = Store(slow, snapshots, lone_seat(), SEALER, write_s=1)
        saved = await store.write(saving("a"))
        assert snapshots.current.presets[owner.workspace_id, "a"] == saved
        store.close()
        slow.close()
        return saved

    assert asyncio.run(write()).latest_version == 1


def test_reads_that_take_too_long_are_given_up_and_too_many_are_refused_at_once(
    database: Database, snapshots: SnapshotHolder
) -> None:
    go_on = Event()

    async def read() -> None:
        store = Store(database, snapshots, lone_seat(), SEALER, read_s=0.2)
        async with asyncio.timeout(10):
            ended = await asyncio.gather(
                *(store.read(lambda _: go_on.wait(20)) for _ in range(200)), return_exceptions=True
            )
        assert {type(one) for one in ended} == {GatewayError}
        go_on.set()
        for _ in range(1_000):  # until the threads are free
            with suppress(GatewayError):
                assert await store.read(count) == 0
                break
            await asyncio.sleep(0.01)
        assert await store.read(count) == 0
        store.close()

    asyncio.run(read())


def test_beyond_a_bound_reads_are_refused_at_once(database: Database, snapshots: SnapshotHolder) -> None:
    go_on = Event()

    async def read() -> None:
        store = Store(database, snapshots, lone_seat(), SEALER, read_s=60)
        waiting = [asyncio.create_task(store.read(lambda _: go_on.wait(60))) for _ in range(72)]
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            with pytest.raises(GatewayError):
                await store.read(count)
        go_on.set()
        assert await asyncio.gather(*waiting) == [True] * 72
        assert await store.read(count) == 0
        store.close()

    asyncio.run(read())


def test_what_reads_long_has_its_own_line(database: Database, snapshots: SnapshotHolder) -> None:
    store = Store(database, snapshots, lone_seat(), SEALER)
    begun, finish = Event(), Event()

    def slowly(_: Connection, go_on: Callable[[], None]) -> str:
        begun.set()
        assert finish.wait(60)
        go_on()
        return "read"

    async def read() -> None:
        first = asyncio.create_task(store.read_long(slowly, wait_s=60))
        await asyncio.to_thread(begun.wait, 60)
        assert await store.read(count) == 0, "others do not wait for it"
        second = asyncio.create_task(store.read_long(slowly, wait_s=60))
        await asyncio.sleep(0)
        with pytest.raises(GatewayError):
            await store.read_long(slowly, wait_s=60)
        finish.set()
        assert [await first, await second] == ["read", "read"]

    asyncio.run(read())
    store.close()


def test_closing_does_not_wait_for_what_reads_long(database: Database, snapshots: SnapshotHolder) -> None:
    store = Store(database, snapshots, lone_seat(), SEALER)
    begun = Event()

    def forever(_: Connection, go_on: Callable[[], None]) -> None:
        begun.set()
        while True:
            go_on()
            sleep(0.001)

    async def read() -> None:
        reading = asyncio.create_task(store.read_long(forever, wait_s=60))
        await asyncio.to_thread(begun.wait, 60)
        await asyncio.wait_for(asyncio.to_thread(store.close), 60)
        with pytest.raises(GatewayError):
            await reading

    asyncio.run(read())


# --- notes ---------------------------------------------------------------------------------------------------


def test_a_note_that_nobody_waits_for_any_more_is_not_made(database: Database, snapshots: SnapshotHolder) -> None:
    go_on = Event()

    def slow(connection: Connection) -> None:
        noting("slow")(connection)
        assert go_on.wait(20)

    async def note() -> int:
        store = Store(database, snapshots, lone_seat(), SEALER, write_s=0.1)
        for one in [asyncio.ensure_future(store.note(work)) for work in (slow, noting("behind it"))]:
            with pytest.raises(GatewayError):
                await one
        go_on.set()
        store.close()  # its thread has come to the end of all that was asked of it
        return notes(database)

    assert asyncio.run(note()) == 0


def test_a_note_whose_commit_is_not_over_in_time_is_undone_behind_it(
    database: Database, snapshots: SnapshotHolder
) -> None:
    go_on = Event()
    undone: list[int] = []

    class SlowToCommit(Database):
        @contextmanager
        def write(self, *, durable: bool = True, wait_s: float | None = None) -> Generator[Connection]:
            with super().write(durable=durable, wait_s=wait_s) as connection:
                yield connection
                assert go_on.wait(20)

    def undo(connection: Connection, _: None) -> None:
        undone.append(connection.execute(sa.delete(rates)).rowcount)

    async def note() -> None:
        slow = SlowToCommit.open(database.path)
        store = Store(slow, snapshots, lone_seat(), SEALER, write_s=0.1)
        with pytest.raises(GatewayError):
            await store.note(noting("late"), undo)
        go_on.set()
        await store.note(noting("next"), undo)
        store.close()
        slow.close()

    asyncio.run(note())
    assert (undone, notes(database)) == ([1], 1), "before anything else is noted"


def test_a_note_is_made_also_when_its_writer_goes_away(database: Database, snapshots: SnapshotHolder) -> None:
    async def note() -> None:
        store = Store(database, snapshots, lone_seat(), SEALER)
        writing = asyncio.ensure_future(store.note(noting("kept")))
        await asyncio.sleep(0)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await store.read(count)
        store.close()

    asyncio.run(note())
    assert notes(database) == 1


def noting(scope: str) -> Callable[[Connection], None]:
    """The work of noting one row."""

    def work(connection: Connection) -> None:
        connection.execute(sa.insert(rates).values(scope=scope, minute=1, taken=1))

    return work


def notes(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(rates)).scalar_one()

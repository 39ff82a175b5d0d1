"""What another worker has committed is in the snapshot before the next request; storage that is away delays one."""

from __future__ import annotations

import asyncio
import time
from threading import Event
from typing import TYPE_CHECKING

from setpoint.coordination.board import Board
from setpoint.routing.catalog import Catalog
from setpoint.snapshot import SnapshotHolder
from setpoint.storage import presets
from setpoint.storage.store import Store
from support.sealed import SEALER

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from setpoint.records import Preset
    from setpoint.storage.database import Database
    from setpoint.storage.workspaces import Owner

LONG_S = 10


def holder() -> SnapshotHolder:
    return SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={}))


def saving(owner: Owner, new_id: Callable[[], str], now: datetime) -> Callable[[Connection], Preset]:
    return lambda connection: presets.save_version(
        connection,
        workspace_id=owner.workspace_id,
        slug="a",
        creator_id=owner.user_id,
        config=b"{}",
        system_prompt=None,
        now=now,
        new_id=new_id,
    )


def test_a_worker_catches_up_with_what_its_sibling_wrote(
    database: Database, owner: Owner, new_id: Callable[[], str], now: datetime
) -> None:
    board, ours, theirs = Board(2, time.monotonic), holder(), holder()

    async def write_and_look() -> None:
        writer, reader = Store(database, ours, board.seat(0), SEALER), Store(database, theirs, board.seat(1), SEALER)
        try:
            for store in (writer, reader):
                store.load()
            for _ in range(20):
                await writer.write(saving(owner, new_id, now))
                assert not writer.behind
                assert reader.behind
                await asyncio.gather(*(reader.catch_up() for _ in range(5)))
                assert not reader.behind
                assert theirs.current.presets == ours.current.presets
        finally:
            writer.close()
            reader.close()

    asyncio.run(write_and_look())


def test_storage_that_is_away_holds_up_one_request_and_no_more_until_it_is_back(database: Database) -> None:
    board, snapshots, go_on = Board(2, time.monotonic), holder(), Event()

    def stuck(_connection: Connection) -> None:
        assert go_on.wait(LONG_S * 3)

    async def look() -> None:
        store = Store(database, snapshots, board.seat(0), SEALER)
        try:
            store.load()
            occupied = [asyncio.create_task(store.read(stuck)) for _ in range(8)]  # every reader there is
            await asyncio.sleep(0)
            board.publish(1, 10_000)
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await store.catch_up()
            first_s = loop.time() - begun
            for _ in range(100):
                await store.catch_up()
            others_s = loop.time() - begun - first_s
            assert first_s < LONG_S
            assert others_s < first_s
            assert not store.behind, "nobody waits for it any more"
            go_on.set()
            await asyncio.gather(*occupied)
        finally:
            store.close()

    asyncio.run(look())


def test_what_was_given_up_comes_in_with_the_poll_and_what_is_newer_is_waited_for_again(
    database: Database, owner: Owner, new_id: Callable[[], str], now: datetime
) -> None:
    board, ours = Board(2, time.monotonic), holder()

    async def look() -> None:
        store, sibling = Store(database, ours, board.seat(0), SEALER), Store(database, holder(), board.seat(1), SEALER)
        try:
            for one in (store, sibling):
                one.load()
            board.publish(1, ours.current.revision + 1)  # said, but not there: as good as storage that is away
            await store.catch_up()
            assert not store.behind
            following = asyncio.create_task(store.follow())
            await sibling.write(saving(owner, new_id, now))
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if ours.current.presets:
                    break
            assert ours.current.presets
            await sibling.write(saving(owner, new_id, now))
            assert store.behind
            await store.catch_up()
            assert ours.current.revision == board.revision
            following.cancel()
        finally:
            store.close()
            sibling.close()

    asyncio.run(look())

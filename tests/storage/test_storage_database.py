"""The database file: who may read it, what a block leaves behind, and what its failures are called."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from setpoint.errors import GatewayError, RequestError
from setpoint.storage.database import Database
from setpoint.storage.schema import prepare
from setpoint.storage.tables import users, versions
from storage.away_support import lock

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from setpoint.records import Preset

WAIT_S = 0.2
BOUND_S = 10 * WAIT_S


def add_user(database: Database, id_: str, now: datetime) -> None:
    with database.write() as connection:
        connection.execute(sa.insert(users).values(id=id_, name="x", created_at=now))


def user_ids(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(sa.select(users.c.id).order_by(users.c.id)).scalars())


def test_folder_and_files_are_their_owners_only(database_path: Path, now: datetime) -> None:
    before = os.umask(0)
    try:
        database = Database.open(database_path)
        prepare(database)
        add_user(database, "a", now)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in database_path.parent.iterdir()}
        database.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(database_path.parent.stat().st_mode) == 0o700
    assert modes == {"setpoint.db": 0o600, "setpoint.db-wal": 0o600, "setpoint.db-shm": 0o600}


def test_opening_again_finds_what_was_written(database: Database, now: datetime) -> None:
    add_user(database, "a", now)
    database.close()
    again = Database.open(database.path)
    assert user_ids(again) == ["a"]
    again.close()


def test_block_that_fails_leaves_nothing_and_the_next_one_works(database: Database, now: datetime) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(sa.insert(users).values(id="a", name="x", created_at=now))
        raise ZeroDivisionError
    add_user(database, "b", now)
    assert user_ids(database) == ["b"]


def test_read_block_sees_one_state_and_cannot_write(database: Database, now: datetime) -> None:
    with database.read() as connection:
        assert connection.execute(sa.select(users)).all() == []
        add_user(database, "a", now)
        assert connection.execute(sa.select(users)).all() == []
        with pytest.raises(OperationalError, match="readonly"):
            connection.execute(sa.delete(users))
    assert user_ids(database) == ["a"]


def test_durable_write_waits_for_the_disk_and_a_quick_one_does_not(database: Database) -> None:
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    with database.write(durable=False) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def test_lock_held_elsewhere_is_unavailable_within_the_bound(database: Database, now: datetime) -> None:
    impatient = Database.open(database.path, wait_s=WAIT_S)
    with lock(database.path):
        start = monotonic()
        with ThreadPoolExecutor(8) as threads:  # those behind the first of them must not wait one after another
            futures = [threads.submit(add_user, impatient, str(n), now) for n in range(8)]
            outcomes = [future.exception() for future in futures]
        assert monotonic() - start < BOUND_S
        for error in outcomes:
            assert isinstance(error, GatewayError)
            assert (error.type, error.retry_after_s) == ("unavailable", 1)
        assert user_ids(impatient) == []
    add_user(impatient, "late", now)
    assert user_ids(impatient) == ["late"]
    impatient.close()


def test_lock_that_is_let_go_in_time_is_won(database: Database, now: datetime) -> None:
    released = threading.Event()

    def hold() -> None:
        with lock(database.path):
            released.wait(0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    add_user(database, "a", now)
    holder.join()
    assert user_ids(database) == ["a"]


def test_turn_that_another_thread_keeps_is_unavailable_within_the_bound(database: Database, now: datetime) -> None:
    impatient = Database.open(database.path, wait_s=WAIT_S)
    writing, done = threading.Event(), threading.Event()

    def keep() -> None:
        with impatient.write():
            writing.set()
            done.wait(BOUND_S)

    keeper = threading.Thread(target=keep)
    keeper.start()
    writing.wait()
    start = monotonic()
    with pytest.raises(GatewayError) as caught:
        add_user(impatient, "a", now)
    assert monotonic() - start < BOUND_S / 2
    done.set()
    keeper.join()
    assert caught.value.type == "unavailable"
    add_user(impatient, "a", now)
    impatient.close()


def test_a_write_waits_no_longer_than_its_caller_says_for_threads_and_processes_together(
    database: Database, now: datetime
) -> None:
    start = monotonic()
    with lock(database.path), pytest.raises(GatewayError), database.write(wait_s=0.1):
        raise AssertionError("the file is locked")
    with database.write(), ThreadPoolExecutor(1) as thread:
        refused = thread.submit(lambda: add_user_within(database, 0.1, now))
        assert isinstance(refused.exception(), GatewayError)
    assert monotonic() - start < BOUND_S
    add_user_within(database, 0, now)  # whoever comes first need not wait


def add_user_within(database: Database, wait_s: float, now: datetime) -> None:
    with database.write(wait_s=wait_s) as connection:
        connection.execute(sa.insert(users).values(id="within", name="u", created_at=now))


def test_opening_waits_for_a_process_that_is_making_the_file(tmp_path: Path) -> None:
    path = tmp_path / "setpoint.db"
    made = threading.Event()

    def make() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            made.set()
            sleep(0.3)

    maker = threading.Thread(target=make)
    maker.start()
    made.wait()
    database = Database.open(path)
    maker.join()
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()


def test_file_locked_against_readers_too_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "setpoint.db"
    with lock(path, "PRAGMA journal_mode = WAL", "PRAGMA locking_mode = EXCLUSIVE", "CREATE TABLE t (x)"):
        start = monotonic()
        with pytest.raises(GatewayError) as caught:
            Database.open(path, wait_s=WAIT_S)
        assert monotonic() - start < BOUND_S
    assert caught.value.type == "unavailable"
    assert caught.value.message == f"{path} cannot be used: database is locked"


def test_more_readers_than_connections_wait_within_the_bound(database: Database) -> None:
    impatient = Database.open(database.path, wait_s=WAIT_S)
    done = threading.Event()
    all_in = threading.Semaphore(0)

    def sit() -> None:
        with impatient.read():
            all_in.release()
            done.wait(10)

    with ThreadPoolExecutor(16) as threads:
        for _ in range(16):
            threads.submit(sit)
        for _ in range(16):
            all_in.acquire()
        with pytest.raises(GatewayError) as caught, impatient.read():
            pass
        done.set()
    assert caught.value.type == "unavailable"
    assert user_ids(impatient) == []
    impatient.close()


def test_full_disk_is_unavailable_and_passes(database: Database, capture: Callable[..., Preset]) -> None:
    capture("a")
    with pytest.raises(GatewayError) as caught, database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # the engine then says what it says of a full disk
        connection.execute(sa.update(versions).values(config=b'{"x":"' + b"y" * 1_000_000 + b'"}'))
    assert caught.value.type == "unavailable"
    with database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert capture("a").designated.version == 2


def test_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "setpoint.db"
    path.write_bytes(b"these are a hundred bytes that no database begins with, " * 100)
    with pytest.raises(GatewayError) as caught:
        Database.open(path, wait_s=WAIT_S)
    assert caught.value.type == "unavailable"


def test_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GatewayError) as caught:
        Database.open(tmp_path / "file" / "setpoint.db")
    assert caught.value.type == "unavailable"
    assert isinstance(caught.value.__cause__, OSError)


def test_two_of_one_id_are_a_conflict(database: Database, now: datetime) -> None:
    add_user(database, "a", now)
    with pytest.raises(RequestError) as caught:
        add_user(database, "a", now)
    assert (caught.value.type, caught.value.status) == ("conflict", 409)


def test_mistake_of_ours_is_not_called_a_failure_of_the_storage(database: Database) -> None:
    with pytest.raises(OperationalError, match="no such table"), database.read() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")


def test_errors_do_not_quote_what_was_stored(database: Database) -> None:
    with pytest.raises(OperationalError) as caught, database.write() as connection:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (?)", ("a secret prompt",))
    assert "secret" not in str(caught.value)


def test_rebuild_takes_tables_apart_but_leaves_no_row_without_its_other(
    database: Database, capture: Callable[..., Preset]
) -> None:
    capture("a")
    with database.rebuild() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(versions)).mappings()]
        connection.execute(sa.delete(versions))
        connection.execute(sa.insert(versions), rows)
    with pytest.raises(RuntimeError, match="presets"), database.rebuild() as connection:
        connection.execute(sa.delete(versions))
    with database.read() as connection:
        assert len(connection.execute(sa.select(versions)).all()) == 1
    with pytest.raises(RequestError), database.write() as connection:
        connection.execute(sa.delete(versions))


def test_backup_is_whole_and_its_owners_only(database: Database, now: datetime, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    to.write_bytes(b"an older one")
    add_user(database, "a", now)
    database.back_up(to)
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    copy = Database.open(to)
    assert user_ids(copy) == ["a"]
    copy.close()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "copy.db"}


def test_many_open_a_new_database_at_once(database_path: Path) -> None:
    start = threading.Barrier(8)

    def open_and_prepare() -> None:
        start.wait()
        database = Database.open(database_path)
        prepare(database)
        database.close()

    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(open_and_prepare) for _ in range(8)]:
            future.result()

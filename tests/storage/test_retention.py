"""Retention: what is too old goes in small steps that nobody feels, and what it cost stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from setpoint.storage import generations
from setpoint.storage.retention import STEP_ROWS, Kept, Retention
from setpoint.storage.tables import activity, contents, facets, ledger, spend
from setpoint.storage.tables import generations as rows
from storage.away_support import Impatient, lock
from support.many import BEGAN, STEP, WORKSPACE, make_records
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from setpoint.records import Generation
    from setpoint.storage.database import Database

MANY = 3_000
FOR_EVER = Kept(records_days=None, contents_days=None)


@pytest.fixture
def filled(database: Database) -> Database:
    """Records of two workspaces."""
    with database.write(durable=False) as connection:
        make_records(connection, MANY)
    return database


def retention(database: Database, kept: Kept, now: datetime) -> Retention:
    return Retention(database, kept, clock=lambda: now)


def count(database: Database, *where: Any) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(rows).where(*where)) or 0


def finish(running: Retention) -> None:
    while running.step():
        pass


def test_records_are_deleted_when_they_are_too_old_and_no_others(filled: Database) -> None:
    end = BEGAN + STEP * 2_000
    running = retention(filled, Kept(records_days=2, contents_days=None), end + timedelta(days=2))
    finish(running)
    assert (count(filled), count(filled, rows.c.created_at < end)) == (1_000, 0)
    assert count(filled, rows.c.workspace_id == WORKSPACE) == 900
    assert running.deleted == 2_000
    assert running.steps >= 2_000 / STEP_ROWS
    with filled.read() as connection:
        used = set(connection.scalars(select(rows.c.facet)))
        assert set(connection.scalars(select(facets.c.id))) == used, "nothing is left of what no record has any more"
    running.close()


def test_what_is_kept_for_ever_stays(filled: Database) -> None:
    running = retention(filled, FOR_EVER, BEGAN + timedelta(days=100_000))
    assert not running.step()
    assert (count(filled), running.steps) == (MANY, 0)
    running.close()


def test_what_was_spent_stays_and_is_not_booked_again(
    database: Database, make_generation: Callable[..., Generation], now: datetime
) -> None:
    records = [make_generation() for _ in range(3)]

    def books() -> list[Any]:
        with database.read() as connection:
            return [connection.execute(select(table)).all() for table in (ledger, activity, spend)]

    with database.write() as connection:
        generations.save_many(connection, records)
    before = books()
    running = retention(database, Kept(records_days=1, contents_days=1), now + timedelta(days=2))
    finish(running)
    assert count(database) == 0
    with database.write() as connection:
        assert generations.save_many(connection, records) == [], "a spool that is read again brings nothing back"
    assert (count(database), books()) == (0, before)
    running.close()


def test_contents_go_before_their_records_and_with_them(
    database: Database, make_generation: Callable[..., Generation], now: datetime
) -> None:
    old, young = make_generation(), make_generation(created_at=now + timedelta(days=5))
    with database.write() as connection:
        generations.save_many(connection, [old, young])
        for one in (old, young):
            members = {"generation_id": one.id, "workspace_id": "w1", "created_at": one.created_at}
            connection.execute(contents.insert().values(**members, input=b"{}", output=b"{}"))

    def left() -> tuple[int, int]:
        with database.read() as connection:
            return count(database), connection.scalar(select(func.count()).select_from(contents)) or 0

    for kept, expected in (
        (Kept(records_days=None, contents_days=3), (2, 1)),
        (Kept(records_days=3, contents_days=None), (1, 1)),
        (Kept(records_days=1, contents_days=None), (0, 0)),
    ):
        running = retention(database, kept, now + timedelta(days=6, hours=1))
        finish(running)
        running.close()
        assert left() == expected


def test_a_step_that_meets_a_storage_that_is_away_is_taken_again(
    filled: Database, impatient: Impatient, database_path: Path
) -> None:
    running = retention(impatient, Kept(records_days=1e-6, contents_days=None), BEGAN + timedelta(days=400))

    async def go() -> None:
        task = asyncio.create_task(running.run())
        with lock(database_path):
            await asyncio.to_thread(impatient.wait_for_tries)
        assert count(filled) == MANY
        await asyncio.to_thread(until, lambda: not count(filled), 60)
        task.cancel()

    asyncio.run(go())
    running.close()


def test_no_writer_feels_what_is_deleted(filled: Database) -> None:
    """Against a job that deletes half of it at once, in the same run."""
    running = retention(filled, Kept(records_days=1, contents_days=1), BEGAN + STEP * MANY + timedelta(days=1))
    at_once, _ = _waits(filled, running, lambda: _delete_at_once(filled, BEGAN + STEP * (MANY // 2)))
    stepped, seen = _waits(filled, running, lambda: asyncio.run(_run_until_empty(running, filled)))
    assert running.steps >= MANY / 2 / STEP_ROWS
    assert len(seen) >= running.steps / 2, "between most steps another writer has had its turn"
    assert stepped[len(stepped) * 9 // 10] < at_once[-1]
    running.close()


def _delete_at_once(database: Database, end: datetime) -> None:
    with database.write(durable=False) as connection:
        connection.execute(rows.delete().where(rows.c.created_at < end))


async def _run_until_empty(running: Retention, database: Database) -> None:
    task = asyncio.create_task(running.run())
    await asyncio.to_thread(until, lambda: not count(database), 60)
    task.cancel()


def _waits(database: Database, running: Retention, work: Callable[[], object]) -> tuple[list[float], set[int]]:
    """How long a writer waits for its turns meanwhile, in seconds, the shortest first; and behind which steps."""
    done = Event()
    waits: list[float] = []
    seen: set[int] = set()

    def write() -> None:
        while not done.is_set():
            began = monotonic()
            with database.write(durable=False):
                waits.append(monotonic() - began)
                seen.add(running.steps)
            done.wait(0.001)

    writer = Thread(target=write)
    writer.start()
    work()
    done.set()
    writer.join()
    return sorted(waits), seen


@pytest.mark.parametrize(
    ("records_days", "contents_days", "every_s"),
    [(None, None, 60), (30, None, 60), (None, 1 / 864, 10), (30, 0.0001, 0.864)],
)
def test_it_looks_again_within_a_tenth_of_the_time_that_something_is_kept(
    records_days: float | None, contents_days: float | None, every_s: float
) -> None:
    assert Kept(records_days=records_days, contents_days=contents_days).look_every_s == pytest.approx(every_s)

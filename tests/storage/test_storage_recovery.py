"""What a process left in its spool comes home, once, whoever brings it and whatever else lies there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from setpoint.records import Generation
from setpoint.storage.generations import save_many
from setpoint.storage.recovery import Recovery
from setpoint.storage.segments import folders, segment_paths
from setpoint.storage.spool import Spool
from setpoint.storage.tables import generations as table
from storage.away_support import Impatient, lock
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.storage.database import Database

Make = Callable[..., Generation]
BOUND_S = 20.0


@pytest.fixture
def recovery(database: Database, spools: Path) -> Iterator[Callable[[], Recovery]]:
    """Starts recoveries, which look every few milliseconds."""
    started: list[Recovery] = []

    def start() -> Recovery:
        started.append(Recovery(database, spools, every_s=0.01))
        return started[-1]

    yield start
    for one in started:
        one.close()


def stored(database: Database) -> dict[str, str]:
    """The status of every record in the database, by its id."""
    with database.read() as connection:
        rows = connection.execute(sa.select(table.c.id, table.c.status)).all()
    return {row.id: row.status for row in rows}


def abandoned(spools: Path, records: list[Generation], **options: Any) -> Path:
    """The folder of a process that wrote these records and is no more."""
    before = set(folders(spools))
    spool = Spool(spools, **options)
    for record in records:
        if record.status == "interrupted":
            spool.begin(record)
        else:
            spool.finish(record)
    spool.close()
    [folder] = set(folders(spools)) - before
    return folder


def test_ended_requests_come_home_with_their_end_and_others_as_interrupted(
    database: Database,
    spools: Path,
    recovery: Callable[[], Recovery],
    make_generation: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended, interrupted = make_generation(), make_generation(status="interrupted", usage=None, cost=None)
    folder = abandoned(
        spools, [make_generation(id=ended.id, status="interrupted"), interrupted, ended], segment_bytes=1_000
    )
    recovery()
    until(lambda: not folder.exists())
    assert stored(database) == {ended.id: "completed", interrupted.id: "interrupted"}
    until(lambda: "2 generations are brought home" in caplog.text)
    assert "1 of them interrupted" in caplog.text


def test_what_is_in_the_database_stays_as_it_is_and_nothing_is_there_twice(
    database: Database, spools: Path, recovery: Callable[[], Recovery], make_generation: Make
) -> None:
    records = [make_generation() for _ in range(1_200)]
    past = make_generation()  # a disk was full when it ended: it went to the database past the spool
    with database.write() as connection:
        save_many(connection, [*records[:600], past])
    begun = [make_generation(id=one.id, status="interrupted") for one in (records[0], past)]
    folder = abandoned(spools, [*begun, *records, *records[:5]])
    again = abandoned(spools, [*records[500:700]])
    recovery()
    until(lambda: not folder.exists() and not again.exists())
    assert stored(database) == {record.id: "completed" for record in (*records, past)}


def test_a_spool_whose_process_lives_is_left_alone(
    database: Database, spools: Path, spool: Spool, recovery: Callable[[], Recovery], make_generation: Make
) -> None:
    spool.begin(make_generation(status="interrupted"))
    folder = abandoned(spools, [make_generation()])
    recovery()
    until(lambda: not folder.exists())
    assert len(folders(spools)) == 1
    assert set(stored(database).values()) == {"completed"}


def test_many_recoveries_at_once_bring_everything_home_once(
    database: Database, spools: Path, recovery: Callable[[], Recovery], make_generation: Make
) -> None:
    records = [make_generation() for _ in range(400)]
    for start in range(0, 400, 40):
        abandoned(spools, records[start : start + 40])
    for _ in range(4):
        recovery()
    until(lambda: not folders(spools))
    assert len(stored(database)) == 400


def test_storage_that_is_away_is_tried_again(
    database: Database, impatient: Impatient, spools: Path, make_generation: Make
) -> None:
    record = make_generation()
    folder = abandoned(spools, [record])
    with lock(database.path):
        one = Recovery(impatient, spools, every_s=0.01)
        impatient.wait_for_tries()
        assert folder.exists()
    until(lambda: not folder.exists())
    one.close()
    assert stored(database) == {record.id: "completed"}


def test_torn_and_foreign_things_are_counted_and_keep_nothing_back(
    database: Database,
    spools: Path,
    recovery: Callable[[], Recovery],
    make_generation: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = [make_generation() for _ in range(3)]
    folder = abandoned(spools, records)
    [path] = segment_paths(folder)
    path.write_bytes(b"\x00\xff garbage\n" + path.read_bytes() + b'{"id":"gen-torn')
    (spools / "a file").write_text("foreign")
    (spools / "empty").mkdir()
    (folder / "0000000009.jsonl").mkdir()
    os.mkfifo(folder / "0000000008.jsonl")
    (folder / "notes.txt").write_text("foreign")
    recovery()
    until(lambda: len(stored(database)) == 3)
    until(lambda: not path.exists() and not (spools / "empty").exists())
    assert (folder / "notes.txt").exists()
    for _ in range(2):  # looks at all that is there, one of which at least began behind that
        later = abandoned(spools, [make_generation()])
        until(lambda later=later: not later.exists())
    until(lambda: caplog.text.count("brought home") == 3)
    assert "3 generations are brought home from a process that has ended, 0 of them interrupted; 2 lines" in caplog.text


def test_a_record_that_no_database_can_hold_does_not_keep_the_others_back(
    database: Database, spools: Path, recovery: Callable[[], Recovery], make_generation: Make
) -> None:
    good = [make_generation() for _ in range(4)]
    folder = abandoned(spools, [*good[:2], make_generation(latency_ms=2**63), *good[2:]])
    recovery()
    until(lambda: not folder.exists())
    assert set(stored(database)) == {record.id for record in good}


def test_a_recovery_ends_at_once_when_it_is_told_to(database: Database, spools: Path) -> None:
    one = Recovery(database, spools)
    start = monotonic()
    one.close()
    assert monotonic() - start < 5

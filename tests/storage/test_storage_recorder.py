"""The recorder: nothing that it was given gets lost, and nobody waits for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Thread
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from setpoint.records import Generation
from setpoint.storage import generations
from setpoint.storage.recorder import Recorder
from setpoint.storage.spool import Spool
from setpoint.storage.tables import generations as table
from storage.away_support import Impatient, lock
from support.seats import lone_seat
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.storage.database import Database

Make = Callable[..., Generation]

BOUND_S = 20.0


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def find(database: Database, id_: str) -> Generation | None:
    with database.read() as connection:
        return generations.get(connection, id_, "w1")


def test_close_writes_everything_that_was_recorded(database: Database, spool: Spool, make_generation: Make) -> None:
    recorder = Recorder(database, spool, lone_seat())
    records = [make_generation() for _ in range(1234)]
    for record in records:
        recorder.record(record)
    assert recorder.close() == 0
    assert count(database) == 1234
    assert all(find(database, record.id) == record for record in records[::100])
    assert recorder.find(records[0].id) is None


def test_record_reaches_the_database_without_being_asked_to(
    database: Database, spool: Spool, make_generation: Make
) -> None:
    recorder = Recorder(database, spool, lone_seat())
    for _ in range(3):  # after an idle time too
        record = make_generation()
        recorder.record(record)
        until(lambda record=record: find(database, record.id))
        until(lambda record=record: recorder.find(record.id) is None)
    recorder.close()


def test_record_is_found_before_it_is_written_and_never_between(
    database: Database, spool: Spool, make_generation: Make
) -> None:
    recorder = Recorder(database, spool, lone_seat(), gather_s=0.2)
    record = make_generation()
    recorder.record(record)
    assert recorder.find(record.id) == record
    assert find(database, record.id) is None
    assert recorder.find("gen-unknown") is None
    deadline = monotonic() + BOUND_S
    while recorder.find(record.id) is not None:  # whoever no longer finds it here finds it there
        assert monotonic() < deadline
    assert find(database, record.id) == record
    recorder.close()


def test_records_wait_while_the_storage_is_away(
    database: Database, impatient: Impatient, spool: Spool, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="setpoint.storage.recorder")
    recorder = Recorder(impatient, spool, lone_seat(), gather_s=0.001)
    records = [make_generation(user_agent="do not log me") for _ in range(700)]
    with lock(database.path):
        for record in records:
            start = perf_counter()
            recorder.record(record)
            assert perf_counter() - start < 1.0
        until(lambda: "the storage is away" in caplog.text)
        impatient.wait_for_tries()
        assert all(recorder.find(record.id) == record for record in records)
        assert count(database) == 0
    until(lambda: count(database) == 700)
    until(lambda: "the storage is back" in caplog.text)
    assert (recorder.close(), recorder.dropped) == (0, 0)
    assert caplog.text.count("the storage is away") == 1
    assert "do not log me" not in caplog.text


@pytest.fixture
def no_spool(tmp_path: Path) -> Spool:
    """A spool that cannot be written: where its folder should be is a file."""
    (tmp_path / "file").touch()
    return Spool(tmp_path / "file" / "spool", retry_s=0)


def flooded(recorder: Recorder, make: Make, caplog: pytest.LogCaptureFixture) -> list[Generation]:
    """Records that come one after the other while one is in hand, and the storage away."""
    recorder.record(make())
    until(lambda: "the storage is away" in caplog.text)
    records = [make() for _ in range(25)]
    for record in records:
        recorder.record(record)
    return records


def test_records_beyond_those_held_in_memory_wait_in_the_spool_alone(
    database: Database, impatient: Database, spool: Spool, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(impatient, spool, lone_seat(), held=10, gather_s=0.001)
    with lock(database.path):
        records = flooded(recorder, make_generation, caplog)
        assert [recorder.find(record.id) is not None for record in records] == [True] * 10 + [False] * 15
        assert [recorder.has_parked(record.id) for record in records] == [False] * 10 + [True] * 15
        assert recorder.read_parked(records[-1].id) == records[-1]
        assert recorder.waiting == 26
    until(lambda: count(database) == 26)
    assert all(find(database, record.id) == record for record in records)
    until(lambda: recorder.waiting == 0)
    assert (recorder.close(), recorder.dropped) == (0, 0)


def test_without_a_spool_the_oldest_records_are_dropped_and_counted(
    database: Database, impatient: Database, no_spool: Spool, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(impatient, no_spool, lone_seat(), capacity=10, gather_s=0.001)
    with lock(database.path):
        records = flooded(recorder, make_generation, caplog)
        assert recorder.dropped == 15
        assert [recorder.find(record.id) is not None for record in records] == [False] * 15 + [True] * 10
    assert recorder.close() == 0
    assert count(database) == 11
    assert find(database, records[14].id) is None
    assert find(database, records[15].id) == records[15]
    assert caplog.text.count("the oldest are dropped") == 1


def test_what_came_while_the_spool_was_away_is_in_it_as_soon_as_it_is_back(
    tmp_path: Path, database: Database, impatient: Database, make_generation: Make
) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool", retry_s=0)
    recorder = Recorder(impatient, spool, lone_seat(), gather_s=0.001)
    with lock(database.path):
        records = [make_generation() for _ in range(20)]
        for record in records:
            recorder.record(record)
        (tmp_path / "file").unlink()
        until(lambda: all(spool.park(record.id) for record in records))
        assert recorder.close(wait_s=0) == 0
    assert count(database) == 0


def test_close_leaves_what_cannot_be_written_to_the_next_start(
    database: Database, impatient: Database, spool: Spool, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(impatient, spool, lone_seat())
    with lock(database.path):
        for _ in range(3):
            recorder.record(make_generation())
        start = monotonic()
        assert recorder.close() == 0
        assert monotonic() - start < 5.0
    assert "3 generations stay in the spool" in caplog.text


def test_close_gives_up_in_time_and_says_how_many_are_lost(
    database: Database, impatient: Database, no_spool: Spool, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(impatient, no_spool, lone_seat())
    with lock(database.path):
        for _ in range(3):
            recorder.record(make_generation())
        start = monotonic()
        assert recorder.close(wait_s=0.2) == 3
        assert monotonic() - start < 5.0
    assert "3 generations are lost" in caplog.text


def test_close_waits_for_a_storage_that_comes_back(
    database: Database, impatient: Impatient, no_spool: Spool, make_generation: Make
) -> None:
    recorder = Recorder(impatient, no_spool, lone_seat(), gather_s=0.001)
    lost: list[int] = []
    end = Thread(target=lambda: lost.append(recorder.close()))
    with lock(database.path):
        recorder.record(make_generation())
        end.start()
        impatient.wait_for_tries()
        assert end.is_alive()
    end.join()
    assert (lost, count(database)) == ([0], 1)


def test_record_that_cannot_be_written_does_not_keep_the_others_back(
    database: Database, spool: Spool, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(database, spool, lone_seat())
    good = [make_generation() for _ in range(20)]
    bad = make_generation(latency_ms=2**80)
    for record in (*good[:10], bad, *good[10:]):
        recorder.record(record)
    assert recorder.close() == 0
    assert recorder.dropped == 1
    assert recorder.find(bad.id) is None
    assert all(find(database, record.id) == record for record in good)
    assert f"generation {bad.id} cannot be written: OverflowError" in caplog.text


def test_recorder_of_an_idle_server_does_nothing(database: Database, spool: Spool, make_generation: Make) -> None:
    recorder = Recorder(database, spool, lone_seat(), gather_s=0.001)
    recorder.record(make_generation())
    until(lambda: count(database) == 1)
    assert recorder.close() == 0
    assert recorder.close() == 0

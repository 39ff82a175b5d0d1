"""The spool: what is in it survives the process, whatever state the process leaves it in."""

from __future__ import annotations

import logging
import os
import resource
import stat
from typing import TYPE_CHECKING

import pytest

from setpoint.storage.segments import (
    MAX_LINE_BYTES,
    folders,
    make_folder,
    read_lines,
    segment_paths,
    take,
    write_line,
)
from setpoint.storage.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from setpoint.records import Generation

    Make = Callable[..., Generation]


def lines(root: Path) -> list[tuple[str, str]]:
    """The id and status of every line of every segment, in order."""
    [folder] = folders(root)
    found = [record for path in segment_paths(folder) for record in read_lines(path)]
    return [(record.id, record.status) if record else ("", "") for record in found]


def begun(make: Make) -> Generation:
    return make(status="interrupted", usage=None, cost=None, latency_ms=None, generation_ms=None)


def test_a_line_is_read_as_the_record_that_it_was_written_of(make_generation: Make) -> None:
    for record in (make_generation(), begun(make_generation), make_generation(app_title='a\nb "\x00\u2028')):
        line = write_line(record)
        assert line is not None
        assert line.count(b"\n") == 1


def test_a_segment_cut_at_every_byte_gives_exactly_the_records_whose_lines_are_whole(
    tmp_path: Path, make_generation: Make
) -> None:
    records = [make_generation(user_agent="é" * 3, unsaid=(), attempts=()) for _ in range(3)]
    written = [write_line(record) or b"" for record in records]
    whole = b"".join(written)
    ends = [sum(map(len, written[:count])) for count in range(4)]
    path = tmp_path / "cut"
    path.write_bytes(whole)
    for cut in range(len(whole), -1, -1):
        os.truncate(path, cut)
        complete = sum(end <= cut for end in ends) - 1
        assert list(read_lines(path)) == [*records[:complete], *([] if cut in ends else [None])]


def test_what_is_no_record_is_passed_over(tmp_path: Path, make_generation: Make) -> None:
    good = make_generation()
    line = write_line(good) or b""
    nonsense = [
        b"\n",
        b"{}\n",
        b"null\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        line.replace(b'"completed"', b'"unheard of"'),
        line[:-2] + b"\n",
        b"x" * (3 * MAX_LINE_BYTES) + b"\n",
    ]
    path = tmp_path / "garbage"
    path.write_bytes(line + line.join(nonsense) + line)
    found = list(read_lines(path))
    assert found == [good, None] * len(nonsense) + [good]


def test_text_that_is_no_unicode_and_records_without_bounds_are_in_no_line(make_generation: Make) -> None:
    assert write_line(make_generation(app_title="\ud800")) is None
    assert write_line(make_generation(unsaid=("/x" * MAX_LINE_BYTES,))) is None


def test_a_request_is_in_the_spool_from_its_begin_to_its_settlement(
    spools: Path, spool: Spool, make_generation: Make
) -> None:
    first, second = begun(make_generation), begun(make_generation)
    spool.begin(first)
    spool.begin(second)
    assert lines(spools) == [(first.id, "interrupted"), (second.id, "interrupted")]
    ended = make_generation(id=first.id)
    assert spool.finish(ended)
    assert lines(spools)[-1] == (first.id, "completed")
    spool.settle([first.id])
    assert spool.close() == 0
    assert lines(spools)[1] == (second.id, "interrupted")  # it has not ended: the next start is told


def test_a_spool_of_which_all_is_settled_leaves_nothing_behind(
    spools: Path, spool: Spool, make_generation: Make
) -> None:
    records = [begun(make_generation) for _ in range(10)]
    for record in records:
        spool.begin(record)
        spool.finish(make_generation(id=record.id))
    spool.settle(record.id for record in records)
    assert spool.close() == 0
    assert list(spools.iterdir()) == []


def test_files_are_for_their_owner_only(spools: Path, spool: Spool, make_generation: Make) -> None:
    spool.finish(make_generation())
    [folder] = folders(spools)
    [segment] = segment_paths(folder)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (spools, folder, segment)] == [0o700, 0o700, 0o600]


def test_a_new_segment_begins_with_what_is_open_and_settled_ones_go(spools: Path, make_generation: Make) -> None:
    spool = Spool(spools, segment_bytes=4_000)
    [folder] = folders(spools)
    long = begun(make_generation)
    spool.begin(long)
    records = [make_generation() for _ in range(30)]
    for record in records:
        spool.finish(record)
    segments = segment_paths(folder)
    assert len(segments) > 5
    for path in segments:
        first = next(read_lines(path))
        assert first is not None
        assert first.id == long.id
    spool.settle(record.id for record in records)
    assert segment_paths(folder) == segments[-1:]
    assert spool.bytes == segments[-1].stat().st_size
    spool.finish(make_generation(id=long.id))
    spool.settle([long.id])
    assert spool.close() == 0
    assert not folder.exists()


def test_a_segment_stays_until_the_last_of_its_records_is_settled(spools: Path, make_generation: Make) -> None:
    spool = Spool(spools, segment_bytes=10_000)
    [folder] = folders(spools)
    records = [make_generation() for _ in range(20)]
    for record in records:
        spool.finish(record)
    count = len(segment_paths(folder))
    spool.settle(record.id for record in records[1:])
    assert len(segment_paths(folder)) == 2
    assert count > 2
    spool.settle([records[0].id])
    assert len(segment_paths(folder)) == 1
    spool.close()


def test_beyond_its_bound_the_oldest_segment_is_dropped_and_what_was_only_there_is_counted(
    spools: Path, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(spools, segment_bytes=5_000, max_bytes=20_000)
    open_one = begun(make_generation)
    spool.begin(open_one)
    records = [make_generation() for _ in range(60)]
    for record in records:
        assert spool.finish(record)
        assert spool.park(record.id)
        assert spool.bytes <= 25_000
    left = [spool.has_parked(record.id) for record in records]
    assert left == sorted(left)
    assert spool.dropped == left.count(False) > 30
    assert spool.parked_count == left.count(True) > 0
    assert caplog.text.count("the oldest records are dropped") == 1
    assert (open_one.id, "interrupted") in lines(spools)
    spool.close()


def test_parked_records_come_back_oldest_first_and_singly(spools: Path, make_generation: Make) -> None:
    spool = Spool(spools, segment_bytes=5_000)
    records = [make_generation() for _ in range(20)]
    for record in records:
        spool.finish(record)
        spool.park(record.id)
    assert [spool.read(record.id) for record in records] == records
    assert spool.read("gen-unknown") is None
    back: list[Generation] = []
    while some := spool.parked():
        back += some
        spool.settle(record.id for record in some)
    assert back == records
    assert spool.close() == 0


def test_parked_records_whose_file_is_damaged_are_given_up_and_counted(
    spools: Path, spool: Spool, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    records = [make_generation() for _ in range(3)]
    for record in records:
        spool.finish(record)
        spool.park(record.id)
    [path] = segment_paths(folders(spools)[0])
    os.truncate(path, path.stat().st_size // 2)
    assert spool.parked() == records[:1]
    assert spool.dropped == 2
    assert "2 generations are lost" in caplog.text
    spool.settle([records[0].id])
    assert spool.parked() == []


def test_a_spool_whose_folder_was_taken_away_makes_another(
    spools: Path, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    spool = Spool(spools, segment_bytes=1_000, retry_s=0)
    [folder] = folders(spools)
    for path in segment_paths(folder):
        path.unlink()
    folder.rmdir()
    spools.rmdir()
    kept = [record for record in (make_generation() for _ in range(4)) if spool.finish(record)]
    assert len(kept) >= 2
    assert lines(spools)[-1] == (kept[-1].id, "completed")
    assert (caplog.text.count("the spool is away"), caplog.text.count("the spool is back")) == (1, 1)
    spool.close()


def test_a_folder_belongs_to_one_at_a_time(spools: Path) -> None:
    folder, lock = make_folder(spools)
    assert take(folder) is None
    os.close(lock)
    lock = take(folder)
    assert lock is not None
    folder.rmdir()
    os.close(lock)
    assert take(folder) is None


@pytest.mark.parametrize("retry_s", [0, 60])
def test_a_spool_that_is_away_does_not_stand_in_the_way(
    tmp_path: Path, retry_s: float, make_generation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool", retry_s=retry_s)
    record = make_generation()
    spool.begin(begun(make_generation))
    assert not spool.finish(record)
    assert not spool.park(record.id)
    assert spool.parked() == []
    spool.settle([record.id])
    assert spool.close() == 0
    assert caplog.text.count("the spool is away") == 1


def test_what_is_open_while_the_spool_is_away_is_in_it_when_it_is_back(tmp_path: Path, make_generation: Make) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool", retry_s=0)
    long, short = begun(make_generation), begun(make_generation)
    spool.begin(long)
    spool.begin(short)
    assert not spool.finish(make_generation(id=short.id))
    (tmp_path / "file").unlink()
    ended = make_generation()
    assert spool.finish(ended)
    assert lines(tmp_path / "file" / "spool") == [(long.id, "interrupted"), (ended.id, "completed")]
    spool.close()


@pytest.fixture
def largest_file() -> Iterator[Callable[[int], None]]:
    """Bounds the size of every file that this process writes: what goes beyond it is cut, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size if size >= 0 else before[0], before[1]))

    yield limit
    limit(-1)


def test_a_line_that_is_only_written_in_part_counts_for_nothing_and_spoils_no_other(
    spools: Path, make_generation: Make, largest_file: Callable[[int], None]
) -> None:
    spool = Spool(spools, retry_s=0)
    first, cut, third = (make_generation() for _ in range(3))
    largest_file(len(write_line(first) or b"") * 3 // 2)
    assert (spool.finish(first), spool.finish(cut)) == (True, False)
    largest_file(-1)
    assert spool.finish(third)
    assert lines(spools) == [(first.id, "completed"), ("", ""), (third.id, "completed")]
    spool.close()


def test_tries_that_fail_leave_no_files_and_one_line_in_the_log(
    spools: Path, make_generation: Make, largest_file: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    spool = Spool(spools, retry_s=0)
    largest_file(100)
    assert not any(spool.finish(make_generation()) for _ in range(10))
    [folder] = folders(spools)
    assert segment_paths(folder) == []
    largest_file(-1)
    assert spool.finish(make_generation())
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "the spool is away",
        "the spool is back",
    ]
    spool.close()

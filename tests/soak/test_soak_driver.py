"""The soak's driver: it goes on where it was ended, ends in time, and says what is not proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soak.part import Finding, Part, Progress
from soak.run import soak

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNFINISHED = 3


def counting(calls: list[int], stop_after: int = 10**9) -> Callable[[int, Progress], list[Finding]]:
    """A part that counts to its goal in ones, and in one run no further than `stop_after`."""

    def run(goal: int, progress: Progress) -> list[Finding]:
        calls.append(progress.done)
        for _ in range(min(stop_after, goal - progress.done)):
            progress.step(1, sum=progress.figures.get("sum", 0) + 1)
        return [Finding("sum", str(progress.figures["sum"]), "as many as were done", holds=True)]

    return run


def one_run(tmp_path: Path, part: Part, *, revision: str = "r1", scale: float = 1.0, fresh: bool = False) -> int:
    return soak([part], build=tmp_path, revision=revision, scale=scale, limit_s=60, fresh=fresh)


def test_part_that_was_ended_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []
    part = Part("count", "ones", 10, 60, counting(calls, stop_after=4))
    assert [one_run(tmp_path, part) for _ in range(3)] == [UNFINISHED, UNFINISHED, 0]
    assert calls == [0, 4, 8]
    assert "| count | sum | 10 | as many as were done | yes |" in capsys.readouterr().out


def test_finished_part_is_not_run_again_but_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []
    part = Part("count", "ones", 10, 60, counting(calls))
    assert [one_run(tmp_path, part), one_run(tmp_path, part)] == [0, 0]
    assert calls == [0]
    assert capsys.readouterr().out.count("| count | sum | 10 |") == 2


def test_other_code_other_scale_and_a_fresh_run_begin_anew(tmp_path: Path) -> None:
    calls: list[int] = []
    part = Part("count", "ones", 10, 60, counting(calls, stop_after=5))
    one_run(tmp_path, part)
    one_run(tmp_path, part, scale=0.9)
    one_run(tmp_path, part, fresh=True)
    one_run(tmp_path, part, revision="r2")
    assert calls == [0, 0, 0, 0]


def test_what_does_not_hold_fails_the_soak_and_is_run_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def run(goal: int, progress: Progress) -> list[Finding]:
        calls.append(progress.done)
        progress.step(goal - progress.done)
        return [Finding("drift", "3 %", "2 % at most", holds=False)]

    part = Part("broken", "requests", 10, 60, run)
    assert [one_run(tmp_path, part), one_run(tmp_path, part)] == [1, 1]
    assert len(calls) == 2


def test_exception_in_a_part_is_a_finding_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_goal: int, _progress: Progress) -> list[Finding]:
        raise RuntimeError("boom")

    calls: list[int] = []
    parts = [Part("broken", "ones", 1, 60, broken), Part("count", "ones", 1, 60, counting(calls))]
    assert soak(parts, build=tmp_path, revision="r1", scale=1, limit_s=60, fresh=False) == 1
    assert calls == [0]
    said = capsys.readouterr()
    assert "| broken | broken | ended with an exception, see above | none | NO |" in said.out
    assert "boom" in said.err


@pytest.mark.parametrize(("part_s", "whole_s"), [(0, 60), (60, 0)])
def test_no_part_goes_on_when_its_time_or_that_of_the_whole_is_up(
    tmp_path: Path, part_s: float, whole_s: float
) -> None:
    def patient(goal: int, progress: Progress) -> list[Finding]:
        while progress.done < goal and not progress.time_is_up:
            progress.step(1)
        return []

    part = Part("patient", "ones", 10, part_s, patient)
    assert soak([part], build=tmp_path, revision="r1", scale=1, limit_s=whole_s, fresh=False) == UNFINISHED

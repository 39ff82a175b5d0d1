"""What work costs as it grows: CPU time of this thread, for ten times the work beside the same work in the same run."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

TIMES = 10
_TRIES = 5
_BESIDE = 3
# Ten times as much is ten times the work. A hundred times would be each part with each other.
_MOST = 1.5 * TIMES


@contextmanager
def uncollected() -> Generator[None]:
    """No collection of cycles in the midst of what is measured."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def times_as_much(few: Callable[[], object], many: Callable[[], object]) -> float:
    """How many times as much CPU time `many`, which is `TIMES` as much to do, costs as `few`.

    A machine that is busy, or clocked down, makes all dearer that runs meanwhile. So `few` is done several times right
    before `many` and right behind it, and the least of some tries counts: no more of them than until it is no more than
    it may be.
    """
    found: list[float] = []
    while not found or (min(found) >= _MOST and len(found) < _TRIES):
        before_s = sum(_cost_s(few) for _ in range(_BESIDE))
        many_s = _cost_s(many)
        after_s = sum(_cost_s(few) for _ in range(_BESIDE))
        found.append(many_s * 2 * _BESIDE / (before_s + after_s))
    return min(found)


def is_in_proportion(few: Callable[[], object], many: Callable[[], object]) -> bool:
    """Whether `TIMES` as much to do costs about `TIMES` as much."""
    return times_as_much(few, many) < _MOST


def _cost_s(work: Callable[[], object]) -> float:
    with uncollected():
        began_s = time.thread_time()
        work()
        return time.thread_time() - began_s

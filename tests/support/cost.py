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
# Ten times as much is ten times the work. A hundred times would be each part with each other. Short work is done in a
# millisecond or two, so what else the machine does can make either look half as dear again.
_MOST = 2.5 * TIMES


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

    A busy machine makes either one dearer, never cheaper. So the least of some tries counts, and there are no more of
    them as soon as it is no more than it may be.
    """
    few_s, many_s = _cost_s(few), _cost_s(many)
    for _ in range(_TRIES):
        few_s = min(few_s, _cost_s(few))
        if many_s < _MOST * few_s:
            break
        many_s = min(many_s, _cost_s(many))
    return many_s / few_s


def is_in_proportion(few: Callable[[], object], many: Callable[[], object]) -> bool:
    """Whether `TIMES` as much to do costs about `TIMES` as much."""
    return times_as_much(few, many) < _MOST


def _cost_s(work: Callable[[], object]) -> float:
    with uncollected():
        began_s = time.thread_time()
        work()
        return time.thread_time() - began_s

"""How much may be repeated."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from setpoint.routing.budget import RetryBudget


class Clock:
    def __init__(self) -> None:
        self.now = 100.5

    def __call__(self) -> float:
        return self.now


def spent(budget: RetryBudget, at_most: int = 1_000) -> int:
    """How many further tries there may be at once."""
    count = 0
    while count < at_most and budget.spend():
        count += 1
    return count


def test_it_begins_with_what_ten_idle_seconds_earn_and_holds_no_more() -> None:
    clock = Clock()
    budget = RetryBudget(0.2, clock)
    clock.now += 3_600
    assert spent(budget) == 20
    assert spent(budget) == 0


def test_each_second_earns_two() -> None:
    clock = Clock()
    budget = RetryBudget(0.2, clock)
    spent(budget)
    found: list[int] = []
    for _ in range(3):
        clock.now += 1
        found.append(spent(budget))
    clock.now += 4
    assert [*found, spent(budget)] == [2, 2, 2, 8]


def test_each_request_earns_its_share() -> None:
    clock = Clock()
    budget = RetryBudget(0.2, clock)
    spent(budget)
    for _ in range(100):
        budget.earn()
    assert spent(budget) == 20


def test_what_was_earned_is_kept_for_ten_seconds() -> None:
    clock = Clock()
    budget = RetryBudget(1, clock)
    for _ in range(500):
        budget.earn()
    clock.now += 9
    assert budget.left == 520
    clock.now += 1
    assert budget.left == 20


def test_it_is_filled_as_at_the_start() -> None:
    budget = RetryBudget(0, Clock())
    spent(budget)
    budget.fill()
    assert spent(budget) == 20


@given(st.lists(st.tuples(st.floats(0, 15), st.integers(0, 30), st.integers(0, 30)), max_size=30))
def test_no_more_is_ever_spent_than_was_earned(turns: list[tuple[float, int, int]]) -> None:
    clock = Clock()
    budget = RetryBudget(0.2, clock)
    begun, requests, tries = clock.now, 0, 0
    moments = [clock.now]
    for pause_s, asked, wanted in turns:
        clock.now += pause_s
        moments.append(clock.now)
        for _ in range(asked):
            budget.earn()
        requests += asked
        tries += spent(budget, wanted)
        assert tries <= 20 + 0.2 * requests + 2 * (clock.now - begun + 1) + 1e-6
    assert all(after >= before for before, after in pairwise(moments))

"""Lots: one throw for who comes first, and in a conversation the same one, however many are looked at."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.routing.draw import Chance, Lots
from support.records import endpoint

NEARLY_1 = math.nextafter(1, 0)


def lots(*pulls: float) -> Lots:
    """As many endpoints, with these shares."""
    return Lots(tuple(endpoint(f"p{at}", dollars=1_000_000, weight=pull * 4) for at, pull in enumerate(pulls)))


MANY = lots(*(1 + at % 9 for at in range(130)))


@pytest.mark.parametrize(
    ("thrown", "place"), [(0.0, 0), (0.249, 0), (0.25, 1), (0.749, 1), (0.75, 2), (NEARLY_1, 2), (1.0, 2)]
)
def test_a_throw_falls_on_shares_in_their_order(thrown: float, place: int) -> None:
    assert Chance(lambda: thrown, None).first(lots(1, 2, 1)) == place


@pytest.mark.parametrize("pulls", [(1e-300, 1e300), (0.1,) * 10, (1e300,) * 3])
def test_the_highest_throw_falls_on_the_last(pulls: tuple[float, ...]) -> None:
    assert Chance(lambda: NEARLY_1, None).first(lots(*pulls)) == len(pulls) - 1


@given(st.text(max_size=5), st.integers(1, len(MANY.endpoints)))
def test_in_a_conversation_that_lot_is_first_which_waits_for_the_shortest_time(name: str, count: int) -> None:
    chance, drawn = Chance(lambda: 0.5, name), Lots(MANY.endpoints[:count])
    waits = [chance.wait(one, one.pull) for one in drawn.endpoints]
    assert chance.first(drawn) == waits.index(min(waits))
    assert min(waits) >= 0


def test_a_lot_without_a_share_waits_for_ever() -> None:
    assert Chance(lambda: 0.5, "c").wait(endpoint("p"), 0) == math.inf

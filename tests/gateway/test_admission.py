"""The places of one worker: how many there are, who gets them, and that each is given back once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from setpoint.errors import GatewayError
from setpoint.gateway.admission import Admission, Place
from setpoint.gateway.lag import INTERVAL_S
from support.records import endpoint, provider

if TYPE_CHECKING:
    from setpoint.records import Endpoint

LATE_S = 0.2


def admission_of(places: int) -> Admission:
    return Admission(places, lambda: 0.0)


def at(slug: str, *, concurrency: int | None = None, model: str = "m", most: int | None = None) -> Endpoint:
    """An endpoint of this provider, which may have so many requests at once, as may the endpoint."""
    return endpoint(provider(slug, concurrency=concurrency), model, concurrency=most)


def fill(admission: Admission, provider: str = "slow") -> list[Place]:
    """As many requests as this provider may have, each in its place."""
    places: list[Place] = []
    while (place := admission.enter()).go_to(at(provider), alone=False) is None:
        places.append(place)
    leave(place)
    return places


def leave(*places: Place) -> None:
    for place in places:
        with place:
            pass


def let_in(admission: Admission, most: int) -> list[Place]:
    """So many requests, or as many as there are places for."""
    places: list[Place] = []
    with suppress(GatewayError):
        for _ in range(most):
            places.append(admission.enter())  # noqa: PERF401 those before the refused one must stay
    return places


def test_there_are_so_many_places_and_no_more() -> None:
    admission = admission_of(3)
    places = let_in(admission, 4)
    assert (len(places), admission.in_work, admission.shed) == (3, 3, {"full": 1})
    with pytest.raises(GatewayError) as refused:
        admission.check()
    assert (refused.value.type, refused.value.retry_after_s) == ("unavailable", 1)
    leave(places[0])
    admission.check()


def test_a_place_is_given_back_once_however_often_it_is_left() -> None:
    admission = admission_of(3)
    place, _ = admission.enter(), admission.enter()
    place.go_to(at("acme"), alone=False)
    leave(place, place)
    assert (admission.in_work, admission.held) == (1, {})


def test_a_place_is_given_back_by_a_request_that_fails() -> None:
    admission = admission_of(3)
    with pytest.raises(ZeroDivisionError), admission.enter() as place:
        place.go_to(at("acme"), alone=False)
        raise ZeroDivisionError
    assert (admission.in_work, admission.held) == (0, {})


def test_a_place_counts_for_one_provider_at_a_time() -> None:
    admission = admission_of(10)
    place = admission.enter()
    place.go_to(at("acme"), alone=False)
    place.go_to(at("bolt"), alone=False)
    assert admission.held == {"bolt": 1}


def test_a_provider_holds_at_most_four_fifths() -> None:
    admission = admission_of(1_000)
    assert len(fill(admission)) == 800
    assert admission.shed == {"provider": 1}
    assert admission.enter().go_to(at("quick"), alone=False) is None


def test_two_slow_providers_leave_room_for_a_third() -> None:
    admission = admission_of(900)
    held = [admission.enter() for _ in range(800)]
    went = [place.go_to(at(f"slow{turn % 2}"), alone=False) for turn, place in enumerate(held)]
    leave(*(place for place, full in zip(held, went, strict=True) if full))
    assert admission.held["slow0"] <= 400
    assert admission.held["slow1"] <= 400
    assert admission.enter().go_to(at("quick"), alone=False) is None


def test_a_provider_that_is_alone_may_have_all() -> None:
    admission = admission_of(10)
    assert not any(place.go_to(at("only"), alone=True) for place in let_in(admission, 10))


@pytest.mark.parametrize("places", [1, 2, 3, 4, 5])
def test_a_provider_that_holds_nothing_may_be_asked_however_few_places_there_are(places: int) -> None:
    admission = admission_of(places)
    assert admission.enter().go_to(at("acme"), alone=False) is None


@pytest.mark.parametrize(("workers", "part"), [(1, 5), (2, 2), (5, 1), (9, 1)])
def test_each_worker_has_an_equal_part_of_what_a_provider_may_have_and_one_at_least(workers: int, part: int) -> None:
    admission = Admission(100, lambda: 0.0, workers)
    acme = at("acme", concurrency=5)
    seen = [(admission.full(acme), place.go_to(acme, alone=False)) for place in let_in(admission, 10)]
    assert seen == [(False, None)] * part + [(True, "concurrency")] * (10 - part)
    assert admission.enter().go_to(at("bolt"), alone=False) is None


def test_what_a_provider_may_have_counts_over_all_of_its_endpoints() -> None:
    admission = admission_of(100)
    models = [at("acme", concurrency=3, model=f"m{number}") for number in range(4)]
    assert [admission.enter().go_to(one, alone=True) for one in models] == [None, None, None, "concurrency"]


def test_what_an_endpoint_may_have_counts_for_it_alone() -> None:
    admission = admission_of(100)
    small, large = at("acme", concurrency=3, model="small", most=1), at("acme", concurrency=3, model="large")
    first, second = admission.enter(), admission.enter()
    assert (first.go_to(small, alone=True), second.go_to(small, alone=True)) == (None, "concurrency")
    assert (admission.full(small), admission.full(large)) == (True, False)
    assert second.go_to(large, alone=True) is None
    leave(first, second)
    assert (admission.held, admission.at_endpoints) == ({}, {})
    assert admission.enter().go_to(small, alone=True) is None


class Clock:
    """How long a turn has been going on, as the test says."""

    def __init__(self) -> None:
        self.turn_s = 0.0

    def __call__(self) -> float:
        return self.turn_s


def late_for(admission: Admission, seconds: float, *, turn_s: float = LATE_S) -> None:
    for _ in range(round(seconds / (turn_s + INTERVAL_S))):
        admission.observe(turn_s)


def is_let_in(admission: Admission) -> bool:
    try:
        admission.check()
    except GatewayError:
        return False
    return True


def test_an_overloaded_loop_takes_what_comes_early_in_a_turn_and_nothing_that_comes_late() -> None:
    turn = Clock()
    admission = Admission(1_000, turn)
    late_for(admission, 4)
    assert is_let_in(admission)
    turn.turn_s = 0.03
    assert not is_let_in(admission)
    assert admission.shed == {"late": 1}


@pytest.mark.parametrize("turns", [[2.0], [0.5] * 3, [0.05] * 1_000, [0.3, *[0.0] * 12] * 100])
def test_a_burst_or_a_long_turn_is_no_overload(turns: list[float]) -> None:
    turn = Clock()
    admission = Admission(1_000, turn)
    turn.turn_s = 9.0
    for late_s in turns:
        admission.observe(late_s)
    assert is_let_in(admission)


def test_overload_lasts_as_long_as_anybody_is_refused_and_not_much_longer() -> None:
    turn = Clock()
    admission = Admission(1_000, turn)
    late_for(admission, 4)
    turn.turn_s = 0.03
    for _ in range(200):  # short turns, because so many are refused
        admission.observe(0.02)
        assert not is_let_in(admission)
    for _ in range(40):
        admission.observe(0.02)
    assert is_let_in(admission)


def test_who_is_in_stays_in_when_there_are_fewer_places() -> None:
    admission = admission_of(10)
    places = let_in(admission, 8)
    admission.resize(4)
    assert (admission.in_work, admission.limit) == (8, 4)
    assert not is_let_in(admission)
    leave(*places[:5])
    assert is_let_in(admission)

"""The places of one worker: how many there are, who gets them, and that each is given back once."""

from __future__ import annotations

from contextlib import suppress

import pytest

from setpoint.errors import GatewayError
from setpoint.gateway.admission import Admission, Place

LATE_S = 0.2


def fill(admission: Admission, provider: str = "slow") -> list[Place]:
    """As many requests as this provider may have, each in its place."""
    places: list[Place] = []
    while (place := admission.enter()).go_to(provider, alone=False):
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
    admission = Admission(3)
    places = let_in(admission, 4)
    assert (len(places), admission.in_work, admission.shed) == (3, 3, {"full": 1})
    with pytest.raises(GatewayError) as refused:
        admission.check()
    assert (refused.value.type, refused.value.retry_after_s) == ("unavailable", 1)
    leave(places[0])
    admission.check()


def test_a_place_is_given_back_once_however_often_it_is_left() -> None:
    admission = Admission(3)
    place, _ = admission.enter(), admission.enter()
    place.go_to("acme", alone=False)
    leave(place, place)
    assert (admission.in_work, admission.held) == (1, {})


def test_a_place_is_given_back_by_a_request_that_fails() -> None:
    admission = Admission(3)
    with pytest.raises(ZeroDivisionError), admission.enter() as place:
        place.go_to("acme", alone=False)
        raise ZeroDivisionError
    assert (admission.in_work, admission.held) == (0, {})


def test_a_place_counts_for_one_provider_at_a_time() -> None:
    admission = Admission(10)
    place = admission.enter()
    place.go_to("acme", alone=False)
    place.go_to("bolt", alone=False)
    assert admission.held == {"bolt": 1}


def test_a_provider_holds_at_most_four_fifths() -> None:
    admission = Admission(1_000)
    assert len(fill(admission)) == 800
    assert admission.shed == {"provider": 1}
    assert admission.enter().go_to("quick", alone=False)


def test_two_slow_providers_leave_room_for_a_third() -> None:
    admission = Admission(900)
    held = [admission.enter() for _ in range(800)]
    went = [place.go_to(f"slow{at % 2}", alone=False) for at, place in enumerate(held)]
    leave(*(place for place, ok in zip(held, went, strict=True) if not ok))
    assert admission.held["slow0"] <= 400
    assert admission.held["slow1"] <= 400
    assert admission.enter().go_to("quick", alone=False)


def test_a_provider_that_is_alone_may_have_all() -> None:
    admission = Admission(10)
    assert all(place.go_to("only", alone=True) for place in let_in(admission, 10))


@pytest.mark.parametrize("places", [1, 2, 3, 4, 5])
def test_a_provider_that_holds_nothing_may_be_asked_however_few_places_there_are(places: int) -> None:
    admission = Admission(places)
    assert admission.enter().go_to("acme", alone=False)


def test_one_late_turn_takes_a_tenth_of_those_in_work() -> None:
    admission = Admission(1_000)
    let_in(admission, 500)
    admission.observe(LATE_S)
    assert admission.limit == 450
    with pytest.raises(GatewayError):
        admission.check()
    assert admission.shed == {"late": 1}


def test_a_loop_that_is_late_with_little_in_work_refuses_nobody() -> None:
    admission = Admission(1_000)
    let_in(admission, 3)
    for _ in range(100):
        admission.observe(LATE_S)
    assert admission.limit == 16


def test_a_late_loop_turns_nobody_away_who_is_on_the_way_to_a_provider() -> None:
    admission = Admission(1_000)
    places = let_in(admission, 100)
    admission.observe(LATE_S)
    assert admission.limit < admission.in_work
    assert all(place.go_to("quick", alone=False) for place in places)


def test_all_places_are_there_again_soon_after_the_load() -> None:
    admission = Admission(1_000)
    leave(*let_in(admission, 1_000))
    for _ in range(100):
        admission.observe(LATE_S)
    assert admission.limit == 16
    turns = 0
    while admission.limit < 1_000:
        admission.observe(0.0)
        turns += 1
    assert turns <= 50


def test_who_is_in_stays_in_when_there_are_fewer_places() -> None:
    admission = Admission(10)
    places = let_in(admission, 8)
    admission.resize(4)
    assert (admission.in_work, admission.limit) == (8, 4)
    leave(*places[:5])
    admission.check()

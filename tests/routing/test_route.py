"""One request's way through its plan: what comes next after each kind of failure, and what is not asked at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.health_support import World
from routing.plan_support import catalog
from routing.test_plan import BOLT, FREE, RUNE, SAGE, WORLD, made
from setpoint.errors import ProviderError, Retry
from setpoint.protocols.failures import Reported, failure
from setpoint.records import Model
from setpoint.routing.budget import RetryBudget
from setpoint.routing.health import Health
from setpoint.routing.route import Route
from support.records import endpoint, provider

if TYPE_CHECKING:
    from setpoint.routing.catalog import Catalog
    from setpoint.routing.placing import Candidate


def failed(retry: Retry, status: int | None = None, type_: Any = "provider_unavailable") -> ProviderError:
    return ProviderError(type_, "no", retry=retry, upstream_status=status)


def through(candidates: tuple[Candidate, ...], health: Health | None = None, *, budget: float = 1_000) -> Route:
    """The way through these, with the means for so many further tries."""
    means = RetryBudget(0, lambda: 0.0)
    while means.left >= 1:
        means.spend()
    means.share = budget
    return Route(candidates, health or Health(lambda: 0.0, lambda: 0.5, lambda _: None), means)


def route(*models: str, world: Catalog = WORLD) -> Route:
    return through(made(*models, world=world).candidates)


def name(one: Candidate | None) -> str | None:
    return None if one is None else f"{one.model.id}@{one.endpoint.tag}" + (f"#{one.key.id}" if one.key else "")


def test_the_next_endpoint_then_the_next_model() -> None:
    way = route("acme/sage", "bolt/rune:8b")
    assert name(way.next(None)) == "acme/sage@acme"
    assert name(way.next(failed("next_endpoint"))) == "acme/sage@bolt"
    assert name(way.next(failed("next_endpoint"))) == "bolt/rune:8b@bolt"
    assert way.next(failed("next_endpoint")) is None
    assert way.next(failed("next_endpoint")) is None


def test_the_next_model_skips_what_is_left_of_this_one() -> None:
    way = route("acme/sage", "bolt/rune:8b")
    way.next(None)
    assert name(way.next(failed("next_model", 400))) == "bolt/rune:8b@bolt"
    assert way.next(failed("next_model", 400)) is None


def test_a_stop_ends_it() -> None:
    way = route("acme/sage", "bolt/rune:8b")
    way.next(None)
    assert way.next(failed("stop")) is None
    assert way.next(None) is None


def test_an_endpoint_that_was_not_asked_is_passed_over() -> None:
    way = route("acme/sage")
    way.next(None)
    assert name(way.next(None)) == "acme/sage@bolt"


def test_the_same_endpoint_is_tried_once_more_and_then_the_next() -> None:
    way = route("acme/sage")
    assert [name(way.next(error)) for error in (None, *[failed("same")] * 4)] == [
        *("acme/sage@acme", "acme/sage@acme", "acme/sage@bolt", "acme/sage@bolt", None)
    ]


TWO_KEYS = catalog(Model(id="m", name="M", endpoints=(endpoint(provider("acme", "k1", "k2")), endpoint(BOLT))))


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_another_key_of_the_same_endpoint_is_next_where_the_key_may_be_the_reason(status: int) -> None:
    way = route("m", world=TWO_KEYS)
    assert name(way.next(None)) == "m@acme#k1"
    assert name(way.next(failed("next_endpoint", status))) == "m@acme#k2"
    assert name(way.next(failed("next_endpoint", status))) == "m@bolt"


@pytest.mark.parametrize("status", [None, 404, 408, 413, 500, 503, 529])
def test_other_keys_of_an_endpoint_are_skipped_where_the_endpoint_is_the_reason(status: int | None) -> None:
    way = route("m", world=TWO_KEYS)
    way.next(None)
    assert name(way.next(failed("next_endpoint", status))) == "m@bolt"


def test_a_prompt_that_is_too_long_goes_to_endpoints_with_more_room_before_the_next_model() -> None:
    sizes = {"small": 8, "smaller": 4, "same": 8, "unknown": None, "large": 16, "larger": 32}
    endpoints = tuple(endpoint(provider(tag), context_length=size) for tag, size in sizes.items())
    world = catalog(Model(id="m", name="M", endpoints=endpoints), SAGE)
    too_long = failed("next_model", 400, "context_length_exceeded")
    way = route("m", "acme/sage", world=world)
    assert [name(way.next(error)) for error in (None, too_long, too_long, too_long)] == [
        *("m@small", "m@large", "m@larger", "acme/sage@acme")
    ]
    other = route("m", "acme/sage", world=world)
    other.next(None)
    assert name(other.next(failed("next_model", 400, "content_policy_violation"))) == "acme/sage@acme"


_RETRIES: list[Retry] = ["same", "next_endpoint", "next_model", "stop"]
_FAILURES = st.none() | st.builds(
    failed,
    st.sampled_from(_RETRIES),
    st.sampled_from([None, 400, 401, 429, 500]),
    st.sampled_from(["provider_unavailable", "context_length_exceeded"]),
)
_MODELS = st.lists(
    st.sampled_from(["acme/sage", "~sage", "acme/sage:nitro", "bolt/rune:8b", "acme/mint", "acme/mint:free", "m"]),
    min_size=1,
    max_size=5,
)
KEYED = catalog(SAGE, RUNE, FREE, Model(id="m", name="M", endpoints=(endpoint(provider("acme", "k1", "k2", "k3")),)))


@given(_MODELS, st.lists(_FAILURES, min_size=20, max_size=20))
def test_no_candidate_is_offered_again_but_once_when_told_the_same(
    models: list[str], failures: list[ProviderError | None]
) -> None:
    candidates = made(*models, world=KEYED).candidates
    assert all(one not in candidates[:at] for at, one in enumerate(candidates))
    way = through(candidates)
    offered = [way.next(None)]
    for error in failures:
        before, following = offered[-1], way.next(error)
        if following is not None and following is before:
            assert error is not None
            assert error.retry == "same"
        offered.append(following)
    places = [candidates.index(one) for one in offered if one is not None]
    assert places == sorted(places)
    assert all(places.count(place) <= 2 for place in places)
    assert offered[-1] is None


def test_a_key_that_is_refused_is_not_tried_for_another_model_either() -> None:
    acme = provider("acme", "k1", "k2")
    world = catalog(*(Model(id=name, name=name, endpoints=(endpoint(acme, name),)) for name in ("one", "two")))
    way = through(made("one", "two", world=world).candidates)
    refused_key = ProviderError("provider_unavailable", "no", permanent=True, upstream_status=401)
    tried = [way.next(None), way.next(refused_key), way.next(refused_key)]
    assert [(one.model.id, one.key.id) for one in tried if one and one.key] == [
        ("one", acme.keys[0].id),
        ("one", acme.keys[1].id),
    ]
    assert tried[-1] is None


# --- what is known of the candidates -------------------------------------------------------------------------


def test_a_candidate_that_cools_down_comes_behind_all_others_of_all_models() -> None:
    world = World()
    candidates = made("acme/sage", "bolt/rune:8b").candidates
    world.fail(candidates[0], failed("next_endpoint", 429, "rate_limit_exceeded"))
    way = through(candidates, world.health)
    down = failed("next_endpoint", 500)
    assert [name(way.next(error)) for error in (None, down, down, down)] == [
        *("acme/sage@bolt", "bolt/rune:8b@bolt", "acme/sage@acme", None)
    ]
    assert way.passed == []


def test_an_endpoint_whose_breaker_is_open_is_not_tried_and_named_once() -> None:
    world = World()
    candidates = made("m", world=TWO_KEYS).candidates
    world.fail(candidates[0], failed("next_endpoint", 500), times=3)
    way = through(candidates, world.health)
    assert name(way.next(None)) == "m@bolt"
    assert way.next(failed("next_endpoint", 500)) is None
    assert [(provider, error.provider_code) for provider, error in way.passed] == [("Acme", "breaker_open")]


def test_a_key_that_is_known_to_be_refused_is_not_tried_for_any_model() -> None:
    acme = provider("acme", "k1", "k2")
    catalog_ = catalog(*(Model(id=name, name=name, endpoints=(endpoint(acme, name),)) for name in ("one", "two")))
    world, candidates = World(), made("one", "two", world=catalog_).candidates
    world.fail(candidates[0], ProviderError("provider_unavailable", "no", permanent=True, upstream_status=401))
    way = through(candidates, world.health)
    assert name(way.next(None)) == "one@acme#k2"
    assert name(way.next(failed("next_endpoint", 500))) == "two@acme#k2"
    assert [(provider, error.permanent) for provider, error in way.passed] == [("Acme", True)]


def test_of_a_crowd_one_request_is_the_probe_and_gives_it_back_when_it_leaves() -> None:
    world = World()
    candidates = made("acme/sage").candidates
    world.fail(candidates[0], failed("next_endpoint", 500), times=3)
    world.now += 31
    ways = [through(candidates, world.health) for _ in range(3)]
    assert [name(way.next(None)) for way in ways] == ["acme/sage@acme", "acme/sage@bolt", "acme/sage@bolt"]
    ways[0].leave()
    assert name(through(candidates, world.health).next(None)) == "acme/sage@acme"


def test_a_way_that_is_left_keeps_the_try_whose_answer_has_begun() -> None:
    world = World()
    way = through(made("acme/sage").candidates, world.health)
    way.next(None)
    trial = way.trial
    assert trial is not None
    trial.began()
    way.leave()
    trial.failed(failed("stop"))
    assert not world.stable(made("acme/sage").candidates[0])


# --- the retry budget ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [failed("next_endpoint"), failed("next_endpoint", 500), failed("next_model", 408)])
def test_without_means_for_a_further_try_there_is_none(error: ProviderError) -> None:
    way = through(made("acme/sage", "bolt/rune:8b").candidates, budget=0)
    way.next(None)
    assert way.next(error) is None
    assert way.cut_short
    assert way.trial is None


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_other_failures_cost_nothing(status: int) -> None:
    way = through(made("acme/sage", "bolt/rune:8b").candidates, budget=0)
    way.next(None)
    error = failure(status, Reported(), {}, provider="Acme")
    assert name(way.next(error)) == ("acme/sage@bolt" if error.retry == "next_endpoint" else "bolt/rune:8b@bolt")


def test_a_request_earns_its_share_once_it_is_on_its_way() -> None:
    means = RetryBudget(0.5, lambda: 0.0)
    way = Route(made("acme/sage").candidates, World().health, means)
    found = [means.left]
    for error in (None, failed("next_endpoint", 404), failed("next_endpoint", 404)):
        way.next(error)
        found.append(means.left)
    assert found == [20, 20.5, 20.5, 20.5]


def test_a_request_that_has_nobody_left_to_ask_spends_nothing() -> None:
    means = RetryBudget(0, lambda: 0.0)
    way = Route(made("bolt/rune:8b").candidates, World().health, means)
    way.next(None)
    assert way.next(failed("next_endpoint")) is None
    assert (means.left, way.cut_short) == (20, False)


def test_the_try_that_is_not_paid_for_is_no_probe() -> None:
    world = World()
    candidates = made("acme/sage").candidates
    world.fail(candidates[1], failed("next_endpoint", 500), times=3)
    world.now += 31
    way = through(candidates, world.health, budget=0)
    way.next(None)
    assert way.next(failed("next_endpoint", 500)) is None
    world.begin(candidates[1])


def test_each_try_beyond_the_tenth_comes_out_of_the_budget_whatever_it_follows() -> None:
    many = [Model(id=f"m{at}", name="m", endpoints=(endpoint("acme", f"m{at}"),)) for at in range(30)]
    unknown = failed("next_endpoint", 404, "not_found")
    found = made(*(one.id for one in many), world=catalog(*many)).candidates
    for means, tries in ((0.0, 10), (3.0, 13), (100.0, 30)):
        way = through(found, budget=means)
        made_tries = 1 if way.next(None) is not None else 0
        while way.next(unknown) is not None:
            made_tries += 1
        assert (made_tries, way.cut_short) == (tries, tries < 30)

"""What is remembered of endpoints and keys: the rules of the specification, one by one, with a clock in the hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routing.health_support import LONG, World, candidate, failed, unreachable
from setpoint.errors import ProviderError
from setpoint.routing.health import COOLING_S, REFUSED_S

if TYPE_CHECKING:
    from setpoint.routing.placing import Candidate

ACME, BOLT = candidate("acme"), candidate("bolt")
SILENT = ProviderError("timeout", "the provider did not begin to answer in time")
OUTAGES = [failed(500), failed(502), failed(503), failed(504), failed(529), failed(408), SILENT, unreachable()]
NO_OUTAGES = [failed(400), failed(401), failed(402), failed(403), failed(404), failed(413), failed(422), failed(429)]


# --- stability -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", OUTAGES)
def test_an_outage_is_remembered_for_thirty_seconds(error: ProviderError) -> None:
    world = World()
    world.fail(ACME, error)
    assert not world.stable(ACME)
    assert world.stable(BOLT)
    world.now += 29.9
    assert not world.stable(ACME)
    world.now += 0.2
    assert world.stable(ACME)


@pytest.mark.parametrize("error", [*NO_OUTAGES, failed(307), failed(418)])
def test_what_is_no_outage_makes_nothing_unstable_and_opens_no_breaker(error: ProviderError) -> None:
    world = World()
    for number in range(10):
        world.fail(candidate("acme", f"key {number}"), error)
    assert world.stable(ACME)
    assert world.health.open_breakers() == {"acme": 0}


def test_a_success_ends_an_outage() -> None:
    world = World()
    world.fail(ACME, failed(500))
    world.succeed(ACME)
    assert world.stable(ACME)


def test_of_what_was_never_asked_nothing_is_known() -> None:
    assert World().health.of("acme/m") is None


# --- the breaker ---------------------------------------------------------------------------------------------


def opened(dice: float = 0.5, of: Candidate = ACME) -> World:
    """A world in which the breaker of this endpoint has just opened."""
    world = World(dice)
    world.fail(of, failed(500), times=3)
    return world


@pytest.mark.parametrize("error", OUTAGES)
def test_three_outages_in_a_row_open_the_breaker(error: ProviderError) -> None:
    world = World()
    world.fail(ACME, error, times=3)
    refused = world.refused(ACME)
    assert (refused.provider_code, refused.status, refused.retry_after_s) == ("breaker_open", 503, 30)
    standing = world.health.of(ACME.endpoint.key)
    assert standing is not None
    assert (standing.open, standing.stable) == (True, False)
    assert world.heard() == ["breaker_open"]
    world.begin(BOLT)


@pytest.mark.parametrize("between", [None, failed(400), failed(422)])
def test_an_answer_between_them_begins_a_new_row(between: ProviderError | None) -> None:
    world = World()
    for _ in range(3):
        world.fail(ACME, failed(500), times=2)
        trial = world.begin(ACME)
        trial.ended(LONG) if between is None else trial.failed(between)
    world.begin(ACME)


@pytest.mark.parametrize("between", [failed(404), failed(307)])
def test_what_says_nothing_of_the_endpoint_ends_no_row(between: ProviderError) -> None:
    world = World()
    for error in (failed(500), between, failed(500), between, failed(500)):
        world.fail(ACME, error)
    assert world.refused(ACME).provider_code == "breaker_open"


@pytest.mark.parametrize(("dice", "open_s"), [(0.0, 24), (0.5, 30), (1.0, 36)])
def test_it_is_open_for_thirty_seconds_give_or_take_a_fifth(dice: float, open_s: float) -> None:
    world = opened(dice)
    world.now += open_s - 0.1
    assert world.refused(ACME).retry_after_s == 1
    world.now += 0.2
    world.begin(ACME)


def test_one_probe_at_a_time_is_let_through() -> None:
    world = opened()
    world.now += 31
    for _ in range(2):
        probe = world.begin(ACME)
        assert world.refused(ACME).provider_code == "breaker_open"
        probe.left()
    world.begin(ACME).failed(failed(429))
    world.begin(ACME)
    world.refused(ACME)


def test_while_it_waits_for_a_probe_the_endpoint_stands_where_it_always_does() -> None:
    world = opened(0.0)
    world.now += 25
    assert world.stable(ACME)
    probe = world.begin(ACME)
    assert not world.stable(ACME)
    probe.left()
    assert world.stable(ACME)


def test_a_probe_that_fails_opens_it_again() -> None:
    world = opened()
    world.now += 31
    world.fail(ACME, unreachable())
    assert world.refused(ACME).retry_after_s == 30
    assert world.heard() == ["breaker_open"], "it was never closed"


def test_a_probe_that_succeeds_closes_it() -> None:
    world = opened()
    world.now += 31
    world.succeed(ACME)
    assert world.stable(ACME)
    world.fail(ACME, failed(500), times=2)
    world.begin(ACME)
    assert world.heard() == ["breaker_open", "breaker_closed"]


def test_a_probe_that_says_what_is_wrong_with_its_request_closes_it() -> None:
    world = opened()
    world.now += 31
    world.fail(ACME, failed(400))
    world.begin(ACME)
    world.begin(ACME)


@pytest.mark.parametrize("error", [failed(404), failed(307), failed(418)])
def test_a_probe_that_says_nothing_of_the_endpoint_leaves_the_next_one_to_try(error: ProviderError) -> None:
    world = opened()
    world.now += 31
    world.fail(ACME, error)
    world.begin(ACME)
    world.refused(ACME)


def test_a_stream_that_begins_closes_it_and_one_that_breaks_opens_it_at_once() -> None:
    world = opened()
    world.now += 31
    probe = world.begin(ACME)
    probe.began()
    other = world.begin(ACME)
    probe.failed(unreachable())
    assert world.refused(ACME).provider_code == "breaker_open"
    other.ended(LONG)
    assert world.refused(ACME).provider_code == "breaker_open", "what began before says nothing of now"


def test_streams_that_begin_and_always_break_open_it() -> None:
    world = World()
    for _ in range(3):
        trial = world.begin(ACME)
        trial.began()
        trial.failed(unreachable())
    assert world.refused(ACME).provider_code == "breaker_open"


def test_a_crowd_that_fails_together_opens_it_once() -> None:
    world = World()
    crowd = [world.begin(ACME) for _ in range(100)]
    for trial in crowd[:50]:
        trial.failed(failed(500))
    world.now += 20
    for trial in crowd[50:]:
        trial.failed(failed(500))
    world.now += 11
    world.begin(ACME)


def test_a_try_ends_once() -> None:
    world = World()
    trial = world.begin(ACME)
    for _ in range(9):
        trial.failed(failed(500))
        trial.left()
        trial.ended(LONG)
    assert world.health.shown()[ACME.endpoint.key].minutes_5 == (0, 1)


# --- cooldown ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "cooling_s"),
    [
        ({}, COOLING_S),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "60"}, 60),
        ({"retry-after": "3600"}, 60),
        ({"retry-after": "1000000000"}, 60),
        ({"retry-after": "-5"}, COOLING_S),
        ({"retry-after": "soon"}, COOLING_S),
        ({"retry-after-ms": "2500"}, 3),
    ],
)
def test_a_429_cools_its_candidate_for_as_long_as_it_says_within_reason(
    headers: dict[str, str], cooling_s: float
) -> None:
    world = World()
    world.fail(ACME, failed(429, **headers))

    def held() -> str | None:
        return world.health.held_back(ACME.endpoint.key, "acme:k1")

    if cooling_s:
        world.now += cooling_s - 0.1
        assert held() == "cooling"
    world.now += 0.2
    assert held() is None


def test_cooling_is_of_one_endpoint_with_one_key_and_may_still_be_tried() -> None:
    world = World()
    world.fail(ACME, failed(429))
    assert world.health.held_back(ACME.endpoint.key, "acme:k2") is None
    assert world.health.held_back("acme/other", "acme:k1") is None
    assert world.stable(ACME)
    world.succeed(ACME)
    assert world.health.held_back(ACME.endpoint.key, "acme:k1") is None, "it has answered"


# --- refused keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [failed(401), failed(402), failed(403), failed(429, "insufficient_quota")])
def test_a_refused_key_is_not_sent_anywhere_for_five_minutes(error: ProviderError) -> None:
    world, elsewhere = World(), candidate("acme", model="other")
    world.fail(ACME, error)
    again = world.refused(elsewhere)
    assert (again.message, again.provider_code, again.permanent) == (error.message, error.provider_code, True)
    assert (again.upstream_status, again.type) == (error.upstream_status, "provider_unavailable")
    assert world.health.held_back("acme/other", "acme:k1") == "refused"
    world.begin(candidate("acme", "k2"))
    world.now += REFUSED_S - 0.1
    world.refused(ACME)
    world.now += 0.2
    assert world.health.held_back("acme/other", "acme:k1") is None
    world.begin(ACME)


def test_an_endpoint_that_is_asked_without_a_key_is_refused_alone() -> None:
    world = World()
    bare = candidate("acme", None)
    world.fail(bare, failed(401))
    world.refused(bare)
    assert world.health.held_back(bare.endpoint.key, None) == "refused"
    world.begin(candidate("acme", None, model="other"))


def test_what_does_not_mend_itself_is_told_once_until_it_was_seen_to_be_mended() -> None:
    world = World()
    for _ in range(3):
        world.fail(ACME, failed(401))
        world.now += REFUSED_S + 1
    assert [(one.what, one.provider, one.key_id) for one in world.told] == [("key_refused", "acme", "acme:k1")]
    world.fail(candidate("acme", "k2"), failed(402))
    world.now += REFUSED_S + 1
    world.succeed(ACME)
    world.fail(ACME, failed(401))
    world.fail(BOLT, failed(404), times=3)
    assert world.heard() == ["key_refused", "no_quota", "key_refused", "model_unknown"]


def test_a_model_of_the_callers_making_that_is_not_there_is_nothing_to_tell() -> None:
    world = World()
    world.fail(candidate("acme", model="*"), failed(404))
    assert world.told == []


# --- what is shown -------------------------------------------------------------------------------------------


def test_latency_and_throughput_are_those_of_the_last_five_minutes() -> None:
    world = World()
    for latency_s in (0.1, 0.2, 0.3, 0.4, 4.0):
        trial = world.begin(ACME)
        world.now += latency_s
        trial.began()
        world.now += 2
        trial.ended(100)
    standing = world.health.of(ACME.endpoint.key)
    assert standing is not None
    assert standing.latency_s is not None
    assert standing.throughput is not None
    assert standing.latency_s.p50 == pytest.approx(0.3, rel=0.05)
    assert standing.latency_s.p99 == pytest.approx(4.0, rel=0.05)
    assert standing.throughput.p50 == pytest.approx(50, rel=0.05)
    world.now += 301
    assert world.health.of(ACME.endpoint.key) is None
    shown = world.health.shown()[ACME.endpoint.key]
    assert sum(shown.latency_s.values()) == sum(shown.throughput.values()) == 5


def test_a_few_tokens_say_nothing_of_throughput_and_a_few_answers_nothing_at_all() -> None:
    world = World()
    for tokens in (15, 1_000):
        for _ in range(4):
            trial = world.begin(ACME)
            world.now += 1
            trial.ended(tokens)
    assert world.health.of(ACME.endpoint.key) is None


def test_uptime_counts_successes_and_outages_and_leaves_out_the_rest() -> None:
    world = World()
    world.succeed(ACME)
    world.succeed(ACME)
    for error in [failed(500), *NO_OUTAGES[0:1], failed(404), failed(429)]:
        world.fail(ACME, error)
    left = world.begin(ACME)
    left.began()
    left.left()
    shown = world.health.shown()[ACME.endpoint.key]
    assert shown.minutes_5 == shown.minutes_30 == shown.day == (3, 1)
    world.now += 301
    assert world.health.shown()[ACME.endpoint.key].minutes_5 == (0, 0)
    world.now += 1_800
    shown = world.health.shown()[ACME.endpoint.key]
    assert (shown.minutes_30, shown.day) == ((0, 0), (3, 1))


def test_what_nobody_asks_for_is_forgotten_in_a_day() -> None:
    world = World()
    world.succeed(ACME)
    world.now += 86_401
    assert world.health.shown() == {}


def test_open_breakers_are_counted_by_provider() -> None:
    world = opened()
    world.succeed(BOLT)
    assert world.health.open_breakers() == {"acme": 1, "bolt": 0}


# --- forgetting ----------------------------------------------------------------------------------------------


def test_a_new_configuration_gives_everything_another_chance_and_keeps_the_figures() -> None:
    world = opened()
    world.fail(BOLT, failed(401))
    cora = candidate("cora")
    world.fail(cora, failed(429))
    gone = candidate("gone")
    world.succeed(gone)
    world.health.forget({one.endpoint.key for one in (ACME, BOLT, cora)})
    for one in (ACME, BOLT, cora):
        world.begin(one)
        assert world.stable(one)
    assert world.health.held_back(cora.endpoint.key, "cora:k1") is None
    assert set(world.health.shown()) == {"acme/m", "bolt/m", "cora/m"}
    assert world.health.shown()["acme/m"].minutes_5 == (0, 3)

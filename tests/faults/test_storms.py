"""All down at once, or half of the time: how much more providers get than was asked, how soon callers know of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import pytest

from faults.faults_support import HANG_S, MESSAGES, endpoint, provider, serving
from simulator.script import body, cut, hang, ok, reset, status
from support.http import Answer, call
from support.ports import refusing_origin
from support.processes import KEY, Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script

CLIENTS = 8
REQUESTS = 200
ENDPOINTS = 2
_IN_A_ROW = 3
_FIRST_TOKEN_S = 0.3


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    impatient = {"first_token_timeout_s": _FIRST_TOKEN_S, "total_timeout_s": _FIRST_TOKEN_S}
    origin = simulator_process.origin
    with refusing_origin() as refusing:
        told = {slug: provider(origin, slug, **impatient) for slug in ("alpha", "beta")}
        gone = {"gone": provider(refusing, "gamma")}
        more = {"gone/model": {"endpoints": [{"provider": "gone", "model": "m"}, endpoint("gamma", weight=0)]}}
        with serving(tmp_path_factory, simulator_process, more_providers=told | gone, more_models=more) as gateway:
            yield gateway


class Asked(NamedTuple):
    """One answer, and how long it took."""

    answer: Answer
    took_s: float


def storm(gateway: Gateway, model: str = "pair/model", *, requests: int = REQUESTS) -> list[Asked]:
    """So many requests by a few clients that never rest, in order of their ends."""
    ended: list[Asked] = []

    def ask(_: int) -> None:
        content = {"model": model, "messages": MESSAGES}
        began = time.monotonic()
        answer = call("POST", gateway.url + "/chat/completions", content, key=KEY, timeout_s=HANG_S)
        ended.append(Asked(answer, time.monotonic() - began))

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(ask, range(requests)))
    return ended


DOWN: dict[str, Script] = {
    "500": status(500),
    "503": status(503, headers={"Retry-After": "1"}),
    "reset": reset(),
    "cut": cut(ok(), after=100),
    "garbage": body(b"\x00\xff" * 500),
    "hang": hang(),
}


@pytest.mark.parametrize("fault", DOWN.values(), ids=DOWN)
def test_when_all_are_down_they_are_left_alone_and_callers_know_at_once(
    gateway: Gateway, simulator: Simulator, fault: Script
) -> None:
    gateway.forget()
    control = median(one.took_s for one in storm(gateway, requests=REQUESTS // 4))
    simulator.clear()
    simulator.script(fault)
    ended = storm(gateway)
    upstream = len(simulator.requests())
    late = [one.took_s for one in ended[REQUESTS // 2 :]]
    print(
        f"{REQUESTS} requests, {upstream} upstream; typed error {median(late) * 1e3:.1f} ms, answer {control * 1e3:.1f}"
    )
    assert upstream <= ENDPOINTS * (_IN_A_ROW - 1 + CLIENTS), "what was under way when the breakers opened"
    for answer in (one.answer for one in ended):
        error = answer.json()["error"]
        assert answer.status in (502, 503, 504)
        assert error["metadata"]["error_type"] in ("provider_unavailable", "provider_overloaded", "timeout")
    assert ended[-1].answer.json()["error"]["availability"]["code"] == "temporarily_unavailable"
    assert median(late) < 5 * control, "it costs no more than an answer"
    gateway.forget()


def test_one_that_refuses_connections_is_left_alone_and_the_other_answers(
    gateway: Gateway, simulator: Simulator
) -> None:
    ended = storm(gateway, "gone/model")
    assert {one.answer.status for one in ended} == {200}
    assert len(simulator.requests()) == REQUESTS
    gateway.forget()


def test_further_tries_are_no_more_than_the_budget(gateway: Gateway, simulator: Simulator) -> None:
    """Each provider fails every second time, so that no breaker opens for long and there is always one to try."""
    gateway.forget()
    for prefix in ("/a", "/b"):
        simulator.cycle(status(500), ok(), prefix=prefix)
    began = time.monotonic()
    ended = storm(gateway, requests=2 * REQUESTS)
    took_s = time.monotonic() - began
    called = [one for one in ended if one.answer.status != 503]  # the others found both breakers open
    extra = len(simulator.requests()) - len(called)
    budget = 0.2 * len(ended) + 2 * (10 + took_s + 1)
    print(f"{len(ended)} requests, {extra} further tries in {took_s:.1f} s, {budget:.0f} would be allowed")
    assert extra <= budget
    gateway.forget()


def test_without_a_budget_there_are_the_two_a_second_and_no_more(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving(tmp_path_factory, simulator, settings={"retry_budget": 0}) as gateway:
        simulator.cycle(status(429, headers={"Retry-After": "0"}), prefix="/a")
        began = time.monotonic()
        ended = storm(gateway)
        took_s = time.monotonic() - began
        fell_back = [one for one in ended if one.answer.status == 200]
        extra = len(simulator.requests("/b"))
    assert len(fell_back) == extra
    assert 10 <= extra <= 2 * (10 + took_s + 1)
    told = {one.answer.status for one in ended} - {200}
    assert told == {429}, "the last failure is the answer"

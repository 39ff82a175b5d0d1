"""What is remembered of a provider that failed: who is not asked, what the caller hears instead, and the operator."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import openai
import pytest

from faults.faults_support import (
    HANG_S,
    MESSAGES,
    Front,
    attempts,
    endpoint,
    error_of,
    front_of_gateway,
    provider,
    said,
    secret,
    serving,
)
from simulator.script import body, ok, reset, status, stream
from support.http import open_stream
from support.processes import KEY
from support.scrape import Scrape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway

MOST_OPEN_S = 36


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    narrow = provider(simulator_process.origin, "alpha", concurrency=1)
    teller = {"dialect": "messages", "base_url": simulator_process.origin + "/a", "api_key": secret("teller")}
    more = {
        "counted/model": {"endpoints": [{"provider": "teller", "model": "m"}]},
        "narrow/solo": {"endpoints": [{"provider": "narrow", "model": "m"}]},
        "narrow/pair": {"endpoints": [{"provider": "narrow", "model": "m"}, endpoint("beta", weight=0)]},
        "beta/narrow": {"endpoints": [endpoint("beta", concurrency=1)]},
    }
    with serving(
        tmp_path_factory,
        simulator_process,
        settings={"metrics": True},
        more_providers={"narrow": narrow, "teller": teller},
        more_models=more,
    ) as gateway:
        yield gateway


front = front_of_gateway


def opened(front: Front, script: Script | None = None, *, streamed: bool = False) -> None:
    """The breaker of alpha's endpoint open, after three failures."""
    front.simulator.script(script or status(500), prefix="/a")
    for _ in range(3):
        front.ask("solo/alpha", stream=streamed)
    front.simulator.forget_requests()


def notices(front: Front) -> list[dict[str, Any]]:
    """What the operator was told during this test."""
    log = front.gateway.settled_log_text(since=front.logged_before)
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["logger"] == "setpoint.provider"]


# --- the breaker ---------------------------------------------------------------------------------------------

FAULTS: dict[str, Script] = {
    "500": status(500),
    "529": status(529),
    "408": status(408),
    "reset": reset(),
    "no-json": body("<html>"),
    "empty": body(""),
    "error-inside": body({"error": {"message": "boom", "code": "boom"}}),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_behind_three_failures_it_is_not_called_and_the_caller_hears_when_to_come_again(
    front: Front, fault: Script
) -> None:
    opened(front, fault)
    answer = front.ask("solo/alpha", recorded=False)
    error = error_of(answer)
    assert (answer.status, error["metadata"]["error_type"]) == (503, "provider_overloaded")
    assert error["availability"]["code"] == "temporarily_unavailable"
    assert 1 <= int(answer.header("retry-after") or 0) == error["availability"]["retry_after"] <= MOST_OPEN_S
    assert error["metadata"]["previous_errors"] == [{"provider": "Alpha", "code": "breaker_open", "status": 503}]
    assert front.simulator.requests() == []
    assert [line["what"] for line in notices(front)] == ["breaker_open"]
    assert Scrape(front.gateway).get("setpoint_provider_breakers_open", provider="alpha") == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_next_endpoint_answers_at_once(front: Front, streamed: bool) -> None:
    pair = "pair/model"
    front.simulator.script(status(500), prefix="/a")
    for _ in range(3):
        front.ask(pair, provider={"only": ["alpha"]})
    front.simulator.forget_requests()
    answer = front.ask(pair, stream=streamed)
    assert answer.status == 200
    assert front.reached() == ["beta"]
    assert attempts(front.record(answer)) == [("Beta", 200, None)]


def test_what_was_tried_and_what_was_not_is_one_error(front: Front) -> None:
    opened(front)
    front.simulator.script(status(429, headers={"Retry-After": "7"}), prefix="/b")
    answer = front.ask("solo/alpha", models=["solo/beta"])
    error = error_of(answer)
    assert (answer.status, error["availability"]["code"]) == (503, "temporarily_unavailable")
    assert answer.header("retry-after") == "7", "the first of them to be back"
    told = [(one["provider"], one["code"]) for one in error["metadata"]["previous_errors"]]
    assert told == [("Beta", "simulated_error"), ("Alpha", "breaker_open")]


def test_streams_that_begin_and_break_open_it_too(front: Front) -> None:
    opened(front, stream(["Once", " upon"], end="reset", finish=None, done=False), streamed=True)
    assert front.stream("solo/alpha", recorded=False).status == 503
    assert front.simulator.requests() == []


def test_a_client_that_leaves_is_no_failure_of_the_provider(front: Front) -> None:
    front.simulator.script(stream(pause_ms=20, end="hang"))
    content = {"model": "solo/alpha", "messages": MESSAGES, "stream": True}
    for _ in range(4):
        with open_stream(front.gateway.url + "/chat/completions", content, key=KEY, timeout_s=HANG_S):
            pass
        front.wait_for_line()
    front.simulator.script(ok())
    assert front.ask("solo/alpha").status == 200


def test_requests_that_are_wrong_open_nothing(front: Front) -> None:
    front.simulator.script(status(400))
    assert [front.ask("solo/alpha").status for _ in range(4)] == [400] * 4


def test_who_answers_and_does_not_count_tokens_is_not_blamed_for_it(front: Front) -> None:
    content = {"model": "counted/model", "messages": MESSAGES, "max_tokens": 9}
    for code in (500, 404, 500, 501, 500):
        front.simulator.script(status(code), prefix="/a")
        assert front.gateway.call("POST", "/messages/count_tokens", content).status == 200
    assert len(front.simulator.requests()) == 5
    assert notices(front) == []


# --- cooldown ------------------------------------------------------------------------------------------------


def test_a_candidate_that_cools_down_stands_behind_the_others_until_it_may_be_asked(front: Front) -> None:
    front.simulator.script(status(429, headers={"Retry-After": "1"}), ok(), prefix="/a")
    assert front.ask("pair/model").status == 200
    assert front.ask("pair/model").status == 200
    assert front.reached() == ["alpha", "beta", "beta"]
    until = time.monotonic() + HANG_S
    while front.reached()[-1] != "alpha" and time.monotonic() < until:
        time.sleep(0.2)
        assert front.ask("pair/model").status == 200
    assert front.reached()[-1] == "alpha"


def test_one_that_cools_down_is_tried_when_nobody_else_is_left(front: Front) -> None:
    front.simulator.script(status(429, headers={"Retry-After": "60"}), ok(), prefix="/a")
    assert front.ask("solo/alpha").status == 429
    assert front.ask("solo/alpha").status == 200


# --- what does not mend itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "what", "words"),
    [
        (401, "key_refused", "refuses the configured key"),
        (403, "key_refused", "refuses the configured key"),
        (402, "no_quota", "has no quota left"),
    ],
)
def test_a_refused_key_is_not_sent_again_and_the_operator_hears_of_it_once(
    front: Front, code: int, what: str, words: str
) -> None:
    alerts = {"provider": "alpha", "cause": what}
    before = Scrape(front.gateway).get("setpoint_provider_alerts_total", **alerts)
    front.simulator.script(status(code), prefix="/a")
    answers = [front.ask("solo/alpha"), *(front.ask("solo/alpha", recorded=False) for _ in range(3))]
    assert front.reached() == ["alpha"]
    for answer in answers:
        assert (answer.status, answer.header("x-should-retry")) == (502, "false")
        assert error_of(answer)["message"] == f"provider Alpha {words}"
        assert error_of(answer)["metadata"]["provider_name"] == "Alpha"
    (told,) = notices(front)
    assert (told["what"], told["level"], told["provider"]) == (what, "error", "alpha")
    assert told["key_id"].startswith("alpha:")
    assert Scrape(front.gateway).get("setpoint_provider_alerts_total", **alerts) == before + 1
    assert front.ask("pair/model").json()["provider"] == "Beta"
    front.forget()
    front.simulator.script(ok(), prefix="/a")
    assert front.ask("solo/alpha").status == 200, "the operator has mended it"


def test_the_official_client_repeats_nothing_that_repeating_cannot_help(front: Front) -> None:
    front.simulator.script(status(401))
    client = openai.OpenAI(base_url=front.gateway.url, api_key=KEY, max_retries=5)
    for _ in range(2):
        with pytest.raises(openai.InternalServerError, match="refuses the configured key"):
            client.chat.completions.create(model="solo/alpha", messages=[{"role": "user", "content": "?"}])
    (received,) = front.simulator.requests()
    assert received.header("authorization") == f"Bearer {secret('alpha')}"


def test_a_configured_model_that_its_provider_does_not_know_is_told_once(front: Front) -> None:
    front.simulator.script(status(404))
    for _ in range(2):
        assert front.ask("solo/alpha").status == 404
        assert front.ask("alpha/whatever").status == 404
    (told,) = notices(front)
    assert (told["what"], told["endpoint"]) == ("model_unknown", "solo/alpha alpha")
    assert len(front.simulator.requests()) == 4


# --- as many as may be ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "name"), [("narrow/solo", "Alpha"), ("beta/narrow", "Beta")])
def test_beyond_its_concurrency_a_provider_or_an_endpoint_is_not_asked(front: Front, model: str, name: str) -> None:
    front.simulator.script(stream(pause_ms=5, end="hang"))
    with front.open(model):
        front.simulator.wait_for_requests(1)
        answer = front.ask(model, recorded=False)
    error = error_of(answer)
    assert (answer.status, answer.header("retry-after")) == (429, "1")
    assert error["availability"]["code"] == "capacity_exhausted"
    assert error["availability"]["affected_providers"] == [name]
    assert error["metadata"]["provider_code"] == "concurrency"
    assert len(front.simulator.requests()) == 1
    front.simulator.clear()


def test_a_slow_provider_that_is_full_leaves_requests_to_the_next(front: Front) -> None:
    front.simulator.script(stream(pause_ms=5, end="hang"), prefix="/a")
    with front.open("narrow/pair"):
        front.simulator.wait_for_requests(1)
        body = {"model": "narrow/pair", "messages": MESSAGES}
        explained = front.gateway.call("POST", "/explain/chat/completions", body).json()["data"]
        answer = front.stream("narrow/pair")
        assert said(answer)
        assert front.reached() == ["alpha", "beta"]
        record = front.record(answer)
        assert [(one["tag"], one["reason"]) for one in explained["excluded"]] == [("narrow", "concurrency")]
        assert record["excluded"] == explained["excluded"]
        assert [one["tag"] for one in record["endpoints"]] == [one["tag"] for one in explained["endpoints"]] == ["beta"]
        front.simulator.clear()
    assert front.ask("narrow/solo").status == 200, "its place is free again"

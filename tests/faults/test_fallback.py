"""Which upstreams are asked, and in which order: endpoints, models, and what the caller says of providers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import (
    MESSAGES,
    Front,
    attempts,
    chunks,
    endpoint,
    error_of,
    front_of_gateway,
    in_line,
    said,
    serving,
)
from simulator.script import ok, sse, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    more = {
        "all/three": {"endpoints": in_line(endpoint("alpha"), endpoint("beta"), endpoint("gamma"))},
        "dear/model": {"endpoints": [endpoint("gamma", pricing={"prompt": "0.001", "completion": "0.002"})]},
        "tagged/model": {
            "endpoints": in_line(
                endpoint("alpha", tag="alpha/east"),
                endpoint("beta", tag="beta/west"),
                endpoint("gamma", tag="gamma/priority", tier="priority"),
            )
        },
        "varied/model": {
            "endpoints": [
                endpoint("alpha", quantization="fp8"),
                endpoint("beta", data_collection="deny", pricing={"prompt": "0.000002", "completion": "0.000002"}),
                endpoint("gamma", zdr=True, quantization="mxfp8", pricing={"prompt": "0.000001", "completion": "0"}),
            ]
        },
        "drawn/model": {"endpoints": [endpoint("alpha"), endpoint("beta"), endpoint("gamma")]},
        "twin/model": {"endpoints": [endpoint("alpha")], "aliases": ["twin/alias"]},
    }
    with serving(tmp_path_factory, simulator_process, settings={"workers": 2}, more_models=more) as gateway:
        yield gateway


front = front_of_gateway


def failing(front: Front, *slugs: str, code: int = 500) -> None:
    """Have these providers fail."""
    for slug in slugs:
        front.simulator.script(status(code), prefix=f"/{slug[0].replace('g', 'c')}")


def without_model(**fields: Any) -> bytes:
    """A request that names no `model`."""
    return json.dumps({"messages": MESSAGES, **fields}).encode()


# --- endpoints and models ------------------------------------------------------------------------------------


def test_endpoints_are_tried_in_the_order_of_the_file(front: Front) -> None:
    failing(front, "alpha", "beta")
    answer = front.ask("all/three")
    assert front.reached() == ["alpha", "beta", "gamma"]
    assert (answer.json()["model"], answer.json()["provider"]) == ("all/three", "Gamma")
    assert [name for name, _, _ in attempts(front.record(answer))] == ["Alpha", "Beta", "Gamma"]


def test_endpoints_come_before_the_next_model(front: Front) -> None:
    failing(front, "alpha", "beta")
    answer = front.ask("pair/model", models=["dear/model"])
    assert front.reached() == ["alpha", "beta", "gamma"]
    assert [it.json()["model"] for it in front.simulator.requests()] == ["alpha-model", "beta-model", "gamma-model"]
    assert answer.json()["model"] == "dear/model"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_model_that_answered_is_the_one_that_is_billed(front: Front, streamed: bool) -> None:
    failing(front, "alpha", "beta")
    answer = front.ask("pair/model", models=["dear/model"], stream=streamed)
    told = chunks(answer)[-1] if streamed else answer.json()
    assert told["model"] == "dear/model"
    assert told["usage"]["cost"] == 0.021
    record = front.record(answer)
    assert (record["model"], record["provider_name"], record["total_cost"]) == ("dear/model", "Gamma", 0.021)


def test_models_alone_name_the_first_and_the_rest(front: Front) -> None:
    failing(front, "alpha")
    answer = front.ask(body=without_model(models=["solo/alpha", "solo/beta"]))
    assert front.reached() == ["alpha", "beta"]
    assert answer.json()["model"] == "solo/beta"


def test_a_model_that_is_named_twice_is_tried_once(front: Front) -> None:
    failing(front, "alpha")
    front.ask("solo/alpha", models=["solo/alpha", "solo/beta", "solo/alpha"])
    assert front.reached() == ["alpha", "beta"]
    front.simulator.forget_requests()
    front.ask("twin/model", models=["twin/alias", "solo/beta"])
    assert front.reached() == ["alpha", "beta"], "an alias is the same model"


def test_an_unknown_fallback_model_is_refused_before_anything_is_sent(front: Front) -> None:
    answer = front.ask("solo/alpha", models=["no/such"], recorded=False)
    assert answer.status == 400
    error = error_of(answer)
    assert error["message"] == "no/such is not a valid model ID"
    assert error["availability"]["code"] == "model_not_found"
    assert front.simulator.requests() == []


def test_nothing_is_tried_again_once_there_is_an_answer(front: Front) -> None:
    front.ask("all/three", models=["solo/gamma"])
    assert front.reached() == ["alpha"]


def test_one_request_is_one_generation_however_often_it_was_tried(front: Front) -> None:
    failing(front, "alpha", "beta", "gamma")
    answer = front.ask("all/three")
    assert answer.status == 502
    record = front.record(answer)
    assert (record["status"], record["provider_name"], record["total_cost"]) == ("failed", "Gamma", None)
    assert attempts(record) == [(name, 500, "provider_unavailable") for name in ("Alpha", "Beta", "Gamma")]


def test_a_stream_falls_back_until_its_first_meaningful_event(front: Front) -> None:
    role = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'
    front.simulator.script(sse([": wait", role, 'data: {"error":{"message":"no","code":500}}']), prefix="/a")
    front.simulator.script(sse([role, "data: [DONE]"]), prefix="/b")
    front.simulator.script(ok("At last."), prefix="/c")
    answer = front.stream("all/three")
    assert said(answer) == "At last."
    assert front.reached() == ["alpha", "beta", "gamma"]
    roles = [choice["delta"].get("role") for one in chunks(answer) for choice in one["choices"]]
    assert roles.count("assistant") == 1, "nothing of the others is left in it"


# --- what the caller says of providers -----------------------------------------------------------------------

WANTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "order": ({"order": ["gamma", "alpha"]}, ["gamma", "alpha", "beta"]),
    "order-by-display-name": ({"order": ["GAMMA", "Beta"]}, ["gamma", "beta", "alpha"]),
    "order-with-strangers": ({"order": ["nobody", "beta"]}, ["beta", "alpha", "gamma"]),
    "order-twice": ({"order": ["beta", "beta"]}, ["beta", "alpha", "gamma"]),
    "only": ({"only": ["beta"]}, ["beta"]),
    "only-keeps-the-order": ({"only": ["gamma", "alpha"]}, ["alpha", "gamma"]),
    "ignore": ({"ignore": ["alpha"]}, ["beta", "gamma"]),
    "only-and-ignore": ({"only": ["alpha", "beta"], "ignore": ["alpha"]}, ["beta"]),
    "order-and-only": ({"order": ["gamma"], "only": ["alpha", "gamma"]}, ["gamma", "alpha"]),
    "order-and-ignore": ({"order": ["gamma", "beta"], "ignore": ["gamma"]}, ["beta", "alpha"]),
    "no-fallbacks": ({"allow_fallbacks": False}, ["alpha"]),
    "order-without-fallbacks": ({"order": ["gamma", "beta"], "allow_fallbacks": False}, ["gamma", "beta"]),
    "ignore-without-fallbacks": ({"ignore": ["alpha"], "allow_fallbacks": False}, ["beta"]),
    "fallbacks-by-name": ({"allow_fallbacks": True}, ["alpha", "beta", "gamma"]),
    "null": ({"order": None, "only": None, "ignore": None, "allow_fallbacks": None}, ["alpha", "beta", "gamma"]),
    "empty-order": ({"order": []}, ["alpha", "beta", "gamma"]),
}


@pytest.mark.parametrize(("preferences", "tried"), WANTED.values(), ids=WANTED)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_providers_are_asked_as_the_caller_wants(
    front: Front, preferences: dict[str, Any], tried: list[str], streamed: bool
) -> None:
    failing(front, "alpha", "beta", "gamma")
    answer = front.ask("all/three", provider=preferences, stream=streamed)
    assert answer.status == 502
    assert front.reached() == tried
    assert front.record(answer)["not_honoured"] == []


TAGGED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "provider-means-its-endpoints": ({"only": ["alpha"]}, ["alpha"]),
    "tag-means-one": ({"only": ["beta/west"]}, ["beta"]),
    "tier-is-not-meant-by-the-provider": ({"order": ["gamma"], "only": ["gamma", "beta"]}, ["beta"]),
    "tier-by-its-tag": ({"only": ["gamma/priority"]}, ["gamma"]),
}


@pytest.mark.parametrize(("preferences", "tried"), TAGGED.values(), ids=TAGGED)
def test_a_slug_means_a_provider_and_a_tag_one_endpoint(
    front: Front, preferences: dict[str, Any], tried: list[str]
) -> None:
    failing(front, "alpha", "beta", "gamma")
    front.ask("tagged/model", provider=preferences)
    assert front.reached() == tried


@pytest.mark.parametrize(
    ("preferences", "named"),
    [
        ({"only": ["nobody"]}, "provider.only"),
        ({"ignore": ["alpha"]}, "provider.ignore"),
        ({"only": ["beta"], "ignore": ["gamma"]}, "provider.only leaves"),
        ({"order": ["beta"], "allow_fallbacks": False}, "provider.order"),
    ],
)
def test_preferences_that_leave_nobody_are_an_error_that_says_so(
    front: Front, preferences: dict[str, Any], named: str
) -> None:
    answer = front.ask("solo/alpha", provider=preferences, recorded=False)
    error = error_of(answer)
    assert answer.status == 404
    assert "it is served by alpha" in error["message"]
    assert named in error["message"]
    assert error["availability"]["code"] == "constraint_filtered"
    assert error["availability"]["requested_models"] == ["solo/alpha"]
    assert front.simulator.requests() == []


def test_a_model_that_preferences_leave_nobody_for_is_passed_over(front: Front) -> None:
    answer = front.ask("solo/alpha", models=["solo/beta"], provider={"ignore": ["alpha"]})
    assert answer.json()["model"] == "solo/beta"


def test_only_one_failure_without_fallbacks_is_returned_as_it_is(front: Front) -> None:
    failing(front, "alpha", code=429)
    answer = front.ask("all/three", provider={"allow_fallbacks": False})
    assert answer.status == 429
    assert "previous_errors" not in error_of(answer)["metadata"]


def test_without_fallbacks_no_other_model_is_tried_either(front: Front) -> None:
    failing(front, "alpha")
    answer = front.ask("solo/alpha", models=["solo/beta"], provider={"allow_fallbacks": False})
    assert (answer.status, front.reached()) == (502, ["alpha"])


FOLLOWED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "data-collection": ({"data_collection": "deny"}, ["beta"]),
    "zero-retention": ({"zdr": True}, ["gamma"]),
    "quantizations": ({"quantizations": ["fp8"], "sort": "price"}, ["gamma", "alpha"]),
    "price": ({"sort": "price"}, ["gamma", "alpha", "beta"]),
    "price-by-variant": ({}, ["gamma", "alpha", "beta"]),
    "dearest-price": ({"max_price": {"prompt": "1.5", "completion": 9}, "sort": "price"}, ["gamma", "alpha"]),
    "speed-that-nobody-knows": ({"preferred_min_throughput": 10, "sort": "throughput"}, ["gamma", "alpha", "beta"]),
    "latency-that-nobody-knows": ({"preferred_max_latency": {"p90": 2}, "order": ["beta"]}, ["beta", "gamma", "alpha"]),
}


@pytest.mark.parametrize(("name", "case"), FOLLOWED.items(), ids=FOLLOWED)
def test_every_wish_is_followed(front: Front, name: str, case: tuple[dict[str, Any], list[str]]) -> None:
    wish, tried = case
    failing(front, "alpha", "beta", "gamma")
    answer = front.ask("varied/model:floor" if name == "price-by-variant" else "varied/model", provider=wish)
    assert front.reached() == tried
    assert front.record(answer)["not_honoured"] == []


@pytest.mark.parametrize(
    ("wish", "code", "word"),
    [
        ({"zdr": True}, "privacy_restricted", "data_policy:zdr"),
        ({"data_collection": "deny"}, "privacy_restricted", "data_policy:training"),
        ({"quantizations": ["int4"]}, "constraint_filtered", "quantization"),
        ({"max_price": {"prompt": 0.5}}, "constraint_filtered", "max_price"),
        ({"zdr": True, "enforce_distillable_text": True}, "privacy_restricted", "data_policy:zdr"),
    ],
)
def test_a_wish_that_nobody_meets_is_an_error_that_names_it(
    front: Front, wish: dict[str, Any], code: str, word: str
) -> None:
    answer = front.ask("solo/alpha", provider=wish, recorded=False)
    assert answer.status == 404
    availability = error_of(answer)["availability"]
    assert (availability["code"], availability["excluded_by"]) == (code, [word])
    assert front.simulator.requests() == []


def test_models_are_sorted_together_where_the_caller_wants_that(front: Front) -> None:
    failing(front, "alpha", "beta", "gamma")
    by_price = {"by": "price", "partition": "none"}
    front.ask("dear/model", models=["all/three"], provider={"sort": by_price, "ignore": ["alpha"]})
    assert [it.json()["model"] for it in front.simulator.requests()] == ["beta-model", "gamma-model", "gamma-model"]


def test_a_conversation_goes_where_it_went_before(front: Front) -> None:
    for _ in range(3):
        front.ask("drawn/model", headers={"thread-id": "a"})
        front.ask("drawn/model", session_id="a")
        front.ask("drawn/model", prompt_cache_key="a")
    assert len(set(front.reached())) == 1


def test_a_wish_that_nobody_knows_is_named_in_the_record(front: Front) -> None:
    answer = front.ask("solo/alpha", provider={"mood": "good"})
    assert front.record(answer)["not_honoured"] == ["/provider/mood"]
    assert "provider" not in front.upstream().json()

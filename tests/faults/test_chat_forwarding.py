"""What of a request reaches an upstream, and what does not; what could not be told is named, or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import MESSAGES, Front, endpoint, front_of_gateway, in_line, provider, secret, serving
from faults.forwarding_support import PLAIN, sent, unsaid
from simulator.script import status
from support.processes import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    origin = simulator_process.origin
    listed = {
        "modern/limit": ["max_completion_tokens", "temperature"],
        "old/limit": ["max_tokens"],
        "both/limits": ["max_tokens", "max_completion_tokens"],
        "few/fields": ["temperature", "stop"],
        "identity/model": ["user", "safety_identifier", "service_tier"],
        "effort/model": ["reasoning_effort"],
        "object/model": ["reasoning"],
    }
    more = {name: {"endpoints": [endpoint("alpha", parameters=fields)]} for name, fields in listed.items()}
    more["few/then-all"] = {"endpoints": in_line(endpoint("alpha", parameters=["temperature"]), endpoint("beta"))}
    more["serving/model"] = {"endpoints": [{"provider": "serving", "model": "m"}]}
    told = {
        "serving": provider(origin, "gamma", headers={"X-Tenant": "t-1"}),
        "keyless": {name: it for name, it in provider(origin, "beta").items() if name != "api_key"},
        "anthropic-style": provider(origin, "beta", auth="x-api-key"),
    }
    for slug in ("keyless", "anthropic-style"):
        more[f"at/{slug}"] = {"endpoints": [{"provider": slug, "model": "m"}]}
    with serving(tmp_path_factory, simulator_process, more_providers=told, more_models=more) as gateway:
        yield gateway


front = front_of_gateway


# --- never sent ----------------------------------------------------------------------------------------------

OWN: dict[str, Any] = {
    "provider": {"order": ["alpha"]},
    "models": ["solo/beta"],
    "route": "fallback",
    "plugins": [],
    "transforms": [],
    "usage": {"include": True},
    "session_id": "s-1",
    "trace": {"trace_id": "t"},
    "debug": {"echo_upstream_body": False},
    "deferred_tools": {},
    "stop_server_tools_when": [{"type": "step_count_is", "step_count": 1}],
    "max_tool_calls": 3,
    "cache_enabled": False,
    "cache_ttl_seconds": 60,
    "client_metadata": {"a": "b"},
    "fallbacks": [],
}


@pytest.mark.parametrize(("name", "content"), OWN.items(), ids=OWN)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_gateways_own_fields_are_never_sent(front: Front, name: str, content: Any, streamed: bool) -> None:
    fields: dict[str, Any] = {name: content, "stream": streamed}
    body = sent(front, **fields)
    expected = {**PLAIN, "stream": streamed, **({"stream_options": {"include_usage": True}} if streamed else {})}
    assert body == expected


def test_a_preset_is_never_sent_by_name(front: Front) -> None:
    front.gateway.call(
        "POST", "/presets/forwarded/chat/completions", {"model": "solo/alpha", "temperature": 0.5, "messages": MESSAGES}
    )
    assert sent(front, "@preset/forwarded") == {**PLAIN, "temperature": 0.5}
    assert sent(front, preset="forwarded") == {**PLAIN, "temperature": 0.5}


@pytest.mark.parametrize("empty", ["temperature", "stop", "tools", "provider", "user", "max_tokens", "stream_options"])
def test_null_is_not_sent(front: Front, empty: str) -> None:
    fields: dict[str, Any] = {empty: None}
    assert sent(front, **fields) == PLAIN


def test_nothing_of_the_callers_head_is_sent(front: Front) -> None:
    head = {
        "Cookie": "session=c-1",
        "HTTP-Referer": "https://app.test",
        "X-Title": "My app",
        "X-OpenRouter-Title": "My app",
        "X-OpenRouter-Categories": "cli-agent",
        "x-session-id": "s-1",
        "x-api-key": KEY,
        "X-Anything": "x-1",
        "x-anthropic-beta": "b-1",
        "User-Agent": "caller/1",
        "X-Forwarded-For": "10.1.2.3",
        "Accept-Language": "de-CH",
        "Traceparent": "00-1-2-01",
    }
    front.ask(headers=head)
    received = front.upstream()
    assert {name.lower() for name, _ in received.headers} == {
        *("host", "content-type", "content-length", "accept", "accept-encoding", "user-agent", "authorization"),
    }
    assert KEY.encode() not in received.head + received.body
    assert received.header("authorization") == f"Bearer {secret('alpha')}"
    assert received.header("user-agent") == "setpoint"
    for content in head.values():
        assert content.encode() not in received.head.split(b"\r\n", 1)[1]


def test_a_providers_credential_goes_where_its_row_says(front: Front) -> None:
    front.ask("at/anthropic-style")
    assert front.upstream().header("x-api-key") == secret("beta")
    assert front.upstream().header("authorization") is None
    front.simulator.forget_requests()
    front.ask("at/keyless")
    assert front.upstream().header("authorization") is None
    front.simulator.forget_requests()
    front.ask("serving/model")
    assert front.upstream().header("x-tenant") == "t-1"


# --- identity ------------------------------------------------------------------------------------------------


def test_a_user_is_never_sent_raw(front: Front) -> None:
    assert sent(front, user="jane@example.test", safety_identifier="jane") == PLAIN
    first = sent(front, "identity/model", user="jane@example.test", safety_identifier="jane")
    again = sent(front, "identity/model", user="jane@example.test")
    other = sent(front, "identity/model", user="joe@example.test")
    assert len(first["user"]) == 64
    assert first["user"] == again["user"] != other["user"]
    assert "jane" not in json.dumps(first)
    assert unsaid(front, "solo/alpha", user="jane@example.test") == []


def test_a_user_is_in_the_record(front: Front) -> None:
    assert front.record(front.ask(user="jane@example.test"))["external_user"] == "jane@example.test"


# --- rewritten -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, {"include_usage": True}),
        ({}, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_usage": True, "chunk_include_usage": True}, {"include_usage": True, "chunk_include_usage": True}),
    ],
)
def test_a_stream_always_asks_for_usage(front: Front, asked: Any, told: Any) -> None:
    assert sent(front, stream=True, stream_options=asked)["stream_options"] == told
    assert "stream_options" not in sent(front, stream=False, stream_options=asked)


def test_the_endpoints_own_name_of_the_model_is_sent(front: Front) -> None:
    assert sent(front, "pair/model")["model"] == "alpha-model"
    assert sent(front, "alpha/some/other:name")["model"] == "some/other:name"


@pytest.mark.parametrize(
    ("tier", "told"), [("flex", "flex"), ("fast", "priority"), ("priority", "priority"), ("auto", None)]
)
def test_a_service_tier_is_sent_where_it_is_listed(front: Front, tier: str, told: str | None) -> None:
    assert sent(front, "identity/model", service_tier=tier).get("service_tier") == told
    assert "service_tier" not in sent(front, "solo/alpha", service_tier=tier)
    assert unsaid(front, "solo/alpha", service_tier=tier) == ([] if told is None else ["/service_tier"])


LIMITS: list[tuple[str, dict[str, int], dict[str, int]]] = [
    ("modern/limit", {"max_tokens": 5}, {"max_completion_tokens": 5}),
    ("modern/limit", {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
    ("old/limit", {"max_completion_tokens": 5}, {"max_tokens": 5}),
    ("old/limit", {"max_tokens": 5}, {"max_tokens": 5}),
    ("both/limits", {"max_tokens": 5}, {"max_tokens": 5}),
    ("both/limits", {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
    ("few/fields", {"max_tokens": 5}, {"max_tokens": 5}),
    ("solo/alpha", {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
]


@pytest.mark.parametrize(("model", "asked", "told"), LIMITS)
def test_the_output_limit_goes_under_the_name_that_is_listed(
    front: Front, model: str, asked: dict[str, int], told: dict[str, int]
) -> None:
    assert sent(front, model, **asked) == {**PLAIN, **told}
    assert unsaid(front, model, **asked) == []


EFFORTS: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("effort/model", {"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}, []),
    ("effort/model", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}, []),
    ("effort/model", {"reasoning": {"enabled": True}}, {"reasoning_effort": "medium"}, []),
    (
        "effort/model",
        {"reasoning": {"effort": "low", "exclude": True}},
        {"reasoning_effort": "low"},
        ["/reasoning/exclude"],
    ),
    ("object/model", {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}, []),
    ("object/model", {"reasoning": {"max_tokens": 2000}}, {"reasoning": {"max_tokens": 2000}}, []),
    ("solo/alpha", {"reasoning": {"effort": "high", "x": 1}}, {"reasoning": {"effort": "high", "x": 1}}, []),
    ("few/fields", {"reasoning": {"effort": "high"}}, {}, ["/reasoning"]),
]


@pytest.mark.parametrize(("model", "asked", "told", "left_out"), EFFORTS)
def test_reasoning_goes_in_the_form_that_is_listed(
    front: Front, model: str, asked: dict[str, Any], told: dict[str, Any], left_out: list[str]
) -> None:
    assert sent(front, model, **asked) == {**PLAIN, **told}
    assert unsaid(front, model, **asked) == left_out


# --- supported or not ----------------------------------------------------------------------------------------

SUPPORTED: dict[str, Any] = {
    "verbosity": "low",
    "top_p": 0.5,
    "top_k": 3,
    "min_p": 0.1,
    "top_a": 0.1,
    "repetition_penalty": 1.1,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "seed": 7,
    "logit_bias": {"1": 2},
    "logprobs": True,
    "response_format": {"type": "json_object"},
    "structured_outputs": True,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "x"},
    "modalities": ["text"],
    "image_config": {"quality": "high"},
    "web_search_options": {},
}
HINTS: dict[str, Any] = {
    "metadata": {"team": "a"},
    "cache_control": {"type": "ephemeral"},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit"},
}


@pytest.mark.parametrize(("name", "content"), SUPPORTED.items(), ids=SUPPORTED)
def test_a_parameter_that_is_not_listed_is_left_out_and_named(front: Front, name: str, content: Any) -> None:
    assert sent(front, "few/fields", **{name: content, "temperature": 0.25}) == {**PLAIN, "temperature": 0.25}
    assert unsaid(front, "few/fields", **{name: content, "temperature": 0.25}) == [f"/{name}"]
    assert sent(front, "solo/alpha", **{name: content}) == {**PLAIN, name: content}
    assert unsaid(front, "solo/alpha", **{name: content}) == []


@pytest.mark.parametrize(("name", "content"), HINTS.items(), ids=HINTS)
def test_a_hint_that_is_not_listed_is_left_out_and_not_named(front: Front, name: str, content: Any) -> None:
    assert sent(front, "few/fields", **{name: content}) == PLAIN
    assert unsaid(front, "few/fields", **{name: content}) == []
    assert sent(front, "solo/alpha", **{name: content}) == {**PLAIN, name: content}


def test_what_we_do_not_know_is_sent_even_where_a_list_does_not_have_it(front: Front) -> None:
    assert sent(front, "few/fields", safe_prompt=True, x={"a": 1}) == {**PLAIN, "safe_prompt": True, "x": {"a": 1}}


def test_what_was_left_out_is_what_the_answering_endpoint_did_not_get(front: Front) -> None:
    assert unsaid(front, "few/then-all", top_p=0.5) == ["/top_p"]
    front.simulator.script(status(500), prefix="/a")
    assert unsaid(front, "few/then-all", top_p=0.5) == []


def test_all_that_was_left_out_is_named_in_a_stream_too(front: Front) -> None:
    assert unsaid(front, "few/fields", stream=True, top_p=0.5, seed=1) == ["/top_p", "/seed"]


@pytest.mark.parametrize("messages", [None, [], "absent"])
def test_a_prompt_is_one_user_message_and_is_never_sent_itself(front: Front, messages: Any) -> None:
    body: dict[str, Any] = {"model": "solo/gamma", "prompt": "Say hi"}
    if messages != "absent":
        body["messages"] = messages
    assert front.gateway.call("POST", "/chat/completions", body).status == 200
    sent = front.simulator.requests()[-1].json()
    assert sent["messages"] == [{"role": "user", "content": "Say hi"}]
    assert "prompt" not in sent


def test_a_prompt_beside_messages_gives_way_to_them(front: Front) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    body = {"model": "solo/gamma", "prompt": "Say hi", "messages": messages}
    assert front.gateway.call("POST", "/chat/completions", body).status == 200
    sent = front.simulator.requests()[-1].json()
    assert (sent["messages"], "prompt" in sent) == (messages, False)

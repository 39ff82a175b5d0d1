"""What would become of a request, asked over HTTP in three skins; and nothing comes of the asking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from api.api_support import create, data_of, fresh, new_key
from api.skins_support import ROUTES, SKINS, error_of, least, three_dialects
from simulator.script import hang, ok
from support.http import RawConnection, request_bytes
from support.processes import Gateway, config_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.records import Dialect
    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import StartGateway

MEMBERS = {
    *("preset", "effective", "origin", "system_prompt_from", "endpoints", "excluded", "not_honoured"),
    *("unsaid", "refused", "estimated_cost"),
}


@pytest.fixture(scope="module")
def three(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    tables = three_dialects(simulator_process)
    tables["models"]["at/limited"] = {
        "context_length": 1000,
        "endpoints": [
            {**tables["models"]["at/chat"]["endpoints"][0], "max_output_tokens": 100},
            {"provider": "two", "pricing": {"prompt": "0.00001", "completion": "0", "internal_reasoning": "0.00002"}},
        ],
    }
    tables["models"]["at/unpriced"] = {"endpoints": [{"provider": "chat"}, {"provider": "two"}]}
    started = Gateway(folder, config=config_file(folder, **tables, settings={"default_model": "at/chat"}))
    yield started
    assert started.stop() == 0, started.log_text()


def explain(gateway: Gateway, skin: Dialect, **fields: Any) -> Answer:
    return gateway.call("POST", f"/explain{ROUTES[skin]}", least(skin, **fields))


def explained(gateway: Gateway, skin: Dialect = "chat", **fields: Any) -> dict[str, Any]:
    return data_of(explain(gateway, skin, **fields))


# --- what it says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skin", SKINS)
def test_it_has_every_member_and_nothing_is_sent(three: Gateway, simulator: Simulator, skin: Dialect) -> None:
    told = explained(three, skin, model="at/all")
    assert told.keys() == MEMBERS
    assert simulator.requests() == []
    assert told["effective"] == least(skin, model="at/all")
    assert [one["position"] for one in told["endpoints"]] == [1, 2, 3]
    assert {one["tag"] for one in told["endpoints"]} == set(SKINS)
    assert all(one.keys() == {"provider", "model", "tag", "position", "reason"} for one in told["endpoints"])
    assert told["unsaid"] == {f"{dialect}/at/all": [] for dialect in SKINS}


@pytest.mark.parametrize("skin", SKINS)
def test_a_preset_is_in_the_effective_request_and_says_what_is_its_own(three: Gateway, skin: Dialect) -> None:
    slug = fresh("explained")
    create(three, slug, {"model": "at/chat", "temperature": 0.2, "messages": [{"role": "system", "content": "Brief."}]})
    told = explained(three, skin, model=f"@preset/{slug}@1", top_p=0.5)
    assert told["preset"] == {"slug": slug, "version": 1}
    assert (told["effective"]["temperature"], told["effective"]["model"]) == (0.2, "at/chat")
    where = {"chat": "/messages/0", "messages": "/system", "responses": "/instructions"}[skin]
    assert (
        told["origin"].items()
        >= {
            "/model": "preset",
            "/temperature": "preset",
            "/top_p": "request",
            where: "preset",
        }.items()
    )
    assert told["system_prompt_from"] == "preset"


def test_the_model_of_the_settings_is_the_default(three: Gateway) -> None:
    told = explained(three)
    assert (told["preset"], told["effective"]["model"], told["origin"]["/model"]) == (None, "at/chat", "default")


def test_the_effective_request_keeps_its_bytes(three: Gateway) -> None:
    body = b'{"model":"at/chat","messages":[{"role":"user","content":"\\ud800"}],"x\\udfff":{"a":1.50}}'
    answer = three.call("POST", "/explain/chat/completions", body=body)
    assert answer.status == 200, answer.body
    assert b'"effective":{"model":"at/chat","messages":[{"role":"user","content":"\\ud800"}]' in answer.body
    assert b'{"a":1.50}' in answer.body
    assert "/x\\udfff" in answer.json()["data"]["origin"]


def test_what_rules_an_endpoint_out_is_said(three: Gateway) -> None:
    told = explained(three, model="at/all", provider={"ignore": ["chat"], "only": ["chat", "two", "messages", "hcat"]})
    assert [one["tag"] for one in told["endpoints"]] == ["messages"]
    assert {(one["tag"], one["reason"]) for one in told["excluded"]} == {
        ("chat", "ignored"),
        ("responses", "only"),
        (None, "unknown_provider"),
    }


def test_what_each_endpoint_would_not_be_told_is_said_of_each(three: Gateway) -> None:
    told = explained(three, model="at/few", temperature=1, top_k=5, plugins=[{"id": "web"}])
    assert told["unsaid"] == {
        "chat/at/few": ["/top_k", "/plugins/0"],
        "messages/at/few": ["/temperature", "/plugins/0"],
    }


def test_an_endpoint_that_cannot_be_asked_this_is_named_with_the_reason(three: Gateway) -> None:
    heard = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    messages = [{"role": "user", "content": [heard]}]
    told = explained(three, model="at/all", messages=messages)
    assert "messages/at/all" in told["refused"]
    assert told["unsaid"].keys() | told["refused"].keys() == {f"{dialect}/at/all" for dialect in SKINS}
    assert "chat/at/all" in told["unsaid"]
    refusal = explain(three, "chat", model="at/messages", messages=messages)
    answered = three.call("POST", "/chat/completions", {"model": "at/messages", "messages": messages})
    assert (refusal.status, refusal.json()) == (400, answered.json())


# --- what it would cost --------------------------------------------------------------------------------------


def test_the_cost_lies_between_no_output_at_the_cheapest_and_all_of_it_at_the_dearest(three: Gateway) -> None:
    told = explained(three, model="at/limited", max_tokens=50)  # "Hi there" are two tokens
    assert told["estimated_cost"] == {"min": "0.000002", "max": "0.00102"}


@pytest.mark.parametrize(
    ("model", "fields", "most"),
    [
        ("at/limited", {"provider": {"only": ["chat"]}}, "0.000202"),  # what the endpoint can give
        ("at/limited", {"provider": {"only": ["two"]}, "max_tokens": 10, "n": 3}, "0.00062"),
        ("at/messages", {}, "0.016386"),  # what a messages upstream is always sent
        ("at/chat", {"max_completion_tokens": 1}, "0.000004"),
        ("at/chat", {}, None),  # no limit
        ("at/unpriced", {"max_tokens": 1}, None),
    ],
)
def test_the_limit_is_the_one_that_the_endpoint_would_have(
    three: Gateway, model: str, fields: dict[str, Any], most: str | None
) -> None:
    cost = explained(three, model=model, **fields)["estimated_cost"]
    assert (None if cost is None else cost["max"]) == most


# --- what comes of it: nothing -------------------------------------------------------------------------------


def test_nothing_is_recorded_or_spent(three: Gateway, simulator: Simulator) -> None:
    simulator.script(ok())
    key, made = new_key(three)
    since = len(three.settled_log_text())
    for skin in SKINS:
        answer = three.call("POST", f"/explain{ROUTES[skin]}", least(skin, model="at/all"), key=key)
        assert answer.status == 200
        assert answer.header("x-generation-id") is None
    assert "gen-" not in three.log_text(since=0)[since:]
    assert three.call("GET", f"/keys/{made['hash']}").json()["data"]["usage"] == 0
    assert simulator.requests() == []


# --- with the official clients --------------------------------------------------------------------------------


def test_the_official_clients_reach_it_by_their_plain_calls(three: Gateway, simulator: Simulator) -> None:
    with openai.OpenAI(base_url=three.url, api_key=three.key, max_retries=0) as client:
        for skin in ("chat", "responses"):
            told: Any = client.post(f"/explain{ROUTES[skin]}", body=least(skin, model="at/all"), cast_to=object)
            assert told["data"]["effective"] == least(skin, model="at/all")
        with pytest.raises(openai.NotFoundError, match="Preset not found: nobody"):
            client.post("/explain/responses", body=least("responses", model="@preset/nobody"), cast_to=object)
    with anthropic.Anthropic(base_url=f"{three.origin}/api", api_key=three.key, max_retries=0) as claude:
        told = claude.post("/v1/explain/messages", body=least("messages", model="at/all"), cast_to=object)
        assert told["data"]["effective"] == least("messages", model="at/all")
        with pytest.raises(anthropic.NotFoundError, match="Preset not found: nobody"):
            claude.post("/v1/explain/messages", body=least("messages", model="@preset/nobody"), cast_to=object)
    assert simulator.requests() == []


# --- what is wrong -------------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"model": 5}, 400, "invalid_request"),
    ({"model": "nobody/nothing"}, 400, "invalid_request"),
    ({"model": "@preset/nobody"}, 404, "not_found"),
    ({"model": "at/chat", "provider": {"only": ["messages"]}}, 404, "not_found"),
    ({"model": "at/chat", "temperature": "hot"}, 400, "invalid_request"),
]


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("fields", "status", "kind"), WRONG)
def test_an_error_is_the_one_that_the_request_itself_would_get(
    three: Gateway, simulator: Simulator, skin: Dialect, fields: dict[str, Any], status: int, kind: str
) -> None:
    answer = explain(three, skin, **fields)
    asked = three.call("POST", ROUTES[skin], least(skin, **fields))
    assert (answer.status, error_of(skin, answer)[0]) == (status, kind)
    assert (asked.status, error_of(skin, asked)) == (status, error_of(skin, answer))
    assert simulator.requests() == []


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("key", "status"), [("sk-sp-v1-nobody", 401), (None, 401)])
def test_a_key_that_is_none_is_refused_in_the_words_of_the_skin(
    three: Gateway, skin: Dialect, key: str | None, status: int
) -> None:
    answer = three.call("POST", f"/explain{ROUTES[skin]}", least(skin, model="at/chat"), key=key or "")
    assert answer.status == status
    assert error_of(skin, answer)[0] == "authentication"


def test_a_server_that_is_full_explains_nothing(start_gateway: StartGateway, simulator: Simulator) -> None:
    gateway = start_gateway(settings={"max_concurrent_requests": 1})
    url, ours = f"{gateway.url}/explain/messages", ("x-api-key", gateway.key)
    body = json.dumps(least("messages", model="sim/solo")).encode()
    head = request_bytes("POST", url, headers=[ours, ("Content-Length", str(len(body))), ("Expect", "100-continue")])
    simulator.script(hang())
    with RawConnection(url) as early, RawConnection(url) as late, RawConnection(url) as busy:
        early.send(head)
        assert early.read_head() == (100, ()), "there is a place yet"
        busy.send(request_bytes("POST", f"{gateway.url}/messages", body, headers=[ours]))
        simulator.wait_for_requests(1)
        late.send(head)
        early.send(body)
        answers = [late.read_answer(), early.read_answer()]
    assert [answer.status for answer in answers] == [529, 529]
    assert {error_of("messages", answer)[0] for answer in answers} == {"unavailable"}
    assert {answer.header("retry-after") for answer in answers} == {"1"}


def test_a_body_that_is_no_json_is_refused(three: Gateway) -> None:
    answer = three.call("POST", "/explain/messages", body=b"{")
    assert answer.status == 400
    assert error_of("messages", answer)[0] == "invalid_request"


def test_a_big_body_is_explained_too(three: Gateway) -> None:
    told = explained(three, "messages", text="x" * 3_000_000, model="at/all", max_tokens=1)
    assert len(told["effective"]["messages"][0]["content"]) == 3_000_000
    assert told["estimated_cost"]["min"] == "0.75"

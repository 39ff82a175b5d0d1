"""The three skins in front of providers of three dialects, over HTTP: what is answered, and what goes upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import fresh, sent
from api.skins_support import PAIRS, ROUTES, SECRET, SKINS, ask, error_of, least, text_of, three_dialects
from simulator import script
from support.http import call
from support.processes import Gateway, config_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.records import Dialect
    from simulator.client import Simulator


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose providers speak one dialect each."""
    folder = tmp_path_factory.mktemp("gateway")
    started = Gateway(folder, config=config_file(folder, **three_dialects(simulator_process)))
    yield started
    assert started.stop() == 0, started.log_text()


def record_of(gateway: Gateway, id_: str | None) -> dict[str, Any]:
    return gateway.call("GET", f"/generation?id={id_}").json()["data"]


# --- nine pairs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("skin", "dialect"), PAIRS)
def test_any_skin_meets_any_dialect(gateway: Gateway, simulator: Simulator, skin: Dialect, dialect: Dialect) -> None:
    answer = ask(gateway, skin, f"at/{dialect}", "Where is it?")
    assert text_of(skin, answer) == "Hello from the simulator."
    (received,) = simulator.requests()
    paths = {"chat": "/c/v1/chat/completions", "messages": "/m/v1/messages", "responses": "/r/v1/responses"}
    assert received.path == paths[dialect]
    assert received.json()["model"] == f"{dialect}-model"
    assert "Where is it?" in received.body.decode()
    credential = ("x-api-key", SECRET) if dialect == "messages" else ("authorization", f"Bearer {SECRET}")
    assert received.header(credential[0]) == credential[1]
    record = record_of(gateway, answer.header("x-generation-id"))
    assert (record["skin"], record["status"]) == (skin, "completed")
    assert record["total_cost"] > 0


@pytest.mark.parametrize(("skin", "dialect"), PAIRS)
def test_a_preset_of_any_skin_is_applied_in_any_skin(
    gateway: Gateway, simulator: Simulator, skin: Dialect, dialect: Dialect
) -> None:
    for captured in SKINS:
        slug = fresh()
        limit = "max_output_tokens" if captured == "responses" else "max_tokens"
        fields: dict[str, Any] = {"model": f"at/{dialect}", "temperature": 0.25, limit: 77}
        body = least(captured, **fields)
        system = {"instructions": "Be kind."} if captured == "responses" else {"system": "Be kind."}
        if captured == "chat":
            body["messages"].insert(0, {"role": "system", "content": "Be kind."})
        else:
            body |= system
        made = gateway.call("POST", f"/presets/{slug}{ROUTES[captured]}", body)
        assert made.status == 200, made.body
        simulator.forget_requests()
        answer = ask(gateway, skin, f"@preset/{slug}", "Go")
        assert answer.status == 200, answer.body
        assert answer.header("x-setpoint-preset") == f"{slug}@1"
        received = sent(simulator)
        assert received["temperature"] == 0.25
        assert received["max_output_tokens" if dialect == "responses" else "max_tokens"] == 77
        match dialect:
            case "chat":
                assert received["messages"][0] == {"role": "system", "content": "Be kind."}
            case "messages":
                assert received["system"] == "Be kind."
            case "responses":
                assert received["instructions"] == "Be kind."


@pytest.mark.parametrize(("skin", "path"), [("chat", "/chat/completions"), ("messages", "/messages")])
def test_a_provider_of_two_dialects_is_spoken_to_in_the_requests_own(
    gateway: Gateway, simulator: Simulator, skin: Dialect, path: str
) -> None:
    ask(gateway, skin, "at/two")
    assert [one.path for one in simulator.requests()] == [f"/t/v1{path}"]


def test_a_provider_of_two_dialects_is_spoken_to_in_its_first_by_other_skins(
    gateway: Gateway, simulator: Simulator
) -> None:
    ask(gateway, "responses", "at/two")
    assert [one.path for one in simulator.requests()] == ["/t/v1/chat/completions"]


@pytest.mark.parametrize("skin", SKINS)
def test_fallback_goes_from_dialect_to_dialect(gateway: Gateway, simulator: Simulator, skin: Dialect) -> None:
    failing = script.status(500)
    simulator.script(failing, prefix="/c")
    simulator.script(failing, prefix="/m")
    for stream in (False, True):
        simulator.forget_requests()
        gateway.forget()
        answer = ask(gateway, skin, "at/all", stream=stream)
        assert answer.status == 200, answer.body
        assert [one.path[:2] for one in simulator.requests()] == ["/c", "/m", "/r"]


def test_the_fallbacks_of_a_messages_request_are_tried(gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(script.status(503), prefix="/c")
    answer = ask(gateway, "messages", "at/chat", fallbacks=[{"model": "at/messages"}])
    assert answer.status == 200, answer.body
    assert [one.path[:2] for one in simulator.requests()] == ["/c", "/m"]
    answer = ask(gateway, "messages", "at/chat", fallbacks=[{"model": "at/nobody"}])
    assert (answer.status, error_of("messages", answer)[0]) == (400, "invalid_request")


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_stage_refuses_in_the_skins_own_words(
    gateway: Gateway, simulator: Simulator, skin: Dialect, stream: bool
) -> None:
    route, good = ROUTES[skin], least(skin, model="at/chat", stream=stream)
    simulator.script(script.status(500))
    stages: list[tuple[Any, int, str]] = [
        (gateway.call("POST", route, good, key="sk-nobody-0123456789"), 401, "authentication"),
        (gateway.call("POST", route, body=b"{"), 400, "invalid_request"),
        (gateway.call("POST", route, {**good, "temperature": "hot"}), 400, "invalid_request"),
        (gateway.call("POST", route, {**good, "model": "@preset/nobody"}), 404, "not_found"),
        (gateway.call("POST", route, {**good, "model": "nobody"}), 400, "invalid_request"),
        (gateway.call("POST", route, good), 502, "provider_unavailable"),
        (gateway.call("PUT", route, good), 405, "method_not_allowed"),
        (call("POST", f"{gateway.origin}/v1{route}", good), 401, "authentication"),
    ]
    for answer, status, type_ in stages:
        assert answer.status == status, answer.body
        assert error_of(skin, answer)[0] == type_


def test_an_overloaded_provider_is_a_529_on_messages(gateway: Gateway, simulator: Simulator) -> None:
    busy = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    simulator.script(script.status(529, busy, headers={"retry-after": "7"}))
    expected: dict[Dialect, int] = {"chat": 503, "messages": 529, "responses": 503}
    for skin, status in expected.items():
        answer = ask(gateway, skin, "at/messages")
        assert (answer.status, error_of(skin, answer)[0]) == (status, "provider_overloaded")
        assert answer.header("retry-after") == "7"


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_too_long_is_an_incomplete_answer_on_responses(
    gateway: Gateway, simulator: Simulator, stream: bool
) -> None:
    refusal = {"error": {"code": "context_length_exceeded", "message": "too long"}}
    simulator.script(script.status(400, refusal))
    answer = ask(gateway, "responses", "at/chat", stream=stream)
    assert answer.status == 200
    if stream:
        *_, last, done = [frame for frame in answer.frames() if frame.data is not None]
        assert done.data == "[DONE]"
        content = last.json()["response"]
    else:
        content = answer.json()
    assert (content["status"], content["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    record = record_of(gateway, answer.header("x-generation-id"))
    assert (record["status"], record["error_type"]) == ("failed", "context_length_exceeded")


@pytest.mark.parametrize(
    ("code", "type_"),
    [
        ("image_file_too_large", "image_too_large"),
        ("invalid_base64_image", "invalid_image"),
        ("failed_to_download_image", "image_download_failed"),
        ("image_content_policy_violation", "content_policy_violation"),
        ("cyber_policy", "content_policy_violation"),
    ],
)
def test_a_failed_response_is_what_its_code_says(gateway: Gateway, simulator: Simulator, code: str, type_: str) -> None:
    failed: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "failed", "output": []}
    simulator.script(script.body({**failed, "error": {"code": code, "message": "no"}}))
    for skin in SKINS:
        answer = ask(gateway, skin, "at/responses")
        assert (answer.status, error_of(skin, answer)[0]) == (400, type_)


# --- what goes upstream --------------------------------------------------------------------------------------


def test_betas_and_version_go_to_a_messages_upstream_and_nowhere_else(gateway: Gateway, simulator: Simulator) -> None:
    told = {"anthropic-version": "2026-10-21", "anthropic-beta": "a-1, b-2", "x-anthropic-beta": "c-3,a-1"}
    body = least("messages", model="at/messages")
    for path in ("/messages?beta=true", "/messages"):
        gateway.call("POST", path, body, headers=told)
    gateway.call("POST", "/messages", {**body, "model": "at/chat"}, headers=told)
    gateway.call("POST", "/chat/completions", {**body, "model": "at/messages"}, headers={"x-anthropic-beta": "c-3"})
    own, again, other, chat = simulator.requests()
    for received in (own, again):
        assert received.path == "/m/v1/messages"
        assert (received.header("anthropic-version"), received.header("anthropic-beta")) == (
            "2026-10-21",
            "a-1,b-2,c-3",
        )
    assert (other.header("anthropic-version"), other.header("anthropic-beta")) == (None, None)
    assert (chat.header("anthropic-version"), chat.header("anthropic-beta")) == ("2023-06-01", "c-3")


def test_what_the_dialect_has_no_word_for_is_named(gateway: Gateway, simulator: Simulator) -> None:
    answer = ask(gateway, "chat", "at/messages", seed=7, top_k=3, x_new={"a": 1}, logit_bias={"1": 2})
    assert set((answer.header("x-setpoint-unsaid") or "").split(",")) == {"/seed", "/x_new", "/logit_bias"}
    assert set(record_of(gateway, answer.header("x-generation-id"))["unsaid"]) == {"/seed", "/x_new", "/logit_bias"}
    received = sent(simulator)
    assert received["top_k"] == 3
    assert not {"seed", "x_new", "logit_bias"} & received.keys()


def test_a_messages_request_names_what_a_chat_upstream_is_not_told(gateway: Gateway) -> None:
    answer = ask(gateway, "messages", "at/chat", context_management={"edits": []}, speed="fast")
    assert set((answer.header("x-setpoint-unsaid") or "").split(",")) == {"/context_management", "/speed"}


@pytest.mark.parametrize("skin", SKINS)
def test_with_require_parameters_an_endpoint_that_would_not_be_told_all_is_not_chosen(
    gateway: Gateway, simulator: Simulator, skin: Dialect
) -> None:
    must: dict[str, Any] = {"require_parameters": True}
    assert ask(gateway, skin, "at/few", top_k=3).status == 200
    assert ask(gateway, skin, "at/few", top_k=3, provider=must).status == 200
    assert [one.path[:2] for one in simulator.requests()] == ["/c", "/m"]
    refused = ask(gateway, skin, "at/few", top_k=3, temperature=0.5, provider=must)
    assert (refused.status, error_of(skin, refused)[0]) == (404, "not_found")
    assert refused.json()["error"]["availability"]["excluded_by"] == ["require_parameters"]
    assert len(simulator.requests()) == 2


def test_content_that_no_other_dialect_can_say_is_refused_by_its_path(gateway: Gateway, simulator: Simulator) -> None:
    block: dict[str, Any] = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [block]}]
    body: dict[str, Any] = {"model": "at/chat", "messages": messages}
    answer = gateway.call("POST", "/messages", body)
    assert answer.status == 400
    assert error_of("messages", answer)[1].startswith("messages[1].content[0]")
    assert simulator.requests() == []
    assert gateway.call("POST", "/messages", {**body, "model": "at/messages"}).status == 200
    assert sent(simulator)["messages"] == messages


def test_an_endpoint_that_can_say_it_is_chosen_behind_one_that_cannot(gateway: Gateway, simulator: Simulator) -> None:
    part = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    body = {"messages": [{"role": "user", "content": [part]}], "model": "at/messages", "models": ["at/responses"]}
    assert gateway.call("POST", "/chat/completions", body).status == 200
    assert [one.path for one in simulator.requests()] == ["/r/v1/responses"]


# --- counting ------------------------------------------------------------------------------------------------


def test_tokens_are_counted_by_the_provider_where_it_can(gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(script.body({"input_tokens": 4321}), prefix="/m/v1/messages/count_tokens")
    more: dict[str, Any] = {"max_tokens": 9, "temperature": 0.5, "stop_sequences": ["a"], "metadata": {"user_id": "u"}}
    answer = gateway.call("POST", "/messages/count_tokens", least("messages", model="at/messages", **more))
    assert (answer.status, answer.json()) == (200, {"input_tokens": 4321})
    assert (answer.header("x-generation-id") or "").startswith("gen-")
    received = sent(simulator)
    assert received["model"] == "messages-model"
    assert received.keys() == {"model", "messages"}


def test_tokens_are_estimated_where_nobody_counts_them(gateway: Gateway, simulator: Simulator) -> None:
    answer = gateway.call("POST", "/messages/count_tokens", least("messages", "x" * 400, model="at/chat"))
    assert answer.status == 200
    assert answer.json()["input_tokens"] == 100
    assert simulator.requests() == []
    simulator.script(script.status(404))
    answer = gateway.call("POST", "/messages/count_tokens", least("messages", "x" * 400, model="at/messages"))
    assert (answer.status, answer.json()) == (200, {"input_tokens": 100})


def test_a_count_is_refused_in_the_words_of_messages(gateway: Gateway) -> None:
    answer = gateway.call("POST", "/messages/count_tokens", {"model": "at/chat"})
    assert (answer.status, error_of("messages", answer)[0]) == (400, "invalid_request")
    answer = gateway.call("POST", "/messages/count_tokens", least("messages", model="nobody"))
    assert error_of("messages", answer)[0] == "invalid_request"


# --- debug ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("skin", "dialect"), PAIRS)
def test_the_body_that_went_upstream_is_shown_to_who_asks(
    gateway: Gateway, simulator: Simulator, skin: Dialect, dialect: Dialect
) -> None:
    answer = ask(gateway, skin, f"at/{dialect}", stream=True, debug={"echo_upstream_body": True})
    frames = [frame.json() for frame in answer.frames() if frame.data not in (None, "[DONE]")]
    (shown,) = [frame["debug"]["echo_upstream_body"] for frame in frames if "debug" in frame]
    assert shown == sent(simulator)

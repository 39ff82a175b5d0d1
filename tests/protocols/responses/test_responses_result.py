"""A whole answer of the responses protocol: filled in where it is its own, written anew where it is another's."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response
from openrouter.components import OpenResponsesResult

from setpoint.canonical.parts import Citation, Media, Part, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, FinishReason, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import GatewayError, ProviderError
from setpoint.protocols import responses
from setpoint.protocols.answer import Bill, Opening, Outcome, Stamp
from setpoint.protocols.responses.repeated import repeated
from setpoint.protocols.responses.result import fill_response, finish_of, response_object
from setpoint.records import Cost
from setpoint.wire.body import Body, join, members, raw, split

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body

STAMP = Stamp("gen-1", "acme/sage-2", "Acme", 1767225000)
COST = Cost(prompt=Decimal("0.1"), completion=Decimal("0.2"), total=Decimal("0.3"))
BILL = Bill(Usage(input_tokens=10, output_tokens=20, reasoning_tokens=7), COST, COST.total)

REQUIRED = {
    *("id", "object", "created_at", "completed_at", "status", "model", "output", "error", "incomplete_details"),
    *("instructions", "metadata", "temperature", "top_p", "frequency_penalty", "presence_penalty"),
    *("parallel_tool_calls", "tool_choice", "tools"),
}
USUAL = {
    *("output_text", "max_output_tokens", "store", "previous_response_id", "background", "truncation", "text"),
    *("reasoning", "service_tier", "usage"),
}

REQUEST: dict[str, Any] = {
    "model": "acme/sage-2",
    "input": "Hi",
    "instructions": "Be brief.",
    "temperature": 0.50,
    "top_p": 0.9,
    "frequency_penalty": 0.1,
    "presence_penalty": -0.1,
    "parallel_tool_calls": False,
    "tool_choice": {"type": "function", "name": "f"},
    "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
    "metadata": {"a": "b"},
    "max_output_tokens": 100,
    "max_tool_calls": 3,
    "truncation": "auto",
    "text": {"verbosity": "low", "format": None},
    "reasoning": {"effort": "high", "exclude": True},
    "user": "ann",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "top_logprobs": 2,
}
ECHO: dict[str, Any] = {
    **{name: REQUEST[name] for name in REQUEST.keys() - {"model", "input", "text", "reasoning", "tools"}},
    "tools": [{"type": "function", "name": "f", "parameters": None}, {"type": "web_search"}],
    "text": {"format": {"type": "text"}, "verbosity": "low"},
    "reasoning": {"effort": "high", "summary": None},
}


def opening(request: dict[str, Any] | None = None) -> Opening:
    numbers = count(1)
    return Opening(stamp=STAMP, request=members(raw(request or {})), new_id=lambda prefix: f"{prefix}{next(numbers)}")


def message(*content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [*content], **more}


def said(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": [], "logprobs": [], **more}


HI = message(said("Hi"))
CALL: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}


def edited(content: dict[str, Any] | bytes, request: dict[str, Any] | None = None, metadata: Raw | None = None) -> Any:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return json.loads(responses.edit_result(split(data)).write(opening(request), BILL, metadata))


def read(content: dict[str, Any]) -> Result:
    return responses.read_result(split(json.dumps(content).encode()))


def made(request: dict[str, Any] | None = None, **more: Any) -> Body:
    """A response object about this request."""
    start = opening(request)
    return response_object(start, "resp_1", repeated(start.request), **more)


def taken_by_official_clients(told: dict[str, Any]) -> None:
    Response.model_validate(told)
    OpenResponsesResult.model_validate(told)


# --- the object ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [{}, REQUEST], ids=["bare", "full"])
@pytest.mark.parametrize("status", ["completed", "incomplete", "in_progress", "failed"])
def test_a_response_has_every_key_that_clients_need(status: str, request_: dict[str, Any]) -> None:
    error = ProviderError("timeout", "too slow") if status == "failed" else None
    body = made(
        request_,
        status=status,
        output=[members(raw(HI))],
        bill=BILL if status in ("completed", "incomplete") else None,
        completed_at=5 if status == "completed" else None,
        incomplete="content_filter" if status == "incomplete" else None,
        error=error,
    )
    told = json.loads(join(body))
    assert told.keys() >= REQUIRED | USUAL
    taken_by_official_clients(told)
    assert (told["id"], told["status"], told["model"], told["output_text"]) == ("resp_1", status, "acme/sage-2", "Hi")
    assert told["completed_at"] == (5 if status == "completed" else None)
    assert told["incomplete_details"] == ({"reason": "content_filter"} if status == "incomplete" else None)
    assert told["error"] == ({"code": "server_error", "message": "too slow"} if error else None)
    assert told.get("error_type") == ("timeout" if error else None)
    assert (told["usage"] is None) == (status in ("in_progress", "failed"))


def test_a_response_repeats_its_request() -> None:
    told = json.loads(join(made(REQUEST, status="completed", output=[], bill=None)))
    assert {name: told[name] for name in ECHO} == ECHO


def test_a_request_that_says_nothing_is_repeated_as_the_defaults() -> None:
    told = json.loads(join(made(status="completed", output=[], bill=None)))
    repeated = told.keys() & (REQUIRED | USUAL)
    assert {name: told[name] for name in repeated} == {
        "id": "resp_1",
        "object": "response",
        "created_at": 1767225000,
        "completed_at": None,
        "status": "completed",
        "model": "acme/sage-2",
        "output": [],
        "output_text": "",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": None,
        "max_output_tokens": None,
        "temperature": None,
        "top_p": None,
        "frequency_penalty": None,
        "presence_penalty": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "store": False,
        "previous_response_id": None,
        "background": False,
        "truncation": "disabled",
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": None, "summary": None},
        "service_tier": None,
        "usage": None,
    }


def test_a_fault_of_ours_shows_no_router_metadata() -> None:
    for error, shown in ((GatewayError("server", "x"), False), (ProviderError("timeout", "x"), True)):
        body = made(status="failed", output=[], bill=None, error=error, metadata=raw({"a": 1}))
        assert ("openrouter_metadata" in body) is shown


# --- an upstream's own ---------------------------------------------------------------------------------------


def test_the_barest_answer_gets_every_key_that_clients_need() -> None:
    told = edited({"output": [{name: said for name, said in HI.items() if name != "id"}]}, REQUEST)
    assert told.keys() >= (REQUIRED | USUAL) - {"service_tier"}
    taken_by_official_clients(told)
    assert {name: told[name] for name in ECHO} == ECHO
    assert (told["id"], told["status"], told["output_text"]) == ("resp_1", "completed", "Hi")
    assert (told["created_at"], told["completed_at"]) == (1767225000, 1767225000)
    assert told["output"][0]["id"] == "msg_2"
    assert told["usage"]["cost_details"]["upstream_inference_input_cost"] == 0.1


def test_what_an_upstream_says_keeps_its_bytes_but_for_its_model() -> None:
    data = (
        b'{"id":"resp_far","object":"x","created_at":1767225600.25,"completed_at":1767225601,"status":"completed",'
        b'"model":"sage","output":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"g\\u0041"},'
        b'{"type":"x_new","id":"x","n":1.50, "s":"\\ud800"}],"tools":[ ],'
        b'"x":{"big":123456789012345678901}}'
    )
    out = responses.edit_result(split(data)).write(opening(REQUEST), BILL, None)
    assert out.startswith(
        b'{"id":"resp_far","object":"response","created_at":1767225600,"completed_at":1767225601,"model":"acme/sage-2"'
    )
    for kept in (
        b'{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"g\\u0041"}',
        b'{"type":"x_new","id":"x","n":1.50, "s":"\\ud800"}',
        b'"tools":[ ]',
        b'"x":{"big":123456789012345678901}',
    ):
        assert kept in out


def test_sampling_is_repeated_as_it_was_sent_and_not_as_the_upstream_has_it() -> None:
    upstream: dict[str, Any] = {
        "output": [],
        "temperature": 1.0,
        "top_p": 0.98,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }
    told = edited(upstream, {"top_p": 0.5})
    assert {name: told[name] for name in upstream if name != "output"} == {
        "temperature": None,
        "top_p": 0.5,
        "presence_penalty": None,
        "frequency_penalty": None,
    }


def test_a_client_reads_its_own_labels_and_not_the_digests_that_went_upstream() -> None:
    upstream: dict[str, Any] = {
        "output": [],
        "user": "5f2b",
        "safety_identifier": "77aa",
        "metadata": {},
        "prompt_cache_key": "far",
    }
    told = edited(upstream, {"user": "ann", "metadata": {"a": "b"}})
    assert (told["user"], told["safety_identifier"], told["metadata"]) == ("ann", None, {"a": "b"})
    assert told["prompt_cache_key"] == "far"
    assert edited({"output": [], "metadata": {"x": "y"}}, {"metadata": {"a": "b"}})["metadata"] == {"x": "y"}


@pytest.mark.parametrize("name", sorted(REQUIRED - {"output"}))
def test_a_null_where_clients_need_more_is_filled_in(name: str) -> None:
    told = edited({"output": [HI], name: None}, REQUEST)
    taken_by_official_clients(told)
    if name in ECHO:
        assert told[name] == ECHO[name]


@pytest.mark.parametrize("time", [0, -5, "now", None, True, 10**12])
def test_a_time_that_is_none_is_ours(time: object) -> None:
    assert edited({"output": [], "created_at": time})["created_at"] == 1767225000


def test_the_usage_of_the_upstream_gets_our_cost() -> None:
    usage = {"input_tokens": 10, "output_tokens": 20, "x": 1}
    told = edited({"output": [], "usage": usage})["usage"]
    assert (told["x"], told["cost"], told["output_tokens_details"]) == (1, 0.3, {"reasoning_tokens": 7})


def test_router_metadata_stands_at_the_top() -> None:
    assert edited({"output": []}, metadata=raw({"attempt": 1}))["openrouter_metadata"] == {"attempt": 1}


def test_an_answer_tells_of_itself() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "cost": 0.5}
    body = {"id": "resp_far", "status": "completed", "service_tier": "flex", "output": [HI, CALL], "usage": usage}
    assert responses.edit_result(split(json.dumps(body).encode())).outcome == Outcome(
        upstream_id="resp_far",
        finish_reason="tool_calls",
        native_finish_reason="completed",
        service_tier="flex",
        usage=Usage(input_tokens=1, output_tokens=2),
        provider_cost=Decimal("0.5"),
        output_bytes=len("Hi" + "f" + "{}"),
    )


def test_an_upstreams_body_is_not_changed() -> None:
    body = split(json.dumps({"output": [HI], "usage": {"input_tokens": 1}}).encode())
    before = dict(body)
    responses.edit_result(body).write(opening(), BILL, raw({}))
    assert body == before


@pytest.mark.parametrize("reading", [responses.edit_result, responses.read_result])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"output": None},
        {"output": "Hi"},
        {"output": ["Hi"]},
        {"status": "failed", "output": []},
        {"status": "cancelled", "output": [HI]},
        {"status": "in_progress", "output": [HI]},
        {"status": "queued", "output": []},
    ],
)
def test_what_is_no_complete_answer_is_the_providers_fault(reading: Any, body: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as caught:
        reading(split(json.dumps(body).encode()))
    assert caught.value.type == "provider_unavailable"


def test_a_response_is_filled_in_under_the_id_that_its_stream_has() -> None:
    body = members(raw({"id": "resp_other", "status": "in_progress", "output": None, "model": "sage"}))
    told = json.loads(join(fill_response(body, start := opening(REQUEST), "resp_own", repeated(start.request))))
    assert (told["id"], told["status"], told["output"], told["completed_at"]) == ("resp_own", "in_progress", [], None)
    taken_by_official_clients(told)


# --- why it ended --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "finish"),
    [
        ({"status": "completed", "output": [HI]}, ("stop", "completed")),
        ({"output": [HI]}, ("stop", "completed")),
        ({"status": "completed", "output": [HI, CALL]}, ("tool_calls", "completed")),
        ({"status": "completed", "output": [{"type": "computer_call", "call_id": "1"}]}, ("stop", "completed")),
        ({"status": "completed", "output": [{"type": "web_search_call"}]}, ("stop", "completed")),
        (
            {
                "status": "completed",
                "output": [{"type": "shell_call", "call_id": "1"}, {"type": "shell_call_output", "call_id": "1"}],
            },
            ("stop", "completed"),
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [CALL]},
            ("length", "max_output_tokens"),
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            ("content_filter", "content_filter"),
        ),
        ({"status": "incomplete", "incomplete_details": None}, ("length", "incomplete")),
        ({"status": "failed"}, None),
        ({"status": "in_progress"}, None),
    ],
)
def test_a_response_says_why_it_ended(response: dict[str, Any], finish: tuple[FinishReason, str] | None) -> None:
    told = finish_of(members(raw(response)))
    assert told == (None if finish is None else Finish(reason=finish[0], native=finish[1]))


# --- between protocols ---------------------------------------------------------------------------------------


def test_an_answer_is_read_into_canonical_values() -> None:
    entries = [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]
    result = read(
        {
            "id": "resp_far",
            "status": "completed",
            "service_tier": "default",
            "output": [
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "So."}]},
                {"type": "web_search_call", "id": "ws_1", "status": "completed"},
                message(said("Hi", logprobs=entries), {"type": "refusal", "refusal": "No."}),
                CALL,
                {"type": "web_search_call", "id": "ws_2", "status": "completed"},
            ],
            "usage": {"input_tokens": 1, "output_tokens": 2, "cost": 0.5},
        }
    )
    assert [type(part) for part in result.parts] == [Reasoning, Text, Refusal, ToolCall]
    assert result.finish == Finish(reason="tool_calls", native="completed")
    assert result.usage == Usage(input_tokens=1, output_tokens=2, searches=2)
    assert result.provider_cost == Decimal("0.5")
    assert (result.upstream_id, result.service_tier, result.unsaid) == ("resp_far", "default", ("web_search_call",))
    assert result.logprobs is not None
    assert json.loads(bytes(result.logprobs)) == entries


def test_log_probabilities_go_on_with_all_that_another_protocol_requires() -> None:
    bare = [{"token": "Hi", "logprob": -0.1, "bytes": None}]
    result = read({"output": [message(said("Hi", logprobs=bare))]})
    assert result.logprobs is not None
    assert json.loads(bytes(result.logprobs)) == [{**bare[0], "bytes": [72, 105], "top_logprobs": []}]


def test_an_answer_without_log_probabilities_or_usage_says_so() -> None:
    result = read({"output": [HI], "usage": None})
    assert (result.logprobs, result.usage, result.provider_cost, result.upstream_id) == (None, None, None, None)


PARTS: tuple[Part, ...] = (
    Reasoning(kind="text", text=raw("So."), seal=raw("sig"), maker="messages", format="anthropic-claude-v1"),
    Text(text=raw("Hi"), citations=(Citation(url=raw("http://a"), title=raw("T")),)),
    Refusal(text=raw("No.")),
    Media(kind="image", data=raw("iVBO"), media_type="image/png"),
    ToolCall(id="c1", name="f", arguments=raw('{"a":1}')),
    ToolCall(id="c2", name="apply_patch", arguments=raw("*** Begin"), kind="custom"),
    ToolCall(id="c3", name="shell", arguments=raw('{"commands":["ls"]}'), kind="shell"),
    ToolCall(id="c4", name="apply_patch", arguments=raw('{"type":"delete_file","path":"a"}'), kind="apply_patch"),
)


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        (None, "completed", None),
    ],
)
def test_an_answer_of_another_dialect_is_a_response_that_official_clients_take(
    reason: FinishReason | None, status: str, why: str | None
) -> None:
    finish = None if reason is None else Finish(reason=reason, native="x")
    result = Result(parts=PARTS, finish=finish, service_tier="standard")
    told = json.loads(responses.write_result(result, opening(REQUEST), BILL, raw({"attempt": 1})))
    assert told.keys() >= REQUIRED | USUAL
    assert (told["status"], told["incomplete_details"]) == (status, None if why is None else {"reason": why})
    assert told["completed_at"] == (1767225000 if status == "completed" else None)
    assert told["usage"]["total_tokens"] == 30
    assert (told["output_text"], told["service_tier"]) == ("Hi", "default")
    assert told.pop("openrouter_metadata") == {"attempt": 1}
    taken_by_official_clients(told)


def test_log_probabilities_of_another_dialect_stand_at_the_text() -> None:
    entries = raw([{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}])
    result = Result(parts=(Text(text=raw("Hi")),), logprobs=entries)
    told = json.loads(responses.write_result(result, opening(), BILL, None))
    assert told["output"][0]["content"][0]["logprobs"] == json.loads(bytes(entries))


STRING = st.text().map(raw)
PART = st.one_of(
    st.builds(Text, text=STRING, path=st.just("")),
    st.builds(Refusal, text=STRING, path=st.just("")),
    st.builds(ToolCall, id=st.text(min_size=1), name=st.text(min_size=1), arguments=STRING),
)


@given(st.lists(PART, max_size=5), st.sampled_from([None, "length", "content_filter"]))
def test_an_answer_that_was_written_is_read_again(parts: list[Part], reason: FinishReason | None) -> None:
    calls = any(isinstance(part, ToolCall) for part in parts)
    finish = Finish(reason=reason or ("tool_calls" if calls else "stop"), native="x")
    data = responses.write_result(Result(parts=tuple(parts), finish=finish), opening(), BILL, None)
    back = responses.read_result(split(data))
    assert back.finish is not None
    assert (back.finish.reason, back.usage, back.provider_cost) == (finish.reason, BILL.usage, BILL.amount)
    assert [told(part) for part in back.parts] == [told(part) for part in parts]


def told(part: Part) -> tuple[Any, ...]:
    match part:
        case Text(text=text) | Refusal(text=text):
            return type(part), bytes(text)
        case ToolCall():
            return part.id, part.name, bytes(part.arguments)
        case _:
            return (part,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
MEMBERS = st.sampled_from(sorted(REQUIRED | USUAL | {"user", "safety_identifier", "error"}))
ITEM = st.dictionaries(
    st.sampled_from(["type", "id", "call_id", "content", "summary", "name", "arguments", "output"]),
    JSON | st.sampled_from(["message", "reasoning", "function_call", "shell_call_output"]),
)


@given(st.dictionaries(MEMBERS, JSON), st.lists(ITEM, max_size=3))
def test_whatever_an_upstream_says_it_is_an_answer_or_the_providers_fault(
    told: dict[str, Any], output: list[dict[str, Any]]
) -> None:
    body: Body = members(raw({"output": output, **told}))
    written: list[bytes] = []
    problems: list[ProviderError] = []
    try:
        written.append(responses.edit_result(body).write(opening(REQUEST), BILL, None))
        responses.read_result(body)
    except ProviderError as error:
        problems.append(error)
    assert all(problem.type == "provider_unavailable" for problem in problems)
    assert all(json.loads(answer).keys() >= REQUIRED | {"usage", "output_text"} for answer in written)
    assert written or problems

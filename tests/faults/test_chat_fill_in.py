"""What clients need and upstreams leave out is filled in; all else keeps its bytes, known to us or not."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import Front, front_of_gateway, generation_id, plain_gateway
from simulator.script import body

if TYPE_CHECKING:
    from support.http import Answer

USAGE = {"prompt_tokens": 10, "completion_tokens": 4}


gateway = plain_gateway
front = front_of_gateway


def whole(front: Front, content: dict[str, Any], **fields: Any) -> Answer:
    """The answer when the upstream says this."""
    front.simulator.script(body(content))
    answer = front.ask(**fields)
    assert answer.status == 200, answer.body
    return answer


# --- whole answers -------------------------------------------------------------------------------------------


def test_the_least_that_an_upstream_can_say_becomes_a_whole_answer(front: Front) -> None:
    begun = int(time.time())
    answer = whole(front, {"choices": [{"message": {}}]})
    told = answer.json()
    assert begun - 1 <= told.pop("created") <= time.time() + 1
    usage = told.pop("usage")
    assert told == {
        "id": generation_id(answer),
        "object": "chat.completion",
        "model": "solo/alpha",
        "provider": "Alpha",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "finish_reason": None,
                "native_finish_reason": None,
                "logprobs": None,
                "message": {"role": "assistant", "content": None, "refusal": None, "reasoning": None},
            }
        ],
    }
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["cost"] is None


def test_nulls_are_filled_in_like_what_is_missing(front: Front) -> None:
    choice = {"index": None, "finish_reason": None, "logprobs": None, "message": {"role": None, "content": None}}
    told = whole(front, {"id": None, "object": None, "created": None, "model": None, "choices": [choice]}).json()
    assert told["object"] == "chat.completion"
    assert isinstance(told["created"], int)
    assert told["choices"][0]["index"] == 0
    assert told["choices"][0]["message"]["role"] == "assistant"


def test_what_the_upstream_says_of_the_answer_stands(front: Front) -> None:
    said_so: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_600_000_000,
        "model": "their-name",
        "provider": "Theirs",
        "system_fingerprint": "fp_1",
        "service_tier": "priority",
        "choices": [
            {
                "index": 0,
                "finish_reason": "max_tokens",
                "message": {"role": "assistant", "content": "Hi", "refusal": None, "reasoning": "Hm"},
                "logprobs": {"content": [], "refusal": None},
            }
        ],
        "usage": USAGE,
    }
    answer = whole(front, said_so)
    told = answer.json()
    assert (told["created"], told["system_fingerprint"], told["service_tier"]) == (1_600_000_000, "fp_1", "priority")
    assert (told["id"], told["model"], told["provider"]) == (generation_id(answer), "solo/alpha", "Alpha")
    (choice,) = told["choices"]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "max_tokens")
    assert choice["logprobs"] == {"content": [], "refusal": None}
    assert choice["message"]["reasoning"] == "Hm"
    record = front.record(answer)
    assert (record["upstream_id"], record["service_tier"]) == ("chatcmpl-1", "priority")
    assert (record["finish_reason"], record["native_finish_reason"]) == ("length", "max_tokens")


def test_calls_without_an_id_get_one_and_without_a_type_are_functions(front: Front) -> None:
    calls = [
        {"function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "", "type": None, "function": {"name": "g"}},
        {"id": "call_9", "type": "function", "function": {"name": "h", "arguments": {"b": 2}}},
    ]
    choice = {"message": {"role": "assistant", "tool_calls": calls}, "finish_reason": "tool_calls"}
    told = whole(front, {"choices": [choice], "usage": USAGE}).json()["choices"][0]["message"]["tool_calls"]
    assert [call["type"] for call in told] == ["function"] * 3
    assert [call["function"]["name"] for call in told] == ["f", "g", "h"]
    assert [call["function"]["arguments"] for call in told] == ['{"a":1}', "", '{"b":2}']
    ids = [call["id"] for call in told]
    assert ids[2] == "call_9"
    assert len(set(ids)) == 3
    assert all(ids)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4}, (10, 4, 14)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 20}, (10, 4, 20)),
        # What nobody counted is our own count: "Hi" is one token.
        ({"prompt_tokens": 10}, (10, 1, 11)),
        ({"prompt_tokens": 10, "completion_tokens": None, "total_tokens": None}, (10, 1, 11)),
    ],
)
def test_three_counts_are_always_there(front: Front, given: dict[str, Any], shown: tuple[int, ...]) -> None:
    usage = whole(front, {"choices": [{"message": {"content": "Hi"}}], "usage": given}).json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == shown
    assert "prompt_tokens_details" not in usage
    assert "completion_tokens_details" not in usage


def test_details_have_no_null_members(front: Front) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": None}, "completion_tokens_details": None}
    told = whole(front, {"choices": [{"message": {"content": "Hi"}}], "usage": {**USAGE, **details}}).json()
    assert told["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}
    assert "completion_tokens_details" not in told["usage"]


def test_cost_details_have_both_parts_or_are_left_out(front: Front) -> None:
    usage = {**USAGE, "cost_details": {"upstream_inference_cost": None}}
    told = whole(front, {"choices": [{"message": {"content": "Hi"}}], "usage": usage}).json()["usage"]
    assert told["cost_details"] == {
        "upstream_inference_cost": 0.000018,
        "upstream_inference_prompt_cost": 0.00001,
        "upstream_inference_completions_cost": 0.000008,
    }
    assert (told["cost"], told["is_byok"]) == (0.000018, True)


UNKNOWN = ',"x_new":{"a": 1.50,"b":[ 1e2 ]}'


def test_what_is_not_known_keeps_its_bytes_at_every_level(front: Front) -> None:
    call = f'{{"id":"c","type":"function","function":{{"name":"f","arguments":"{{}}"{UNKNOWN}}}{UNKNOWN}}}'
    message = (
        f'{{"role":"assistant","content":null,"tool_calls":[{call}],"annotations":[{{"type":"t"{UNKNOWN}}}]{UNKNOWN}}}'
    )
    choice = f'{{"index":0,"finish_reason":"stop","message":{message}{UNKNOWN}}}'
    usage = f'{{"prompt_tokens":1,"completion_tokens":1{UNKNOWN}}}'
    front.simulator.script(body(f'{{"id":"x","choices":[{choice}],"usage":{usage}{UNKNOWN}}}'))
    answer = front.ask()
    assert answer.body.count(UNKNOWN[1:].encode()) == 7


def test_all_choices_are_filled_in(front: Front) -> None:
    choices = [{"index": at, "message": {"content": text}, "finish_reason": "stop"} for at, text in enumerate("abc")]
    answer = whole(front, {"choices": choices, "usage": USAGE}, n=3)
    assert [choice["message"]["content"] for choice in answer.json()["choices"]] == ["a", "b", "c"]
    assert [choice["native_finish_reason"] for choice in answer.json()["choices"]] == ["stop"] * 3
    assert front.upstream().json()["n"] == 3


def test_a_legacy_prompt_is_one_message_of_the_user(front: Front) -> None:
    answer = front.ask(body=json.dumps({"model": "solo/alpha", "prompt": "Hello"}).encode())
    assert answer.status == 200
    assert front.upstream().json()["messages"] == [{"role": "user", "content": "Hello"}]
    assert "prompt" not in front.upstream().json()

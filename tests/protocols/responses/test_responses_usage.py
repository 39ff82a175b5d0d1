"""The usage of a responses answer: read, written, and our own count of a request."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.responses import ResponseUsage

from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill
from setpoint.protocols.responses.usage import estimated_input, read_response_usage, read_usage, said_bytes, write_usage
from setpoint.records import Cost
from setpoint.wire.body import members, raw, split

COST = Cost(prompt=Decimal("0.0001"), completion=Decimal("0.0000001"), total=Decimal("0.0001001"))


def written(upstream: dict[str, Any], bill: Bill) -> dict[str, Any]:
    return json.loads(bytes(write_usage(members(raw(upstream)), bill)))


FULL: dict[str, Any] = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "audio_tokens": 2},
    "output_tokens": 20.0,
    "output_tokens_details": {"reasoning_tokens": 7, "audio_tokens": 1, "image_tokens": 6},
    "total_tokens": 30,
    "cost": 0.00012,
}


def test_every_count_and_the_cost_are_read() -> None:
    assert read_usage(raw(FULL)) == (
        Usage(
            input_tokens=10,
            output_tokens=20,
            cached_tokens=4,
            cache_write_tokens=3,
            reasoning_tokens=7,
            input_audio_tokens=2,
            output_audio_tokens=1,
            image_tokens=6,
        ),
        Decimal("0.00012"),
    )


@pytest.mark.parametrize(
    "usage",
    [
        None,
        7,
        [],
        {},
        {"prompt_tokens": 1},
        {"input_tokens": -1},
        {"input_tokens": "9"},
        {"output_tokens": 1.5},
        {"input_tokens": 1},
    ],
)
def test_what_counts_nothing_is_no_usage(usage: object) -> None:
    assert read_usage(raw(usage)) is None


def test_details_that_are_missing_count_nothing() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "input_tokens_details": None, "output_tokens_details": 7}
    assert read_usage(raw(usage)) == (Usage(input_tokens=1, output_tokens=2), None)


def test_a_bill_alone_makes_a_whole_usage() -> None:
    usage = Usage(input_tokens=10, output_tokens=20, cached_tokens=4, cache_write_tokens=3, reasoning_tokens=7)
    assert written({}, Bill(usage, COST, COST.total)) == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 7},
        "total_tokens": 30,
        "cost": 0.0001001,
        "is_byok": True,
        "cost_details": {
            "upstream_inference_cost": 0.0001001,
            "upstream_inference_input_cost": 0.0001,
            "upstream_inference_output_cost": 0.0000001,
        },
    }


def test_what_the_upstream_says_beside_the_counts_is_kept_and_its_cost_is_not() -> None:
    upstream = {
        **FULL,
        "input_tokens_details": {"x_tokens": 1, "text_tokens": None},
        "total_tokens": 99,
        "x": [1],
        "cost_details": {"upstream_inference_cost": 5},
    }
    bill = Bill(Usage(input_tokens=10, output_tokens=20), None, None)
    usage = written(upstream, bill)
    assert usage["input_tokens_details"] == {"x_tokens": 1, "cached_tokens": 0, "cache_write_tokens": 0}
    assert (usage["total_tokens"], usage["x"], usage["cost"]) == (99, [1], None)
    assert "cost_details" not in usage


def test_an_upstreams_usage_is_not_changed() -> None:
    upstream = members(raw(FULL))
    before = dict(upstream)
    write_usage(upstream, Bill(Usage(), None, None))
    assert upstream == before


COUNTS = st.integers(0, 10**12)


@given(st.builds(Usage, input_tokens=COUNTS, output_tokens=COUNTS, cached_tokens=COUNTS, reasoning_tokens=COUNTS))
def test_the_counts_that_were_written_are_read_again(usage: Usage) -> None:
    data = write_usage({}, Bill(usage, COST, COST.total))
    assert read_usage(data) == (usage, COST.total)
    assert ResponseUsage.model_validate_json(bytes(data)).total_tokens == usage.total_tokens


# --- our own count -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"input": "12345678"}, 2),
        ({"instructions": "1234", "input": "12345"}, 3),
        ({"input": [{"role": "user", "content": "1234"}, {"role": "user", "content": "5678"}]}, 2),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "12345678"}]}]}, 2),
        ({"input": [{"type": "function_call", "call_id": "x", "name": "1234", "arguments": "5678"}]}, 2),
        ({"input": [{"type": "function_call_output", "call_id": "x", "output": "12345678"}]}, 2),
        ({"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "1234"}]}]}, 1),
        ({"input": [{"type": "shell_call", "action": {"a": "bc"}}]}, 3),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, 1600),
        (
            {"input": [{"type": "function_call_output", "output": [{"type": "input_file", "file_id": "x"}]}]},
            3000,
        ),
        ({"input": "é€😀"}, 3),
        ({"input": "12345678", "tools": [{"name": "f"}]}, 6),
        ({"tools": [{"name": "f"}]}, 4),
        ({"input": 7}, 0),
        ({}, 0),
    ],
)
def test_a_request_counts_a_quarter_of_its_bytes_and_its_media(body: object, tokens: int) -> None:
    assert estimated_input(split(json.dumps(body).encode())) == tokens


def test_an_answer_says_as_many_bytes_as_its_words_have() -> None:
    content = [{"type": "output_text", "text": "é"}, {"type": "refusal", "refusal": "No"}]
    assert said_bytes(members(raw({"type": "message", "content": content}))) == len("éNo".encode())
    assert said_bytes(members(Raw(b'{"type":"function_call","name":"f","arguments":"{}"}'))) == 3


# --- searches ------------------------------------------------------------------------------------------------


def search(kind: str | None = None) -> dict[str, Any]:
    action = {} if kind is None else {"action": {"type": kind}}
    return {"type": "web_search_call", "id": "ws", "status": "completed", **action}


@pytest.mark.parametrize(
    ("output", "counted", "searches"),
    [
        ([search("search"), search("open_page"), search("find_in_page"), search("search")], {}, 2),
        ([search()], {}, 1),  # an older answer does not say what it did
        ([{"type": "message", "content": [{"type": "output_text", "text": '"web_search_call"'}]}], {}, 0),
        ([], {"num_sources_used": 3}, 3),
        ([search("search")], {"num_sources_used": 3}, 3),
        ([], {"server_tool_use_details": {"web_search_requests": 2}}, 2),
    ],
)
def test_searches_are_items_of_the_output_or_counted(
    output: list[dict[str, Any]], counted: dict[str, Any], searches: int
) -> None:
    response = members(raw({"output": output, "usage": {"input_tokens": 1, "output_tokens": 2, **counted}}))
    found = read_response_usage(response)
    assert found is not None
    assert found[0] == Usage(input_tokens=1, output_tokens=2, searches=searches)


def test_searches_without_a_count_of_tokens_are_no_usage() -> None:
    assert read_response_usage(members(raw({"output": [search("search")]}))) is None
    assert read_response_usage(members(raw({}))) is None

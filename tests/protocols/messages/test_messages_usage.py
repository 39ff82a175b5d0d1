"""The usage object of the messages protocol: what an upstream counts, what a client is told, and our own count."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill
from setpoint.protocols.messages.usage import (
    EMPTY_USAGE,
    estimated_input,
    read_usage,
    read_whole_usage,
    said_bytes,
    tier_in,
    write_delta_usage,
    write_message_usage,
    write_tier,
)
from setpoint.records import Cost
from setpoint.wire.body import Body, raw, split

COUNTS = {"input_tokens": 10, "output_tokens": 4}
REQUIRED = {
    *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"),
    *("output_tokens_details", "server_tool_use", "service_tier", "inference_geo"),
}
REQUIRED_OF_DELTA = REQUIRED - {"cache_creation", "service_tier", "inference_geo"}


def body(content: object) -> Body:
    return split(json.dumps(content).encode())


def read(content: object) -> tuple[Usage, Decimal | None] | None:
    return read_usage(Raw(json.dumps(content).encode()))


def told(data: Raw) -> dict[str, Any]:
    return json.loads(bytes(data), parse_float=Decimal)


def bill(**counts: Any) -> Bill:
    return Bill(Usage(**counts), None, None)


# --- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("upstream", "usage"),
    [
        (COUNTS, Usage(input_tokens=10, output_tokens=4)),
        ({"output_tokens": 4}, Usage(output_tokens=4)),
        ({**COUNTS, "input_tokens": 10.0}, Usage(input_tokens=10, output_tokens=4)),
        (
            {**COUNTS, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20},
            Usage(input_tokens=60, output_tokens=4, cached_tokens=30, cache_write_tokens=20),
        ),
        (
            {
                **COUNTS,
                "cache_creation_input_tokens": 20,
                "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
            },
            Usage(input_tokens=30, output_tokens=4, cache_write_tokens=20, cache_write_1h_tokens=5),
        ),
        (
            {**COUNTS, "cache_creation_input_tokens": None, "cache_creation": {"ephemeral_5m_input_tokens": 7}},
            Usage(input_tokens=17, output_tokens=4, cache_write_tokens=7),
        ),
        (
            {**COUNTS, "output_tokens_details": {"thinking_tokens": 3}},
            Usage(input_tokens=10, output_tokens=4, reasoning_tokens=3),
        ),
        (
            {**COUNTS, "cache_read_input_tokens": None, "cache_creation": None, "output_tokens_details": None},
            Usage(input_tokens=10, output_tokens=4),
        ),
    ],
)
def test_the_input_counts_what_was_read_from_and_written_to_a_cache(upstream: object, usage: Usage) -> None:
    assert read(upstream) == (usage, None)


@pytest.mark.parametrize("upstream", [None, [], "x", 1, {}, {"cost": 1}, {"cache_read_input_tokens": 3}])
def test_what_counts_neither_input_nor_output_is_no_usage(upstream: object) -> None:
    assert read(upstream) is None


@pytest.mark.parametrize(
    "member",
    [
        *({"input_tokens": -1}, {"output_tokens": "7"}, {"output_tokens": 1.5}, {"input_tokens": True}),
        *({"cache_read_input_tokens": "3"}, {"cache_creation": {"ephemeral_1h_input_tokens": []}}),
        {"output_tokens_details": {"thinking_tokens": {}}},
    ],
)
def test_a_count_that_cannot_be_read_is_unknown_and_never_nothing(member: dict[str, object]) -> None:
    assert read({**COUNTS, **member}) is None


def test_the_cost_that_an_upstream_names_is_read_from_its_own_digits() -> None:
    data = b'{"input_tokens":1,"output_tokens":1,"cost":0.000012345678901234567890123}'
    assert read_usage(Raw(data)) == (Usage(input_tokens=1, output_tokens=1), Decimal("0.000012345678901234567890123"))


# --- writing -------------------------------------------------------------------------------------------------


def test_a_whole_message_has_all_keys_that_clients_need_whatever_the_upstream_said() -> None:
    usage = told(write_message_usage({}, bill(input_tokens=9, output_tokens=2, reasoning_tokens=1)))
    assert usage == {
        "input_tokens": 9,
        "output_tokens": 2,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens_details": {"thinking_tokens": 1},
        "server_tool_use": None,
        "service_tier": None,
        "inference_geo": None,
        "cost": None,
        "is_byok": True,
    }


def test_the_empty_usage_has_the_same_keys_and_counts_nothing() -> None:
    empty = told(EMPTY_USAGE)
    assert set(empty) == REQUIRED
    assert read_usage(EMPTY_USAGE) == (Usage(), None)


def test_a_delta_has_the_keys_of_a_delta() -> None:
    usage = told(write_delta_usage({}, bill(input_tokens=9, output_tokens=2)))
    assert set(usage) == REQUIRED_OF_DELTA | {"cost", "is_byok"}


@pytest.mark.parametrize("write", [write_message_usage, write_delta_usage])
def test_cached_input_is_counted_beside_the_input(write: Any) -> None:
    usage = told(write({}, bill(input_tokens=100, output_tokens=1, cached_tokens=60, cache_write_tokens=30)))
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (
        10,
        60,
        30,
    )


def test_an_input_smaller_than_its_cached_part_is_nothing_and_never_negative() -> None:
    assert told(write_message_usage({}, bill(input_tokens=5, cached_tokens=9)))["input_tokens"] == 0


def test_writes_that_are_kept_for_an_hour_are_told_apart() -> None:
    usage = told(write_message_usage({}, bill(input_tokens=9, cache_write_tokens=7, cache_write_1h_tokens=3)))
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3}


@pytest.mark.parametrize("write", [write_message_usage, write_delta_usage])
def test_what_an_upstream_says_beside_the_counts_is_kept(write: Any) -> None:
    upstream = {
        **COUNTS,
        "server_tool_use": {"web_search_requests": 2},
        "output_tokens_details": {"thinking_tokens": 1, "x": 2},
        "iterations": [{"type": "message"}],
        "speed": "fast",
        "x_new": {"a": 1},
    }
    usage = told(write(body(upstream), bill(input_tokens=10, output_tokens=4)))
    assert {name: usage[name] for name in upstream} == upstream


@pytest.mark.parametrize("iterations", [None, {}, "x"])
def test_iterations_are_a_list_or_absent(iterations: object) -> None:
    assert "iterations" not in told(write_message_usage(body({"iterations": iterations}), bill()))


def test_counts_are_those_of_the_bill_also_where_the_upstream_said_something_else() -> None:
    upstream = body({"input_tokens": "many", "output_tokens": None, "cost": 99, "cost_details": {"x": 1}})
    usage = told(write_message_usage(upstream, bill(input_tokens=3, output_tokens=2)))
    assert (usage["input_tokens"], usage["output_tokens"], usage["cost"]) == (3, 2, None)
    assert "cost_details" not in usage


@pytest.mark.parametrize("write", [write_message_usage, write_delta_usage])
def test_the_cost_is_written_with_all_of_its_digits(write: Any) -> None:
    cost = Cost(prompt=Decimal("0.0001"), completion=Decimal("0.00004"), total=Decimal("0.00014"))
    usage = told(write({}, Bill(Usage(), cost, Decimal("0.00014"))))
    assert usage["cost"] == Decimal("0.00014")
    assert usage["cost_details"] == {
        "upstream_inference_cost": Decimal("0.00014"),
        "upstream_inference_prompt_cost": Decimal("0.0001"),
        "upstream_inference_completions_cost": Decimal("0.00004"),
    }


COUNT = st.integers(0, 10**6)


@given(COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)
def test_what_is_written_is_read_as_what_it_was(
    plain: int, output: int, cached: int, short: int, long: int, thought: int
) -> None:
    usage = Usage(
        input_tokens=plain + cached + short + long,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=short + long,
        cache_write_1h_tokens=long,
        reasoning_tokens=thought,
    )
    assert read_usage(write_message_usage({}, Bill(usage, None, None))) == (usage, None)


@pytest.mark.parametrize(
    ("here", "elsewhere"), [("standard", "default"), ("priority", "priority"), ("batch", "batch"), (None, None)]
)
def test_the_standard_tier_is_called_default_elsewhere(here: str | None, elsewhere: str | None) -> None:
    assert tier_in(body({"service_tier": here})) == elsewhere
    assert write_tier(elsewhere) == raw(here)


# --- our own count -------------------------------------------------------------------------------------------


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": blocks}]}


REQUESTS: list[tuple[dict[str, Any], int]] = [
    ({}, 0),
    ({"messages": [{"role": "user", "content": "12345678"}]}, 2),
    ({"system": "1234", "messages": []}, 1),
    ({"system": [{"type": "text", "text": "1234"}, {"type": "text", "text": "5678"}]}, 2),
    (said({"type": "text", "text": "éé"}), 1),
    (said({"type": "tool_use", "name": "abcd", "input": {}}), 2),
    (said({"type": "tool_result", "content": "12345678"}), 2),
    (said({"type": "tool_result", "content": [{"type": "image", "source": {}}]}), 1_600),
    (said({"type": "document", "title": "1234"}), 3_001),
    ({"tools": [{"name": "f"}]}, 4),
]


@pytest.mark.parametrize(("request_", "tokens"), REQUESTS)
def test_a_request_counts_a_quarter_of_its_bytes_and_a_lump_sum_for_media(request_: object, tokens: int) -> None:
    assert estimated_input(body(request_)) == tokens


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["content", "text", "type", "input"]), inner),
    )
)
def test_any_conversation_can_be_counted(content: object) -> None:
    assert estimated_input(body({"messages": content, "system": content, "tools": content})) >= 0


def test_an_answer_says_its_texts_its_thoughts_and_its_calls() -> None:
    blocks: list[Body] = [
        body({"type": "text", "text": "éa"}),
        body({"type": "thinking", "thinking": "abc", "signature": "not counted"}),
        body({"type": "tool_use", "id": "not counted", "name": "f", "input": {}}),
    ]
    assert said_bytes(blocks) == 3 + 3 + 3


@pytest.mark.parametrize(
    "usage", [{"input_tokens": 7}, {"output_tokens": 7}, {"input_tokens": 7, "output_tokens": None}]
)
def test_half_of_the_count_of_a_whole_message_is_none(usage: dict[str, int | None]) -> None:
    assert read_whole_usage(raw(usage)) is None
    assert read_whole_usage(raw({"input_tokens": 7, "output_tokens": 1})) == read_usage(
        raw({"input_tokens": 7, "output_tokens": 1})
    )

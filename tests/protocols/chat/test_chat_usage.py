"""The usage object of the chat protocol: what an upstream counts, what a client is told, and our own count."""

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
from setpoint.protocols.chat.usage import estimated_input, read_input, read_usage, said_bytes, write_usage
from setpoint.records import Cost
from setpoint.wire.body import raw, split

COUNTED = (
    *("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("input_audio_tokens", "output_audio_tokens", "image_tokens"),
)
COUNTS = {"prompt_tokens": 10, "completion_tokens": 4}


def body(content: object) -> Raw:
    return Raw(json.dumps(content).encode())


def written(upstream: object, bill: Bill) -> dict[str, Any]:
    return json.loads(bytes(write_usage(None if upstream is None else body(upstream), bill)), parse_float=Decimal)


# --- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("upstream", "usage"),
    [
        (COUNTS, Usage(input_tokens=10, output_tokens=4)),
        ({"prompt_tokens": 10.0, "completion_tokens": 4}, Usage(input_tokens=10, output_tokens=4)),
        (
            {
                **COUNTS,
                "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2, "audio_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1, "image_tokens": 5},
            },
            Usage(
                input_tokens=10,
                output_tokens=4,
                cached_tokens=3,
                cache_write_tokens=2,
                reasoning_tokens=2,
                input_audio_tokens=1,
                output_audio_tokens=1,
                image_tokens=5,
            ),
        ),
        (
            {**COUNTS, "prompt_tokens_details": None, "completion_tokens_details": {"reasoning_tokens": None}},
            Usage(input_tokens=10, output_tokens=4),
        ),
    ],
)
def test_counts_are_read(upstream: object, usage: Usage) -> None:
    assert read_usage(body(upstream)) == (usage, None)


@pytest.mark.parametrize(
    "upstream",
    [
        *({}, {"total_tokens": 9}, [], None, "x"),
        *({**COUNTS, "prompt_tokens": -1}, {**COUNTS, "completion_tokens": "7"}),
        *({"prompt_tokens": 10}, {"completion_tokens": 4}, {**COUNTS, "completion_tokens": None}),
        *({**COUNTS, "completion_tokens": 10**16}, {**COUNTS, "prompt_tokens": 1.5}, {**COUNTS, "prompt_tokens": True}),
        {**COUNTS, "prompt_tokens_details": {"cached_tokens": "many"}},
    ],
)
def test_a_count_that_cannot_be_read_is_unknown_and_never_nothing(upstream: object) -> None:
    assert read_usage(body(upstream)) is None


@pytest.mark.parametrize("upstream", [None, [], "10", 10, {}, {"total_tokens": 14}, {"cost": 1}])
def test_what_counts_neither_prompt_nor_completion_is_no_usage(upstream: object) -> None:
    assert read_usage(body(upstream)) is None


@pytest.mark.parametrize(
    ("cost", "amount"),
    [
        (b"0.00014", "0.00014"),
        (b"1.2345678901234567890123456789012345e-5", "0.000012345678901234567890123456789012345"),
        (b"0", "0"),
        (b"999999.5", "999999.5"),
    ],
)
def test_a_cost_keeps_every_digit(cost: bytes, amount: str) -> None:
    assert read_usage(Raw(b'{"prompt_tokens":1,"completion_tokens":0,"cost":' + cost + b"}")) == (
        Usage(input_tokens=1),
        Decimal(amount),
    )


@pytest.mark.parametrize(
    "cost",
    [
        *(b"null", b"true", b'"0.5"', b"{}", b"-0.5", b"1e6", b"1e999999999999", b"1e-999999", b"1e-99999999999"),
        b"0." + b"1" * 100,
    ],
)
def test_a_cost_that_makes_no_sense_is_unknown(cost: bytes) -> None:
    assert read_usage(Raw(b'{"prompt_tokens":1,"completion_tokens":0,"cost":' + cost + b"}")) == (
        Usage(input_tokens=1),
        None,
    )


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
_NAMES = st.sampled_from(
    [*COUNTS, "total_tokens", "prompt_tokens_details", "completion_tokens_details", "cached_tokens", "cost", "x"]
)
_ANYTHING = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=10)


@given(_ANYTHING)
def test_no_usage_is_too_strange_to_be_read_and_written(content: object) -> None:
    upstream = raw(content)  # what is no number in JSON becomes null
    read = read_usage(upstream)
    bill = Bill(Usage(input_tokens=2) if read is None else read[0], None, None if read is None else read[1])
    said = json.loads(bytes(write_usage(upstream, bill)))
    assert said["prompt_tokens"] == bill.usage.input_tokens
    assert said["completion_tokens"] == bill.usage.output_tokens
    assert said["total_tokens"] >= bill.usage.total_tokens
    assert None not in said.get("prompt_tokens_details", {}).values()


@pytest.mark.parametrize(
    ("upstream", "tokens"),
    [
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}, Usage(input_tokens=10, cached_tokens=4)),
        ({"prompt_tokens": 10, "completion_tokens": None}, Usage(input_tokens=10)),
        *(
            (half, None)
            for half in (COUNTS, {}, {"completion_tokens": 4}, {"prompt_tokens": "x"}, {"prompt_tokens": -1})
        ),
    ],
)
def test_of_half_a_count_the_input_is_kept(upstream: object, tokens: Usage | None) -> None:
    assert read_input(body(upstream)) == tokens


# --- writing -------------------------------------------------------------------------------------------------


def test_what_nobody_counted_has_no_details() -> None:
    said = written(None, Bill(Usage(input_tokens=10, output_tokens=4, estimated=True), None, None))
    assert not {"prompt_tokens_details", "completion_tokens_details"} & said.keys()


@pytest.mark.parametrize("upstream", [{}, {"total_tokens": None}, {"total_tokens": "14"}, {"total_tokens": 0}])
def test_the_three_counts_are_always_there(upstream: object) -> None:
    for usage, total in ((Usage(input_tokens=10, output_tokens=4), 14), (Usage(), 0)):
        said = written(upstream, Bill(usage, None, None))
        assert said == {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": total,
            "cost": None,
            "is_byok": True,
        }


def test_a_larger_total_of_the_upstream_stays() -> None:
    bill = Bill(Usage(input_tokens=10, output_tokens=4), None, None)
    assert written({**COUNTS, "total_tokens": 20}, bill)["total_tokens"] == 20


def test_details_lose_their_nulls_and_go_when_nothing_is_left() -> None:
    upstream = {
        **COUNTS,
        "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": None},
        "completion_tokens_details": {"reasoning_tokens": None},
    }
    said = written(upstream, Bill(Usage(input_tokens=10, output_tokens=4), None, None))
    assert said["prompt_tokens_details"] == {"cached_tokens": 3}
    assert "completion_tokens_details" not in said


def test_a_cost_of_ours_comes_with_both_of_its_parts_and_replaces_the_upstreams() -> None:
    cost = Cost(prompt=Decimal("0.0000020"), completion=Decimal("1E-7"), total=Decimal("0.0000021"))
    upstream = {**COUNTS, "cost": 7, "cost_details": {"upstream_inference_cost": 7}}
    said = written(upstream, Bill(Usage(input_tokens=10, output_tokens=4), cost, cost.total))
    assert said["cost"] == Decimal("0.0000021")
    assert said["cost_details"] == {
        "upstream_inference_cost": Decimal("0.0000021"),
        "upstream_inference_prompt_cost": Decimal("0.000002"),
        "upstream_inference_completions_cost": Decimal("0.0000001"),
    }


def test_a_figure_of_the_providers_comes_without_parts() -> None:
    said = written({**COUNTS, "cost_details": {}}, Bill(Usage(), None, Decimal("0.5")))
    assert said["cost"] == Decimal("0.5")
    assert "cost_details" not in said


def test_details_of_a_count_from_another_dialect_are_those_that_programs_look_for() -> None:
    usage = Usage(input_tokens=10, output_tokens=4, cached_tokens=3, reasoning_tokens=2)
    said = written(None, Bill(usage, None, None))
    assert said["prompt_tokens_details"] == {"cached_tokens": 3, "cache_write_tokens": 0}
    assert said["completion_tokens_details"] == {"reasoning_tokens": 2}


@given(st.builds(Usage, **dict.fromkeys(COUNTED, st.integers(0, 10**12))))
def test_a_count_from_another_dialect_is_written_as_it_would_be_read(usage: Usage) -> None:
    assert read_usage(write_usage(None, Bill(usage, None, None))) == (usage, None)


def test_what_we_do_not_know_keeps_its_bytes() -> None:
    upstream = Raw(b'{"prompt_tokens":1,"completion_tokens":1,"x":{"n":1.50},"queue_time":1e-3}')
    said = bytes(write_usage(upstream, Bill(Usage(input_tokens=1, output_tokens=1), None, None)))
    assert b'"x":{"n":1.50},"queue_time":1e-3' in said


_TOKENS = st.integers(0, 10**12)


@given(_TOKENS, _TOKENS, _TOKENS, _TOKENS)
def test_what_is_written_is_read_back(prompt: int, completion: int, cached: int, reasoning: int) -> None:
    usage = Usage(input_tokens=prompt, output_tokens=completion, cached_tokens=cached, reasoning_tokens=reasoning)
    upstream = body(
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }
    )
    assert read_usage(write_usage(upstream, Bill(usage, None, Decimal("0.1")))) == (usage, Decimal("0.1"))


# --- our own count -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "count"),
    [
        ("{}", 0),
        ('{"content":null,"reasoning":7,"refusal":{}}', 0),
        ('{"content":"abc"}', 3),
        ('{"content":"ß€𝄞"}', 9),
        (r'{"content":"\u00df\u20ac\ud834\udd1e"}', 9),
        (r'{"content":"a\n\""}', 3),
        ('{"content":[{"type":"text","text":"ab"},{"type":"image_url"},"x",1]}', 2),
        ('{"content":"a","reasoning":"b","reasoning_content":"c","refusal":"d"}', 4),
        (r'{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":"{\"a\":1}"}}]}', 8),
        ('{"tool_calls":[{"function":{"arguments":{}}},{},1,{"function":"f"}]}', 0),
    ],
)
def test_only_the_text_of_a_message_counts_in_utf_8_bytes(message: str, count: int) -> None:
    assert said_bytes(split(message.encode())) == count


@pytest.mark.parametrize(
    ("messages", "tokens"),
    [
        ([], 0),
        ([{"role": "user", "content": "abcde"}], 2),
        ([{"role": "user", "content": "ab"}, {"role": "assistant", "content": [{"type": "text", "text": "cd"}]}], 1),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x" * 999}}]}], 1_600),
        ([{"role": "user", "content": [{"type": "file"}, {"type": "text", "text": "abcd"}]}], 3_001),
        ([{"role": "user", "content": ["abcd", 1, None, {"type": 1}, {"text": 2}]}], 0),
    ],
)
def test_an_estimate_is_a_quarter_of_the_text_and_a_table_for_media(messages: object, tokens: int) -> None:
    assert estimated_input({"messages": raw(messages)}) == tokens


def test_an_estimate_needs_no_messages() -> None:
    assert estimated_input({}) == 0


def test_an_estimate_counts_the_tools_that_are_offered() -> None:
    assert estimated_input(split(b'{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}')) == 11

"""The offline model in the messages and responses dialects: when it reasons, and how it knows its own reasoning."""

from __future__ import annotations

from typing import Any

import pytest

from providers.echo_support import BOTH, LIMIT, THINKING, Other, ask, said, streamed, whole
from setpoint.canonical.parts import Reasoning, Text
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.echo import THOUGHT
from setpoint.wire.body import as_text, split


def reasoning(dialect: Other, **asked: Any) -> list[Reasoning]:
    result = PROTOCOLS[dialect].read_result(split(ask(dialect, **asked).body))
    return [part for part in result.parts if isinstance(part, Reasoning)]


@pytest.mark.parametrize(
    ("dialect", "asked"),
    [
        ("messages", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("messages", {"thinking": {"type": "adaptive"}}),
        ("responses", {"reasoning": {"effort": "low"}}),
        ("responses", {"reasoning": {"enabled": True}}),
        ("responses", {"reasoning": {"summary": "auto"}}),
    ],
)
def test_it_reasons_when_it_is_asked_to(dialect: Other, asked: dict[str, Any]) -> None:
    steps = reasoning(dialect, **asked)
    assert [as_text(step.text) for step in steps if step.text is not None] == [THOUGHT]
    assert [step.seal for step in steps if step.seal is not None] != []
    usage = whole(ask(dialect, **asked))["usage"]
    details = usage["output_tokens_details"]
    assert (details.get("thinking_tokens") or details.get("reasoning_tokens")) == len(THOUGHT.split())
    assert usage["output_tokens"] == len(THOUGHT.split()) + len(said(dialect, ask(dialect, **asked)).split())


@pytest.mark.parametrize(
    ("dialect", "asked"),
    [
        ("messages", {}),
        ("messages", {"thinking": {"type": "disabled"}}),
        ("responses", {}),
        ("responses", {"reasoning": {"effort": "none"}}),
        ("responses", {"reasoning": {"enabled": False}}),
        ("responses", {"reasoning": {}}),
        ("responses", {"reasoning": {"effort": None, "summary": None}}),
    ],
)
def test_it_does_not_reason_when_it_is_not(dialect: Other, asked: dict[str, Any]) -> None:
    assert reasoning(dialect, **asked) == []


def test_thinking_that_is_to_be_omitted_is_signed_all_the_same() -> None:
    answer = whole(ask("messages", thinking={"type": "adaptive", "display": "omitted"}))
    block = answer["content"][0]
    assert (block["type"], block["thinking"], answer["usage"]["output_tokens_details"]["thinking_tokens"]) == (
        *("thinking", ""),
        len(THOUGHT.split()),
    )
    assert replayed_block(block) == "replayed: as it was given"


@pytest.mark.parametrize("dialect", BOTH)
def test_reasoning_counts_towards_the_limit(dialect: Other) -> None:
    answer = ask(dialect, **THINKING[dialect], **{LIMIT[dialect]: 3})
    assert whole(answer)["usage"]["output_tokens"] == 3
    assert said(dialect, answer) == ""


@pytest.mark.parametrize("dialect", BOTH)
def test_streamed_reasoning_is_that_of_the_whole_answer(dialect: Other) -> None:
    parts = streamed(dialect, ask(dialect, stream=True, **THINKING[dialect])).parts
    steps = [part for part in parts if isinstance(part, Reasoning)]
    assert [as_text(step.text) for step in steps if step.text is not None] == [THOUGHT]
    assert isinstance(parts[-1], Text)


def replayed_block(block: dict[str, Any]) -> str:
    turn = {"role": "assistant", "content": [block, {"type": "text", "text": "x"}]}
    text = said("messages", ask("messages", messages=[{"role": "user", "content": "a"}, turn]))
    return next(line for line in text.split("\n") if line.startswith("replayed:"))


def test_it_knows_its_own_thinking_when_it_comes_back_unchanged() -> None:
    block = whole(ask("messages", **THINKING["messages"]))["content"][0]
    assert block["thinking"] == THOUGHT
    assert replayed_block(block) == "replayed: as it was given"
    assert replayed_block({**block, "thinking": "something else"}) == "replayed: not from here"
    assert replayed_block({**block, "signature": block["signature"][:-1]}) == "replayed: not from here"
    assert replayed_block({**block, "signature": ""}) == "replayed: not from here"
    assert replayed_block({"type": "redacted_thinking", "data": "x"}) == "replayed: not from here"


def test_it_knows_its_own_reasoning_item_when_it_comes_back_unchanged() -> None:
    item = whole(ask("responses", **THINKING["responses"]))["output"][0]
    assert item["type"] == "reasoning"
    assert [part["text"] for part in item["summary"]] == [THOUGHT]

    def replayed(item: dict[str, Any]) -> str:
        text = said("responses", ask("responses", input=[{"role": "user", "content": "a"}, item]))
        return next(line for line in text.split("\n") if line.startswith("replayed:"))

    assert replayed(item) == "replayed: as it was given"
    assert replayed({**item, "summary": []}) == "replayed: not from here"
    assert replayed({**item, "encrypted_content": None}) == "replayed: not from here"

"""However long a conversation is, it costs as much as it is long: nothing in it is looked at once for each other part.

CPU time of this thread is compared with that of a tenth of the same conversation in the same run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from setpoint.protocols.forward import lower
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import Dialect
from setpoint.wire.body import join, raw, split
from support.cost import TIMES, is_in_proportion
from support.records import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

ENDPOINT = endpoint()
ASKED: dict[str, Any] = {"role": "user", "content": "x"}
SHORT = 1_000


def chat_call(at: int) -> dict[str, Any]:
    return {"id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def chat_calls_answered_backwards(length: int) -> dict[str, Any]:
    called = {"role": "assistant", "content": None, "tool_calls": [chat_call(at) for at in range(length)]}
    results = [{"role": "tool", "tool_call_id": f"c{at}", "content": "r"} for at in reversed(range(length))]
    return {"messages": [ASKED, called, *results]}


def chat_calls_one_by_one(length: int) -> dict[str, Any]:
    calls = [{"role": "assistant", "content": None, "tool_calls": [chat_call(at)]} for at in range(length)]
    return {"messages": [ASKED, *calls, ASKED]}


def chat_thoughts_one_by_one(length: int) -> dict[str, Any]:
    return {"messages": [ASKED, *[{"role": "assistant", "content": None, "reasoning": "t"}] * length, ASKED]}


def chat_messages(length: int) -> dict[str, Any]:
    return {"messages": [{"role": ("user", "assistant")[at % 2], "content": "x"} for at in range(length)]}


def use(at: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"c{at}", "name": "f", "input": {}}


def messages_calls_answered_backwards(length: int) -> dict[str, Any]:
    results = [{"type": "tool_result", "tool_use_id": f"c{at}", "content": "r"} for at in reversed(range(length))]
    called = {"role": "assistant", "content": [use(at) for at in range(length)]}
    return {"messages": [ASKED, called, {"role": "user", "content": results}]}


def messages_calls_one_by_one(length: int) -> dict[str, Any]:
    return {"messages": [ASKED, *({"role": "assistant", "content": [use(at)]} for at in range(length)), ASKED]}


def messages_thoughts_one_by_one(length: int) -> dict[str, Any]:
    thought = {"type": "thinking", "thinking": "t", "signature": "s"}
    return {"messages": [ASKED, *[{"role": "assistant", "content": [thought]}] * length, ASKED]}


def reasoning(at: int) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": "s"}]
    return {"type": "reasoning", "id": f"rs_{at}", "summary": summary, "encrypted_content": "e"}


SAID: dict[str, Any] = {
    "type": "message",
    "role": "assistant",
    "id": "msg_1",
    "status": "completed",
    "content": [{"type": "output_text", "text": "x", "annotations": []}],
}


def responses_thoughts_a_call_and_words(length: int) -> dict[str, Any]:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    return {"input": [ASKED, *map(reasoning, range(length)), call, *[SAID] * length]}


def responses_words_and_thoughts(length: int) -> dict[str, Any]:
    return {"input": [ASKED, SAID, *map(reasoning, range(length)), SAID]}


def responses_calls_answered_backwards(length: int) -> dict[str, Any]:
    calls = [{"type": "function_call", "call_id": f"c{at}", "name": "f", "arguments": "{}"} for at in range(length)]
    results = [{"type": "function_call_output", "call_id": f"c{at}", "output": "r"} for at in reversed(range(length))]
    return {"input": [ASKED, *calls, *results]}


SHAPES: list[tuple[Dialect, Callable[[int], dict[str, Any]]]] = [
    ("chat", chat_calls_answered_backwards),
    ("chat", chat_calls_one_by_one),
    ("chat", chat_thoughts_one_by_one),
    ("chat", chat_messages),
    ("messages", messages_calls_answered_backwards),
    ("messages", messages_calls_one_by_one),
    ("messages", messages_thoughts_one_by_one),
    ("responses", responses_thoughts_a_call_and_words),
    ("responses", responses_words_and_thoughts),
    ("responses", responses_calls_answered_backwards),
]


def lowered(skin: Dialect, dialect: Dialect, data: bytes) -> None:
    """The way from one protocol to the other, from bytes to bytes."""
    request = split(data)
    PROTOCOLS[skin].estimated_input(request)
    sent = lower(request, ENDPOINT, skin=PROTOCOLS[skin], dialect=PROTOCOLS[dialect], stream=False, identity_key=b"key")
    assert join(sent.body)


@pytest.mark.parametrize("dialect", get_args(Dialect))
@pytest.mark.parametrize(("skin", "shape"), SHAPES, ids=lambda given: getattr(given, "__name__", given))
def test_a_conversation_costs_no_more_than_its_length(
    skin: Dialect, shape: Callable[[int], dict[str, Any]], dialect: Dialect
) -> None:
    def written(length: int) -> bytes:
        return bytes(raw({"model": "acme/sage", "max_tokens": 9, **shape(length)}))

    short, long = written(SHORT), written(TIMES * SHORT)
    assert is_in_proportion(lambda: lowered(skin, dialect, short), lambda: lowered(skin, dialect, long))

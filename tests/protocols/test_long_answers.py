"""However many parts a whole answer has, it costs as much as it is long."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, get_args

import pytest

from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.protocols.names import Named, ToolNames
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.translate import read_answer
from setpoint.records import Dialect
from setpoint.wire.body import raw, split
from support.cost import TIMES, is_in_proportion

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.wire.body import Body

Json = dict[str, Any]
PARTS = 300  # a body of less is not looked through for its depth
NAMES = ToolNames({"look": Named("look", "custom")})


def chat(**message: object) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": "stop"}
    return {"id": "a", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}


def chat_calls(parts: int) -> Json:
    function = {"name": "look", "arguments": "{}"}
    return chat(tool_calls=[{"id": f"c{at}", "type": "function", "function": function} for at in range(parts)])


def chat_steps(parts: int) -> Json:
    return chat(reasoning_details=[{"type": "reasoning.text", "text": "x", "index": at} for at in range(parts)])


def chat_words_in_parts(parts: int) -> Json:
    return chat(content=[{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "x"}] * (parts // 2))


def messages(content: list[Json]) -> Json:
    return {"id": "m", "content": content, "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}


def messages_words_and_thoughts(parts: int) -> Json:
    thought = {"type": "thinking", "thinking": "x", "signature": "s"}
    return messages([{"type": "text", "text": "x"}, thought] * (parts // 2))


def messages_tools(parts: int) -> Json:
    return messages([{"type": "tool_use", "id": f"t{at}", "name": "look", "input": {}} for at in range(parts)])


def messages_kinds_nobody_knows(parts: int) -> Json:
    return messages([{"type": f"odd_{at}"} for at in range(parts)])


def responses(output: list[Json]) -> Json:
    return {"id": "r", "status": "completed", "output": output, "usage": {"input_tokens": 1, "output_tokens": 1}}


def responses_messages(parts: int) -> Json:
    content: list[Json] = [{"type": "output_text", "text": "x", "annotations": []}]
    return responses(
        [{"type": "message", "id": f"m{at}", "role": "assistant", "content": content} for at in range(parts)]
    )


def responses_calls_that_were_answered(parts: int) -> Json:
    action = {"commands": ["ls"]}
    calls = [{"type": "shell_call", "id": f"s{at}", "call_id": f"c{at}", "action": action} for at in range(parts // 2)]
    outputs = [{"type": "shell_call_output", "call_id": f"c{at}", "output": "x"} for at in range(parts // 2)]
    return responses(calls + outputs)


def responses_reasoning(parts: int) -> Json:
    summary = [{"type": "summary_text", "text": "x"}]
    return responses([{"type": "reasoning", "id": f"r{at}", "summary": summary} for at in range(parts)])


SHAPES: list[tuple[Dialect, Callable[[int], Json]]] = [
    *(("chat", shape) for shape in (chat_calls, chat_steps, chat_words_in_parts)),
    *(("messages", shape) for shape in (messages_words_and_thoughts, messages_tools, messages_kinds_nobody_knows)),
    *(("responses", shape) for shape in (responses_messages, responses_calls_that_were_answered, responses_reasoning)),
]


def sent_through(dialect: Dialect, skin: Dialect, data: bytes, request: Body) -> None:
    numbers = count()
    opening = Opening(
        stamp=Stamp("gen-1", "acme/sage", "Acme", 1),
        request=request,
        new_id=lambda prefix: f"{prefix}{next(numbers)}",
    )
    answer = read_answer(split(data), skin=PROTOCOLS[skin], dialect=PROTOCOLS[dialect], names=NAMES)
    assert answer.write(opening, Bill(Usage(), None, None), None)


@pytest.mark.parametrize("skin", get_args(Dialect))
@pytest.mark.parametrize(("dialect", "shape"), SHAPES, ids=lambda given: getattr(given, "__name__", given))
def test_an_answer_costs_no_more_than_its_length(dialect: Dialect, shape: Callable[[int], Json], skin: Dialect) -> None:
    def sent(parts: int) -> Callable[[], None]:
        data = json.dumps(shape(parts)).encode()
        tools = raw([{"type": "function", "function": {"name": f"tool_{at}"}} for at in range(parts)])
        return lambda: sent_through(dialect, skin, data, {"tools": tools})

    assert is_in_proportion(sent(PARTS), sent(TIMES * PARTS))

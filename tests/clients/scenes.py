"""What is asked and answered in these tests, whoever asks and answers, and the facts that must come out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients.said import Call, Said, Thought, Tokens

if TYPE_CHECKING:
    from clients.heard import Step
    from clients.upstreams import Dialect

SYSTEM = "You are terse."
QUESTION = "How is the weather in Bonn and in K\u00f6ln?"
TOOL_NAME = "weather"
TOOL_DESCRIPTION = "The weather in a city."
TOOL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
RESULTS = {"Bonn": "rain", "K\u00f6ln": "sun"}
"""What the tool says of each city."""

THOUGHT = Thought("The user asks about two cities.", "c2VhbGVkIGJ5IGl0cyBtYWtlcg==")
CALLS = (Call("call_bonn", TOOL_NAME, '{"city":"Bonn"}'), Call("call_koeln", TOOL_NAME, '{"city":"K\u00f6ln"}'))

LOOKS = Said("Let me look.", CALLS, THOUGHT, Tokens(reasoning=30))
"""The answer to the question: two calls at once, with some text and a thought before them."""
TELLS = Said("Rain in Bonn, sun in K\u00f6ln.", tokens=Tokens(210, 160, 20))
"""The answer to what the tools said."""
THINKS = Said("Rain in Bonn, sun in K\u00f6ln.", thought=THOUGHT, tokens=Tokens(reasoning=30))
"""An answer of a thought and text."""
STOPS = Said("Rain in", tokens=Tokens(120, 0, 2), cut_short=True)
"""An answer that reached the output limit."""
PARCEL = Said('{"number":17,"wet":true}')
"""An answer that follows a schema."""

HEARD_FIRST: list[Step] = [("system", SYSTEM), ("user", QUESTION)]
HEARD_SECOND: list[Step] = [
    *HEARD_FIRST,
    ("thought", THOUGHT.text, THOUGHT.seal),
    ("assistant", LOOKS.text),
    *(("call", call.id, call.name, call.arguments) for call in CALLS),
    *(("result", call.id, said) for call, said in zip(CALLS, RESULTS.values(), strict=True)),
]
"""What the upstream hears behind the first answer, with its own thought back."""

PRICING = {"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0.0000001"}


def without_thoughts(steps: list[Step]) -> list[Step]:
    """The steps without the thoughts, for clients and upstreams that they do not go through."""
    return [step for step in steps if step[0] != "thought"]


def run_tool(arguments: str) -> str:
    """What the tool says to the arguments of a call."""
    return RESULTS[json.loads(arguments)["city"]]


@dataclass(frozen=True)
class Facts:
    """What a client knows of an answer: calls as `(id, name, arguments)`, tokens as in `Tokens`."""

    text: str
    calls: tuple[tuple[str, str, str], ...]
    stop: str
    tokens: Tokens


def expected(skin: Dialect, said: Said) -> Facts:
    """The facts that a client of this skin must find in an answer with this meaning."""
    calls = tuple((call.id, call.name, call.arguments) for call in said.calls)
    which = "length" if said.cut_short else "calls" if said.calls else "stop"
    return Facts(said.text, calls, _STOPS[skin][which], said.tokens)


_STOPS: dict[Dialect, dict[str, str]] = {
    "chat": {"stop": "stop", "calls": "tool_calls", "length": "length"},
    "messages": {"stop": "end_turn", "calls": "tool_use", "length": "max_tokens"},
    "responses": {"stop": "completed", "calls": "completed", "length": "incomplete"},
}


def cost(tokens: Tokens) -> float:
    """What an answer costs, in US dollars, at the prices of these tests."""
    fresh = tokens.input - tokens.cached
    return round(fresh * 1e-6 + tokens.cached * 1e-7 + tokens.output * 2e-6, 9)

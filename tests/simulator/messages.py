"""Correct answers of a messages upstream: whole messages, and the event streams that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from simulator.answers import MODEL, USAGE, dumps, words

ID = "msg_simulator"

Block = dict[str, Any]
Event = dict[str, Any]
Counted = Literal["both", "start", "delta", "every", "never"]
"""Where a stream counts its tokens: at both ends (as Anthropic does), at one of them, all along, or not at all."""


# --- blocks --------------------------------------------------------------------------------------------------


def text(said: str, *citations: Mapping[str, Any]) -> Block:
    """A text block, with its citations when it has some."""
    return {"type": "text", "text": said, **({"citations": [*citations]} if citations else {})}


def thinking(said: str, signature: str = "c2lnbmF0dXJl") -> Block:
    """A thinking block, signed."""
    return {"type": "thinking", "thinking": said, "signature": signature}


def redacted_thinking(data: str = "cmVkYWN0ZWQ=") -> Block:
    """A thinking block that nobody can read."""
    return {"type": "redacted_thinking", "data": data}


def tool_use(name: str, arguments: Mapping[str, Any] | None = None, *, id_: str = "toolu_simulator") -> Block:
    """A call of a client's tool."""
    return {"type": "tool_use", "id": id_, "name": name, "input": dict(arguments or {})}


# --- whole answers -------------------------------------------------------------------------------------------


def usage(tokens: tuple[int, int], *, cached: int = 0, written: int = 0, written_1h: int = 0) -> dict[str, Any]:
    """The usage object of so many prompt and completion tokens; those of the cache are among the prompt's.

    `written_1h` of the `written` ones are kept for an hour.
    """
    return {
        "input_tokens": tokens[0] - cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - written_1h,
            "ephemeral_1h_input_tokens": written_1h,
        },
        "output_tokens": tokens[1],
        "service_tier": "standard",
    }


def message(
    *content: Block,
    stop_reason: str | None = None,
    tokens: tuple[int, int] = USAGE,
    counted: Mapping[str, Any] | None = None,
    model: str = MODEL,
    **more: Any,
) -> dict[str, Any]:
    """A whole message of these blocks; `counted` is a usage object in place of the one of `tokens`."""
    calls = any(block["type"] == "tool_use" for block in content)
    return {
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [*content],
        "stop_reason": stop_reason or ("tool_use" if calls else "end_turn"),
        "stop_sequence": None,
        "usage": usage(tokens) if counted is None else dict(counted),
        **more,
    }


def count(tokens: int) -> dict[str, int]:
    """The answer to a request to count tokens."""
    return {"input_tokens": tokens}


def error(kind: str = "overloaded_error", said: str = "Overloaded") -> dict[str, Any]:
    """An error: the body of a status, and the event of a stream that has begun."""
    return {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_simulator"}


# --- streams -------------------------------------------------------------------------------------------------


def events(whole: Mapping[str, Any], *, counted: Counted = "both") -> list[Event]:
    """The events that make this message: each block word by word, with a ping where Anthropic sends one."""
    total: dict[str, Any] = whole["usage"]
    begun: Event = {**whole, "content": [], "stop_reason": None, "stop_sequence": None}
    begun["usage"] = {**total, "output_tokens": 1}
    if counted in ("delta", "never"):
        del begun["usage"]
    made: list[Event] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        made += block_events(index, block)
        if counted == "every":
            made.append(
                {
                    "type": "message_delta",
                    "delta": {},
                    "usage": {"output_tokens": min(index + 2, total["output_tokens"])},
                }
            )
    ended = {
        name: whole[name] for name in ("stop_reason", "stop_sequence", "stop_details", "container") if name in whole
    }
    last: Event = {"type": "message_delta", "delta": ended}
    if counted in ("both", "delta", "every"):
        last["usage"] = {name: number for name, number in total.items() if name.endswith("_tokens")}
    return [*made, last, {"type": "message_stop"}]


def block_events(index: int, block: Block) -> list[Event]:
    """The events that make one block."""
    empty, deltas = _grown(block)
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _grown(block: Block) -> tuple[Block, list[dict[str, Any]]]:
    """The block as it begins, and what is added to it."""
    match block["type"]:
        case "text":
            cited = block.get("citations", ())
            deltas = [{"type": "text_delta", "text": word} for word in words(block["text"])]
            return {"type": "text", "text": ""}, [
                *deltas,
                *({"type": "citations_delta", "citation": citation} for citation in cited),
            ]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": word} for word in words(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed]
        case "tool_use" | "server_tool_use":
            written = dumps(block["input"]).decode("utf-8", "surrogatepass") if block["input"] else ""
            pieces = ["", *_halves(written)]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        case _:
            return block, []


def _halves(written: str) -> Sequence[str]:
    middle = len(written) // 2
    return [half for half in (written[:middle], written[middle:]) if half]

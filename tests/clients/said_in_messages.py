"""The words of an upstream that speaks messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clients.said import MODEL, Said, Tokens, as_function, compact, halves, named_frame
from simulator.answers import words

if TYPE_CHECKING:
    from collections.abc import Iterator


def body(said: Said) -> dict[str, Any]:
    """A whole message."""
    return {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": _blocks(said),
        "stop_reason": _stop(said),
        "stop_sequence": None,
        "usage": {**_usage(said.tokens), **_SHELL},
    }


def frames(said: Said) -> list[bytes]:
    """The same as a stream."""
    return [named_frame(event) for event in _events(said)]


_SHELL = {
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "service_tier": "standard",
    "inference_geo": "not_available",
}


def _events(said: Said) -> Iterator[dict[str, Any]]:
    counted = _usage(said.tokens)
    started = {**counted, **_SHELL, "output_tokens": 1}
    del started["output_tokens_details"]
    empty: dict[str, Any] = {**body(said), "content": [], "stop_reason": None, "usage": started}
    yield {"type": "message_start", "message": empty}
    yield {"type": "ping"}
    for index, block in enumerate(_blocks(said)):
        shell, deltas = _deltas(block)
        yield {"type": "content_block_start", "index": index, "content_block": shell}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": _stop(said), "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": counted}
    yield {"type": "message_stop"}


def _blocks(said: Said) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thought is not None:
        blocks.append({"type": "thinking", "thinking": said.thought.text, "signature": said.thought.seal})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    for call in map(as_function, said.calls):
        input_ = json.loads(call.arguments)
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": input_})
    return blocks


def _deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it is opened, and what is added to it then."""
    match block["type"]:
        case "thinking":
            thinking = [{"type": "thinking_delta", "thinking": piece} for piece in words(block["thinking"])]
            seal = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*thinking, seal]
        case "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in words(block["text"])]
            return {"type": "text", "text": ""}, deltas
        case _:
            pieces = ["", *halves(compact(block["input"]))]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            return {**block, "input": {}}, deltas


def _stop(said: Said) -> str:
    return "max_tokens" if said.cut_short else "tool_use" if said.calls else "end_turn"


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input - tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
        "output_tokens_details": {"thinking_tokens": tokens.reasoning},
    }

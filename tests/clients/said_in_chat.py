"""The words of an upstream that speaks chat completions, with its reasoning as OpenRouter and others write it."""

from __future__ import annotations

from typing import Any

from clients.said import MODEL, Call, Said, Tokens, as_function, halves, pieces
from simulator.answers import CREATED, data_frame, words


def body(said: Said) -> dict[str, Any]:
    """A whole chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None, "annotations": []}
    if said.thought is not None:
        message["reasoning"] = said.thought.text
        message["reasoning_details"] = [_detail(text=said.thought.text, signature=said.thought.seal)]
    if said.calls:
        message["tool_calls"] = [_call(call, as_function(call).arguments) for call in said.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said)}
    return {**_shell("chat.completion"), "choices": [choice], "usage": _usage(said.tokens)}


def frames(said: Said) -> list[bytes]:
    """The same as a stream."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    if said.thought is not None:
        deltas += [
            {"reasoning": piece, "reasoning_details": [_detail(text=piece)]} for piece in words(said.thought.text)
        ]
        deltas.append({"reasoning_details": [_detail(signature=said.thought.seal)]})
    deltas += [{"content": piece} for piece in pieces(said.text)]
    for index, call in enumerate(said.calls):
        deltas.append({"tool_calls": [{"index": index, **_call(call, "")}]})
        arguments = as_function(call).arguments
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in halves(arguments)]
    chunks = [_chunk(delta, None) for delta in deltas] + [_chunk({}, _finish(said))]
    last: dict[str, Any] = {**_shell("chat.completion.chunk"), "choices": [], "usage": _usage(said.tokens)}
    return [data_frame(one) for one in (*chunks, last)] + [b"data: [DONE]\n\n"]


def _shell(kind: str) -> dict[str, Any]:
    shell = {"id": "chatcmpl-8f14e45f", "object": kind, "created": CREATED, "model": MODEL}
    return {**shell, "service_tier": "default", "system_fingerprint": "fp_44709d6fcb"}


def _chunk(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_shell("chat.completion.chunk"), "choices": [choice], "usage": None}


def _call(call: Call, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": as_function(call).name, "arguments": arguments}}


def _detail(**members: str) -> dict[str, Any]:
    return {"type": "reasoning.text", **members, "format": "unknown", "index": 0}


def _finish(said: Said) -> str:
    return "length" if said.cut_short else "tool_calls" if said.calls else "stop"


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }

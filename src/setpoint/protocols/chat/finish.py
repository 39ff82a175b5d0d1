"""Why an answer ended, in the words of the chat protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from setpoint.canonical.result import FinishReason

# The documented five, and what chat upstreams write beside them.
_WORDS: dict[str, FinishReason | Literal["error"]] = {
    "tool_calls": "tool_calls",
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "error": "error",
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "safety": "content_filter",
    "insufficient_system_resource": "error",
}


def normal_finish_reason(native: str) -> FinishReason | Literal["error"]:
    """The documented word for a provider's finish reason."""
    return _WORDS.get(native.lower(), "stop")

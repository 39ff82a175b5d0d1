"""What the inference routes answer, in three skins.

Only what every answer has is said here: what a provider adds is handed on, known or not.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.records import Dialect


class ChatChoice(TypedDict):
    """One of the answers. `error` is there where it broke."""

    index: int
    message: dict[str, Any]
    finish_reason: str | None
    native_finish_reason: NotRequired[str | None]
    logprobs: NotRequired[dict[str, Any] | None]


class ChatUsage(TypedDict):
    """The tokens of an answer, and its cost in US dollars; null when it is not known."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: NotRequired[float | None]


class ChatCompletion(TypedDict):
    """An answer of chat completions."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: NotRequired[ChatUsage | None]


class ChatChunkChoice(TypedDict):
    """A piece of one of the answers."""

    index: int
    delta: dict[str, Any]
    finish_reason: str | None


class ChatCompletionChunk(TypedDict):
    """A piece of a streamed answer; the last event of a stream is `[DONE]`. `error` is there where it broke."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: NotRequired[ChatUsage | None]


class MessagesUsage(TypedDict):
    """The tokens of an answer, and its cost in US dollars; null when it is not known."""

    input_tokens: int
    output_tokens: int
    cost: NotRequired[float | None]


class MessagesAnswer(TypedDict):
    """An answer of messages."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    stop_sequence: str | None
    usage: MessagesUsage


class ResponsesUsage(TypedDict):
    """The tokens of an answer, and its cost in US dollars; null when it is not known."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: NotRequired[float | None]


class ResponsesAnswer(TypedDict):
    """An answer of responses."""

    id: str
    object: Literal["response"]
    created_at: int
    status: str
    model: str
    output: list[dict[str, Any]]
    error: dict[str, Any] | None
    incomplete_details: dict[str, Any] | None
    usage: ResponsesUsage | None


class TypedEvent(TypedDict):
    """An event of a streamed answer; `type` says which."""

    type: str


class TokenCount(TypedDict):
    """The tokens of an input: the provider's own count, or an estimate."""

    input_tokens: int


SUMMARIES: Mapping[Dialect, str] = MappingProxyType(
    {
        "chat": "Answer a conversation, in the words of OpenAI's Chat Completions API",
        "messages": "Answer a conversation, in the words of Anthropic's Messages API",
        "responses": "Answer a conversation, in the words of OpenAI's Responses API",
    }
)
ANSWERS: Mapping[Dialect, object] = MappingProxyType(
    {"chat": ChatCompletion, "messages": MessagesAnswer, "responses": ResponsesAnswer}
)
"""What each skin answers."""
EVENTS: Mapping[Dialect, object] = MappingProxyType(
    {"chat": ChatCompletionChunk, "messages": TypedEvent, "responses": TypedEvent}
)
"""The data of each event of a stream."""

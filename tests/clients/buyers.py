"""The official SDKs as whoever pays: each over each of its skins, asking for one thing in each way there is."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest
from anthropic import Anthropic, APIError
from anthropic import DefaultHttpxClient as AnthropicHttp
from openai import APIError as OpenAIError
from openai import DefaultHttpxClient as OpenAIHttp
from openai import OpenAI
from openrouter import OpenRouter
from openrouter.utils import BackoffStrategy, RetryConfig

from clients.pair import anthropic_url
from clients.said import Tokens
from support.sdk import HOOKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.processes import Gateway

QUESTION = "How is the weather in Bonn?"
_MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
_RETRIES = 3
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which would be made anew for each client, and is never used


@dataclass(frozen=True)
class Told:
    """What a client is told of an answer: what was counted, and the cost in US dollars."""

    tokens: Tokens
    cost: float | None


class Buyer(ABC):
    """One SDK over one of its skins, with one key. It repeats by itself what may be repeated.

    `last_id` is the id of the record of its last answer, which only the head of every answer has; `heard` are the
    statuses of all answers, those that it has kept to itself among them.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.heard: list[int] = []
        self._hooks: dict[str, list[Any]] = {"response": [*HOOKS["response"], self._note]}

    @abstractmethod
    def whole(self, model: str) -> Told:
        """A whole answer."""

    @abstractmethod
    def streamed(self, model: str) -> Told:
        """A stream that is read to its end."""

    @abstractmethod
    def break_off(self, model: str) -> None:
        """A stream that breaks, of which the SDK must say so."""

    @abstractmethod
    def leave(self, model: str) -> None:
        """A stream that is left when it has begun."""

    @abstractmethod
    def close(self) -> None:
        """Close its connections."""

    def _note(self, answer: Any) -> None:
        self.last_id = answer.headers.get("x-generation-id", "")
        self.heard.append(answer.status_code)


class _OpenAI(Buyer):
    def __init__(self, gateway: Gateway, key: str, retries: int = _RETRIES) -> None:
        super().__init__()
        self._client = OpenAI(
            api_key=key,
            base_url=gateway.url,
            max_retries=retries,
            http_client=OpenAIHttp(event_hooks=self._hooks, verify=_NO_TLS),
            _strict_response_validation=True,
        )

    def close(self) -> None:
        self._client.close()


class OpenAIChat(_OpenAI):
    """`openai` on chat completions."""

    def whole(self, model: str) -> Told:
        answer = self._client.chat.completions.create(model=model, messages=_MESSAGES)
        return _told_in_chat(answer.usage)

    def streamed(self, model: str) -> Told:
        *_, last = self._stream(model)
        return _told_in_chat(last.usage)

    def break_off(self, model: str) -> None:
        with pytest.raises(OpenAIError):
            list(self._stream(model))

    def leave(self, model: str) -> None:
        with self._stream(model) as stream:
            next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)

    def _stream(self, model: str) -> Any:
        options: Any = {"include_usage": True}
        return self._client.chat.completions.create(
            model=model, messages=_MESSAGES, stream=True, stream_options=options
        )


class OpenAIResponses(_OpenAI):
    """`openai` on responses."""

    def whole(self, model: str) -> Told:
        answer = self._client.responses.create(model=model, input=QUESTION)
        return _told_in_responses(answer.usage)

    def streamed(self, model: str) -> Told:
        *_, last = self._stream(model)
        return _told_in_responses(last.response.usage)

    def break_off(self, model: str) -> None:
        *_, last = self._stream(model)
        assert (last.type, last.response.status) == ("response.failed", "failed")

    def leave(self, model: str) -> None:
        with self._stream(model) as stream:
            next(event for event in stream if event.type == "response.output_text.delta")

    def _stream(self, model: str) -> Any:
        return self._client.responses.create(model=model, input=QUESTION, stream=True)


class AnthropicMessages(Buyer):
    """`anthropic` on messages."""

    def __init__(self, gateway: Gateway, key: str, retries: int = _RETRIES) -> None:
        super().__init__()
        self._client = Anthropic(
            api_key=key,
            base_url=anthropic_url(gateway),
            max_retries=retries,
            http_client=AnthropicHttp(event_hooks=self._hooks, verify=_NO_TLS),
            _strict_response_validation=True,
        )

    def whole(self, model: str) -> Told:
        answer = self._client.messages.create(model=model, max_tokens=512, messages=_MESSAGES)
        return self._told(answer.usage)

    def streamed(self, model: str) -> Told:
        events = self._stream(model)
        (last,) = [event for event in events if event.type == "message_delta"]
        return self._told(last.usage)

    def break_off(self, model: str) -> None:
        with pytest.raises(APIError):
            list(self._stream(model))

    def leave(self, model: str) -> None:
        with self._stream(model) as stream:
            next(event for event in stream if event.type == "content_block_delta")

    def close(self) -> None:
        self._client.close()

    def _stream(self, model: str) -> Any:
        return self._client.messages.create(model=model, max_tokens=512, messages=_MESSAGES, stream=True)

    @staticmethod
    def _told(usage: Any) -> Told:
        cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
        thinking = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else 0
        tokens = Tokens(usage.input_tokens + cached + written, cached, usage.output_tokens, thinking)
        return Told(tokens, usage.model_extra["cost"])


class _OpenRouter(Buyer):
    def __init__(self, gateway: Gateway, key: str, retries: int = _RETRIES) -> None:
        super().__init__()
        backoff = BackoffStrategy(100, 1_000, 1.5, 20_000, 100)
        config = RetryConfig("backoff", backoff, retry_connection_errors=False) if retries else None
        self._http = httpx.Client(event_hooks=self._hooks, verify=_NO_TLS, timeout=60)
        self._client = OpenRouter(api_key=key, server_url=gateway.url, retry_config=config, client=self._http)

    def close(self) -> None:
        self._http.close()


class OpenRouterChat(_OpenRouter):
    """`openrouter` on chat completions."""

    def whole(self, model: str) -> Told:
        answer: Any = self._client.chat.send(model=model, messages=_MESSAGES, stream=False)
        return _told_in_chat(answer.usage, answer.usage.cost)

    def streamed(self, model: str) -> Told:
        with self._stream(model) as stream:
            *_, last = stream
        return _told_in_chat(last.usage, last.usage.cost)

    def break_off(self, model: str) -> None:
        with self._stream(model) as stream:
            *_, last = stream
        assert last.error is not None

    def leave(self, model: str) -> None:
        with self._stream(model) as stream:
            next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)

    def _stream(self, model: str) -> Any:
        return self._client.chat.send(model=model, messages=_MESSAGES, stream=True)


class OpenRouterResponses(_OpenRouter):
    """`openrouter` on responses."""

    def whole(self, model: str) -> Told:
        answer: Any = self._client.responses.send(model=model, input=QUESTION, stream=False)
        return _told_in_responses(answer.usage, answer.usage.cost)

    def streamed(self, model: str) -> Told:
        with self._stream(model) as stream:
            *_, last = stream
        return _told_in_responses(last.response.usage, last.response.usage.cost)

    def break_off(self, model: str) -> None:
        with self._stream(model) as stream:
            *_, last = stream
        assert (last.type, last.response.status) == ("response.failed", "failed")

    def leave(self, model: str) -> None:
        with self._stream(model) as stream:
            next(event for event in stream if event.type == "response.output_text.delta")

    def _stream(self, model: str) -> Any:
        return self._client.responses.send(model=model, input=QUESTION, stream=True)


class Makes(Protocol):
    """Makes a client of a gateway's with this key. Without `retries` it repeats nothing."""

    def __call__(self, gateway: Gateway, key: str, retries: int = _RETRIES) -> Buyer: ...


BUYERS: Mapping[str, Makes] = {
    "openai-chat": OpenAIChat,
    "openai-responses": OpenAIResponses,
    "anthropic-messages": AnthropicMessages,
    "openrouter-chat": OpenRouterChat,
    "openrouter-responses": OpenRouterResponses,
}
"""Every SDK on every skin that it has."""


def _told_in_chat(usage: Any, cost: float | None = None) -> Told:
    given, made = usage.prompt_tokens_details, usage.completion_tokens_details
    tokens = Tokens(
        usage.prompt_tokens,
        given.cached_tokens if given else 0,
        usage.completion_tokens,
        made.reasoning_tokens if made else 0,
    )
    return Told(tokens, usage.model_extra["cost"] if cost is None else cost)


def _told_in_responses(usage: Any, cost: float | None = None) -> Told:
    given, made = usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens
    tokens = Tokens(usage.input_tokens, given, usage.output_tokens, made)
    return Told(tokens, usage.model_extra["cost"] if cost is None else cost)

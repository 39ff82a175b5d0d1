"""A whole answer of the chat protocol: read from an upstream, filled in and stamped for the client.

Below the top level nothing is touched but the usage and the keys that clients need and upstreams leave out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from setpoint.errors import ProviderError
from setpoint.protocols.answer import Outcome
from setpoint.protocols.chat.usage import read_usage, said_bytes, write_usage
from setpoint.wire.body import (
    NULL,
    Body,
    MalformedError,
    as_array,
    as_text,
    is_null,
    is_object,
    is_string,
    items,
    join,
    members,
    raw,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.protocols.answer import Bill, Stamp

_FUNCTION = Raw(b'"function"')
_ASSISTANT = Raw(b'"assistant"')

_TIME_DIGITS = 12

FINISH_REASONS = frozenset({"tool_calls", "stop", "length", "content_filter", "error"})

# Words that chat upstreams use beside the documented five.
_FINISH_WORDS = {
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "safety": "content_filter",
    "insufficient_system_resource": "error",
}


def normal_finish_reason(native: str) -> str:
    """The documented word for a provider's finish reason."""
    word = native.lower()
    return word if word in FINISH_REASONS else _FINISH_WORDS.get(word, "stop")


class _Choice(NamedTuple):
    body: Body
    message: Body
    calls: list[Body]


class ChatResult:
    """One answer that is not streamed. `outcome` is what it says of itself."""

    def __init__(self, body: Body, choices: list[_Choice], outcome: Outcome) -> None:
        self._body = body
        self._choices = choices
        self.outcome = outcome

    def write(self, stamp: Stamp, bill: Bill, new_call_id: Callable[[], str], metadata: Raw | None = None) -> bytes:
        """The answer for the client, as JSON; with router metadata when there is some."""
        body = self._body
        stamped: Body = {
            "id": raw(stamp.id),
            "object": Raw(b'"chat.completion"'),
            "created": created_at(body) or raw(stamp.created),
            "model": raw(stamp.model),
            "provider": raw(stamp.provider),
            "system_fingerprint": body.get("system_fingerprint", NULL),
        }
        for name, content in body.items():
            if name not in stamped:
                stamped[name] = content
        stamped["choices"] = _array([_fill_choice(choice, new_call_id) for choice in self._choices])
        stamped["usage"] = write_usage(body.get("usage"), bill)
        if metadata is not None:
            stamped["openrouter_metadata"] = metadata
        return join(stamped)


def read_result(body: Body) -> ChatResult:
    """An upstream's answer, taken further apart.

    Raises: `ProviderError` when it is no complete answer: no choices, or not the shape of one.
    """
    try:
        choices = [_read_choice(members(choice)) for choice in items(body["choices"])]
        if not choices:
            raise MalformedError
        return ChatResult(body, choices, _outcome(body, choices))
    except (MalformedError, KeyError) as error:
        raise ProviderError("provider_unavailable", "the provider's answer is malformed") from error


def _read_choice(choice: Body) -> _Choice:
    message = members(choice["message"])
    return _Choice(choice, message, [members(call) for call in as_array(message.get("tool_calls"))])


def _outcome(body: Body, choices: list[_Choice]) -> Outcome:
    outcome = Outcome(upstream_id=as_text(body.get("id")), service_tier=as_text(body.get("service_tier")))
    first = choices[0].body
    native = as_text(first.get("finish_reason"))
    if native is not None:
        outcome.finish_reason = normal_finish_reason(native)
        outcome.native_finish_reason = as_text(first.get("native_finish_reason")) or native
    if "usage" in body and (counted := read_usage(body["usage"])):
        outcome.usage, outcome.provider_cost = counted
    outcome.output_bytes = sum(said_bytes(choice.message) for choice in choices)
    return outcome


def _fill_choice(parts: _Choice, new_call_id: Callable[[], str]) -> Raw:
    choice, message, calls = parts
    fill(choice, "index", Raw(b"0"))
    native = as_text(choice.get("finish_reason"))
    choice["finish_reason"] = raw(normal_finish_reason(native)) if native is not None else NULL
    choice.setdefault("native_finish_reason", raw(native))
    choice.setdefault("logprobs", NULL)
    if as_text(message.get("role")) != "assistant":
        message["role"] = _ASSISTANT
    message.setdefault("content", NULL)
    message.setdefault("refusal", NULL)
    message.setdefault("reasoning", NULL)
    if calls:
        message["tool_calls"] = _array([_fill_call(call, new_call_id) for call in calls])
    choice["message"] = Raw(join(message))
    return Raw(join(choice))


def _fill_call(call: Body, new_call_id: Callable[[], str]) -> Raw:
    if not as_text(call.get("id")):
        call["id"] = raw(new_call_id())
    fill(call, "type", _FUNCTION)
    if "function" in call:
        call["function"] = fill_function(call["function"])
    return Raw(join(call))


def fill(body: Body, name: str, content: Raw) -> None:
    """Put a member where it is missing or null."""
    if is_null(body.get(name, NULL)):
        body[name] = content


def created_at(body: Body) -> Raw | None:
    """When the upstream says its answer was made, in Unix seconds, None when it does not; some write 0 for that."""
    created = body.get("created", NULL)
    said = bytes(created)
    return created if said.isdigit() and said != b"0" and len(said) <= _TIME_DIGITS else None


def fill_function(data: Raw) -> Raw:
    """A function call's name and arguments; arguments that are missing or no string become one."""
    if not is_object(data):
        return data
    function = members(data)
    arguments = function.get("arguments", Raw(b'""'))
    if not is_string(arguments):
        function["arguments"] = raw("" if is_null(arguments) else bytes(arguments).decode())
    elif "arguments" not in function:
        function["arguments"] = arguments
    else:
        return data
    return Raw(join(function))


def _array(entries: list[Raw]) -> Raw:
    return Raw(b"[" + b",".join(bytes(entry) for entry in entries) + b"]")

"""A whole answer of the chat protocol: filled in and stamped for the client, read, and written.

In an edit nothing below the top level is touched but the usage and the keys that clients need and upstreams leave out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from setpoint.canonical.fold import Fold
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Outcome
from setpoint.protocols.chat.finish import normal_finish_reason
from setpoint.protocols.chat.message import write_message
from setpoint.protocols.chat.reader import ChatReader
from setpoint.protocols.chat.scores import write_scores
from setpoint.protocols.chat.usage import read_input, read_tier, read_usage, said_bytes, write_usage
from setpoint.protocols.failures import scrubbed
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
    from setpoint.canonical.result import Result
    from setpoint.protocols.answer import Bill, Opening, Stamp

_FUNCTION = Raw(b'"function"')
_ASSISTANT = Raw(b'"assistant"')

_WHOLE = Raw(b'"chat.completion"')

_TIME_DIGITS = 12


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

    def write(self, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
        """The answer for the client, as JSON; with router metadata when there is some."""
        body = self._body
        stamped = _stamped(opening.stamp)
        stamped["created"] = created_at(body) or stamped["created"]
        stamped["system_fingerprint"] = body.get("system_fingerprint", NULL)
        for name, content in body.items():
            if name not in stamped:
                stamped[name] = content
        stamped["choices"] = raw([_fill_choice(choice, opening) for choice in self._choices])
        stamped["usage"] = write_usage(body.get("usage"), bill)
        if metadata is not None:
            stamped["openrouter_metadata"] = metadata
        return join(stamped)


def edit_result(body: Body) -> ChatResult:
    """An upstream's answer, taken further apart.

    A choice that breaks off with an error keeps it beside its text, as clients of this protocol read it, but for keys.

    Raises: `ProviderError` when it is no complete answer: no choices, or not the shape of one.
    """
    try:
        choices = [_read_choice(members(choice)) for choice in items(body["choices"])]
        if not choices:
            raise MalformedError
        return ChatResult(body, choices, _outcome(body, choices))
    except (MalformedError, KeyError) as error:
        raise ProviderError("provider_unavailable", "the provider's answer is malformed") from error


def _stamped(stamp: Stamp) -> Body:
    return {
        "id": raw(stamp.id),
        "object": _WHOLE,
        "created": raw(stamp.created),
        "model": raw(stamp.model),
        "provider": raw(stamp.provider),
        "system_fingerprint": NULL,
    }


def _read_choice(choice: Body) -> _Choice:
    message = members(choice["message"])
    return _Choice(choice, message, [members(call) for call in as_array(message.get("tool_calls"))])


def _outcome(body: Body, choices: list[_Choice]) -> Outcome:
    outcome = Outcome(upstream_id=as_text(body.get("id")), service_tier=read_tier(body))
    first = choices[0].body
    native = as_text(first.get("finish_reason"))
    if native is not None:
        outcome.finish_reason = normal_finish_reason(native)
        outcome.native_finish_reason = as_text(first.get("native_finish_reason")) or native
    if "usage" in body and (counted := read_usage(body["usage"])):
        outcome.usage, outcome.provider_cost = counted
    elif "usage" in body:
        outcome.partial = read_input(body["usage"])
    outcome.output_bytes = sum(said_bytes(choice.message) for choice in choices)
    return outcome


def _fill_choice(parts: _Choice, opening: Opening) -> Raw:
    choice, message, calls = parts
    fill(choice, "index", Raw(b"0"))
    native = as_text(choice.get("finish_reason"))
    choice["finish_reason"] = raw(normal_finish_reason(native)) if native is not None else NULL
    choice.setdefault("native_finish_reason", raw(native))
    choice.setdefault("logprobs", NULL)
    if "error" in choice:
        choice["error"] = scrubbed(choice["error"], opening.scrub)
    if as_text(message.get("role")) != "assistant":
        message["role"] = _ASSISTANT
    message.setdefault("content", NULL)
    message.setdefault("refusal", NULL)
    message.setdefault("reasoning", NULL)
    if calls:
        message["tool_calls"] = raw([_fill_call(call, opening) for call in calls])
    choice["message"] = Raw(join(message))
    return Raw(join(choice))


def _fill_call(call: Body, opening: Opening) -> Raw:
    if not as_text(call.get("id")):
        call["id"] = raw(opening.new_id("call_"))
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


# --- another protocol: a translation -------------------------------------------------------------------------


def read_result(body: Body) -> Result:
    """A chat upstream's answer; of several choices the first.

    Raises: `ProviderError` when it is no complete answer, `StreamFailedError` when it breaks off with an error.
    """
    fold = Fold()
    try:
        choice = members(items(body["choices"])[0])
        message = members(choice.pop("message"))
        if calls := as_array(message.get("tool_calls")):
            message["tool_calls"] = raw([_numbered(call, at) for at, call in enumerate(calls)])
        choice["delta"] = Raw(join(message))
        for event in ChatReader().read_chunk({**body, "choices": raw([Raw(join(choice))])}):
            fold.add(event)
    except (MalformedError, KeyError, IndexError) as error:
        raise ProviderError("provider_unavailable", "the provider's answer is malformed") from error
    return fold.result()


def _numbered(call: Raw, position: int) -> Raw:
    """A call of a whole answer, each of which is one of its own: some providers give several the same id."""
    return Raw(join({**members(call), "index": raw(position)}))


def write_result(result: Result, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
    """An answer of another dialect as JSON; with router metadata when there is some."""
    finish = result.finish
    choice: Body = {
        "index": raw(0),
        "finish_reason": raw(finish and finish.reason),
        "native_finish_reason": raw(finish and finish.native),
        "logprobs": NULL if result.logprobs is None else write_scores(result.logprobs),
        "message": Raw(join(write_message(result.parts, opening))),
    }
    body = _stamped(opening.stamp)
    if result.service_tier is not None:
        body["service_tier"] = raw(result.service_tier)
    body["choices"] = raw([choice])
    body["usage"] = write_usage(None, bill)
    if metadata is not None:
        body["openrouter_metadata"] = metadata
    return join(body)

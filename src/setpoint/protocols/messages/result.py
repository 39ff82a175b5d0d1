"""A whole answer of the messages protocol: filled in and stamped for the client, read, and written.

In an edit nothing below the top level is touched but the usage and the keys that clients need and upstreams leave out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.parts import Citation, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, FinishReason, Result
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Outcome
from setpoint.protocols.messages.frames import UPSTREAMS_OWN
from setpoint.protocols.messages.usage import read_tier, read_whole_usage, said_bytes, write_message_usage, write_tier
from setpoint.protocols.names import Named, arguments_object, arguments_text, function_name
from setpoint.protocols.seals import write_seal
from setpoint.wire.body import (
    NULL,
    Body,
    MalformedError,
    as_array,
    as_object,
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

    from setpoint.canonical.parts import Part
    from setpoint.protocols.answer import Bill, Opening

FORMAT = "anthropic-claude-v1"
"""The chat protocol's word for reasoning that a messages upstream made."""

STOP_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""The protocol's stop reasons, in chat's words; one that is not here counts as `stop`."""

_WORDS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}

_KIND = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_EMPTY = Raw(b'""')
_TYPE, _ROLE = Raw(b'"message"'), Raw(b'"assistant"')
_DIRECT = Raw(b'{"type":"direct"}')
_TEXT, _LINK = Raw(b'"text"'), "web_search_result_location"


def finish_of(message: Body) -> Finish | None:
    """Why an answer ended, from a whole message or the `delta` of a `message_delta`; None when it does not say."""
    native = as_text(message.get("stop_reason"))
    if native is None:
        return None
    sequence, details = message.get("stop_sequence", NULL), message.get("stop_details", NULL)
    return Finish(
        reason=STOP_REASONS.get(native, "stop"),
        native=native,
        stop_sequence=sequence if is_string(sequence) else None,
        details=details if is_object(details) else None,
    )


def stop_reason(finish: Finish) -> str:
    """The protocol's word for why an answer ended."""
    if finish.reason == "stop" and finish.stop_sequence is not None:
        return "stop_sequence"
    return _WORDS[finish.reason]


# --- citations -----------------------------------------------------------------------------------------------


def read_citation(data: Raw) -> Citation:
    """Where a piece of text comes from: a link, or the whole of what only this protocol can say."""
    told = as_object(data)
    kind, url = _kind(told, "citation"), told.get("url", NULL)
    if kind != _LINK or not is_string(url):
        return Citation(kind=kind, body=data)
    return Citation(url=url, title=_string(told, "title"), quoted=_string(told, "cited_text"))


def write_citation(citation: Citation) -> Raw | None:
    """A citation in the protocol's words; None when it leads nowhere."""
    if citation.body is not None:
        return citation.body
    if citation.url is None:
        return None
    told: Body = {
        "type": raw(_LINK),
        "cited_text": citation.quoted or _EMPTY,
        "url": citation.url,
        "title": citation.title or NULL,
        "encrypted_index": _EMPTY,
    }
    return Raw(join(told))


# --- the same protocol: an edit ------------------------------------------------------------------------------


def fill_block(block: Body) -> Body:
    """A block of content with the key that clients need: `citations` on text, `caller` on a tool call."""
    match as_text(block.get("type")):
        case "text" if "citations" not in block:
            return {**block, "citations": NULL}
        case "tool_use" if is_null(block.get("caller", NULL)):
            return {**block, "caller": _DIRECT}
        case _:
            return block


class MessagesResult:
    """One answer that is not streamed. `outcome` is what it says of itself."""

    def __init__(self, body: Body, outcome: Outcome) -> None:
        self._body = body
        self.outcome = outcome

    def write(self, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
        """The answer for the client, as JSON; with router metadata when there is some."""
        body = self._body
        stamped: Body = {
            "id": body["id"] if self.outcome.upstream_id else raw(opening.new_id("msg_")),
            "type": _TYPE,
            "role": _ROLE,
            "model": raw(opening.stamp.model),
            "content": _array([_filled(block, opening) for block in items(body["content"])]),
        }
        for name in ("stop_reason", "stop_sequence", "stop_details", "container"):
            stamped[name] = body.get(name, NULL)
        stamped |= {name: content for name, content in body.items() if name not in stamped}
        for name in UPSTREAMS_OWN:
            stamped.pop(name, None)
        stamped["usage"] = write_message_usage(as_object(body.get("usage")), bill)
        if metadata is not None:
            stamped["openrouter_metadata"] = metadata
        return join(stamped)


def edit_result(body: Body) -> MessagesResult:
    """An upstream's answer, taken further apart. Raises: `ProviderError` when it is not the shape of one."""
    blocks = _content(body)
    finish, counted = finish_of(body), read_whole_usage(body.get("usage", NULL))
    outcome = Outcome(
        upstream_id=as_text(body.get("id")) or None,
        service_tier=read_tier(body),
        output_bytes=said_bytes(blocks),
    )
    if finish is not None:
        outcome.finish_reason, outcome.native_finish_reason = finish.reason, finish.native
    if counted is not None:
        outcome.usage, outcome.provider_cost = counted
    return MessagesResult(body, outcome)


def _filled(data: Raw, opening: Opening) -> Raw:
    block = members(data)
    filled = fill_block(block)
    if as_text(block.get("type")) == "tool_use" and not as_text(block.get("id")):
        filled = {**filled, "id": raw(opening.new_id("toolu_"))}
    return data if filled is block else Raw(join(filled))


def _content(body: Body) -> list[Body]:
    try:
        return [members(block) for block in items(body["content"])]
    except (MalformedError, KeyError) as error:
        raise _malformed() from error


def _malformed() -> ProviderError:
    return ProviderError("provider_unavailable", "the provider's answer is malformed")


# --- another protocol: reading -------------------------------------------------------------------------------


def read_result(body: Body) -> Result:
    """A whole answer. Raises: `ProviderError` when it is not the shape of one."""
    parts: list[Part] = []
    unsaid: dict[str, None] = {}
    for block in _content(body):
        kind = _kind(block, "content")
        read = _BLOCKS.get(kind)
        if read is None:
            unsaid[kind] = None
            continue
        part = read(block)
        parts.append(part)
        if isinstance(part, Text):
            unsaid |= {f"citations.{citation.kind}": None for citation in part.citations if citation.kind is not None}
    counted = read_whole_usage(body.get("usage", NULL))
    return Result(
        parts=tuple(parts),
        finish=finish_of(body),
        usage=counted[0] if counted else None,
        provider_cost=counted[1] if counted else None,
        upstream_id=as_text(body.get("id")) or None,
        service_tier=read_tier(body),
        unsaid=tuple(unsaid),
    )


def _kind(content: Body, other: str) -> str:
    """The type of a block or a citation; `other` where it has none that could be told to anybody."""
    kind = as_text(content.get("type"))
    return kind if kind and _KIND.fullmatch(kind) else other


def _text(block: Body) -> Text:
    citations = tuple(read_citation(citation) for citation in as_array(block.get("citations")))
    return Text(text=_needed(block, "text"), citations=citations)


def _thinking(block: Body) -> Reasoning:
    signature = _string(block, "signature")
    return Reasoning(
        kind="text",
        text=_needed(block, "thinking"),
        seal=None if signature == _EMPTY else signature,
        maker="messages",
        format=FORMAT,
    )


def _redacted(block: Body) -> Reasoning:
    return Reasoning(kind="encrypted", seal=_needed(block, "data"), maker="messages", format=FORMAT)


def _call(block: Body) -> ToolCall:
    given = block.get("input", NULL)
    return ToolCall(
        id=as_text(block.get("id")) or "",
        name=as_text(_needed(block, "name")) or "",
        arguments=arguments_text(Raw(b"{}") if is_null(given) else given),
    )


_BLOCKS: dict[str, Callable[[Body], Part]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _call,
}


def _needed(block: Body, name: str) -> Raw:
    content = _string(block, name)
    if content is None:
        raise _malformed()
    return content


def _string(body: Body, name: str) -> Raw | None:
    content = body.get(name)
    return content if content is not None and is_string(content) else None


# --- another protocol: writing -------------------------------------------------------------------------------


def write_result(result: Result, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
    """A whole answer of another dialect in the protocol's words, as JSON."""
    blocks = [write_block(part, opening) for part in result.parts]
    finish = result.finish
    usage: Body = {"service_tier": write_tier(result.service_tier)}
    message: Body = {
        "id": raw(opening.new_id("msg_")),
        "type": _TYPE,
        "role": _ROLE,
        "model": raw(opening.stamp.model),
        "content": _array([Raw(join(block)) for block in blocks if block is not None]),
        "stop_reason": raw(stop_reason(finish)) if finish else NULL,
        "stop_sequence": (finish.stop_sequence if finish else None) or NULL,
        "stop_details": (finish.details if finish else None) or NULL,
        "container": NULL,
        "usage": write_message_usage(usage, bill),
    }
    if metadata is not None:
        message["openrouter_metadata"] = metadata
    return join(message)


def write_block(part: Part, opening: Opening) -> Body | None:
    """A whole part of an answer as a block; None for one that says nothing, or nothing the protocol has a word for."""
    match part:
        case Text(text=text, citations=citations):
            cited = [written for citation in citations if (written := write_citation(citation)) is not None]
            if text == _EMPTY and not cited:
                return None
            return {"type": _TEXT, "text": text, "citations": _array(cited) if cited else NULL}
        case Refusal(text=text):
            return write_block(Text(text=text), opening)
        case Reasoning(kind=kind, text=text):
            seal = write_seal(part, "messages")
            if kind == "encrypted":
                return {"type": raw("redacted_thinking"), "data": seal} if seal != _EMPTY else None
            if seal == _EMPTY and text in (None, _EMPTY):
                return None
            return {"type": raw("thinking"), "thinking": text or _EMPTY, "signature": seal}
        case ToolCall():
            return {
                "type": raw("tool_use"),
                "id": raw(part.id or opening.new_id("toolu_")),
                "name": raw(called(part)),
                "input": _input(part),
                "caller": _DIRECT,
            }
        case _:
            return None


def called(call: ToolCall) -> str:
    """What a client is told that a tool is called: its own name, but for a namespace, which is put before it."""
    return function_name(Named(call.name, call.kind, call.namespace)) if call.namespace else call.name


def _input(call: ToolCall) -> Raw:
    if call.kind == "custom":  # its arguments are one text
        return raw({"input": call.arguments})
    return arguments_object(call.arguments) or raw({"raw_arguments": call.arguments})


def _array(entries: list[Raw]) -> Raw:
    return Raw(b"[" + b",".join(bytes(entry) for entry in entries) + b"]")

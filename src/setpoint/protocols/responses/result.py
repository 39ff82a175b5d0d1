"""The response object: an upstream's own, filled in for the client, or a whole answer of another dialect.

Of an upstream's object nothing below the top level is touched but the usage.
Source: the response object of the Responses reference and the keys that official clients require, read 2026-11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.result import Finish, FinishReason, Result
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Outcome
from setpoint.protocols.responses.calls import KINDS, answered_calls
from setpoint.protocols.responses.errors import response_error
from setpoint.protocols.responses.items import ITEM_PREFIXES, read_items, write_items
from setpoint.protocols.responses.repeated import repeated
from setpoint.protocols.responses.scores import filled_scores
from setpoint.protocols.responses.usage import read_response_usage, read_tier, said_bytes, write_usage
from setpoint.wire.body import (
    NULL,
    Body,
    as_array,
    as_object,
    as_text,
    is_array,
    is_null,
    is_object,
    is_string,
    items,
    join,
    join_strings,
    members,
    raw,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from setpoint.canonical.usage import Usage
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill, Opening
    from setpoint.protocols.base import EditedResult

_OBJECT = Raw(b'"response"')
_EMPTY_LIST = Raw(b"[]")

# Upstreams are told no more than a digest of these; what they repeat is not what the client knows.
_IDENTITY = ("safety_identifier", "user")
# What an upstream repeats of these are its own defaults where a client has sent none.
_SAMPLING = ("frequency_penalty", "presence_penalty", "temperature", "top_p")
_STAMPED = frozenset({"id", "object", "created_at", "completed_at", "model"})

_TIERS = {"standard": "default", **{word: word for word in ("auto", "default", "fast", "flex", "priority", "scale")}}
"""A service tier to this protocol's word for it; clients know no others."""

_TIME = re.compile(rb"([1-9]\d{0,11})(?:\.\d*)?")  # some write seconds with a fraction

INCOMPLETE: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Reason to end to the reason of a response that is incomplete; any other end makes it complete."""

_FINISHES: dict[str, FinishReason] = {"content_filter": "content_filter"}
_NOT_COMPLETE = frozenset({"failed", "cancelled", "in_progress", "queued"})


# --- writing -------------------------------------------------------------------------------------------------


def response_object(
    opening: Opening,
    id_: str,
    echo: Body,
    *,
    status: str,
    output: list[Body],
    bill: Bill | None,
    completed_at: int | None = None,
    incomplete: str | None = None,
    error: SetpointError | None = None,
    metadata: Raw | None = None,
    service_tier: str | None = None,
) -> Body:
    """A response object with all of its keys. `bill` is None before there is a usage, the times are Unix seconds.

    `echo` is what it repeats of its request.
    """
    body: Body = {
        "id": raw(id_),
        "object": _OBJECT,
        "created_at": raw(opening.stamp.created),
        "completed_at": raw(completed_at),
        "status": raw(status),
        "model": raw(opening.stamp.model),
        "output": raw(output),
        "output_text": _output_text(output),
        "error": NULL if error is None else response_error(error),
        "incomplete_details": NULL if incomplete is None else raw({"reason": incomplete}),
        **echo,
        "service_tier": raw(_TIERS.get(service_tier or "")),
        "usage": NULL if bill is None else write_usage({}, bill),
    }
    if error is not None:
        body["error_type"] = raw(error.type)
    if metadata is not None and (error is None or error.type != "server"):
        body["openrouter_metadata"] = metadata
    return body


def fill_response(body: Body, opening: Opening, id_: str, echo: Body) -> Body:
    """An upstream's own response object under this id, with our model and the keys that clients need.

    `echo` is what it repeats of its request.
    """
    created = _seconds(body.get("created_at")) or raw(opening.stamp.created)
    request = opening.request
    filled: Body = {
        "id": raw(id_),
        "object": _OBJECT,
        "created_at": created,
        "completed_at": _seconds(body.get("completed_at")) or NULL,
        "model": raw(opening.stamp.model),
        **{name: content for name, content in body.items() if name not in _STAMPED},
    }
    for name, content in echo.items():
        if is_null(filled.get(name, NULL)):
            filled[name] = content
    filled |= {name: echo[name] for name in _SAMPLING}
    for name in _IDENTITY:
        if name in body:
            filled[name] = request.get(name, NULL)
    if as_object(filled["metadata"]) == {}:
        filled["metadata"] = echo["metadata"]
    if not is_array(filled.get("output", NULL)):
        filled["output"] = _EMPTY_LIST
    if not is_string(filled.get("output_text", NULL)):
        filled["output_text"] = _output_text([as_object(item) for item in items(filled["output"])])
    for name in ("error", "incomplete_details"):
        filled.setdefault(name, NULL)
    return filled


def _seconds(data: Raw | None) -> Raw | None:
    """A time that an upstream gives, in whole Unix seconds; None when it gives none, or 0."""
    match = _TIME.fullmatch(bytes(data)) if data is not None else None
    return Raw(match[1]) if match else None


def _output_text(output: list[Body]) -> Raw:
    """All the text of an answer in one string."""
    return join_strings(
        [
            text
            for item in output
            if as_text(item.get("type")) == "message"
            for part in map(as_object, as_array(item.get("content")))
            if as_text(part.get("type")) == "output_text" and is_string(text := part.get("text", NULL))
        ]
    )


def write_result(result: Result, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
    """A whole answer of another dialect, as JSON."""
    incomplete = INCOMPLETE.get(result.finish.reason) if result.finish is not None else None
    status = "incomplete" if incomplete else "completed"
    return join(
        response_object(
            opening,
            opening.new_id("resp_"),
            repeated(opening.request),
            status=status,
            output=write_items(result.parts, opening.new_id, status=status, logprobs=result.logprobs),
            bill=bill,
            completed_at=None if incomplete else opening.stamp.created,
            incomplete=incomplete,
            metadata=metadata,
            service_tier=result.service_tier,
        )
    )


# --- reading -------------------------------------------------------------------------------------------------


class ResponsesResult:
    """One answer that is not streamed, of a responses upstream. `outcome` is what it says of itself."""

    def __init__(self, body: Body, output: list[Body]) -> None:
        self._body = body
        self._output = output
        self.outcome = Outcome(
            upstream_id=as_text(body.get("id")),
            service_tier=read_tier(body),
            output_bytes=sum(said_bytes(item) for item in output),
        )
        if (finish := finish_of(body)) is not None:
            self.outcome.finish_reason, self.outcome.native_finish_reason = finish.reason, finish.native
        self.outcome.usage, self.outcome.provider_cost = _counted(body)

    def write(self, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
        """The answer for the client, as JSON; with router metadata when there is some."""
        body = fill_response(
            self._body, opening, self.outcome.upstream_id or opening.new_id("resp_"), repeated(opening.request)
        )
        if not is_string(body.get("status", NULL)):
            body["status"] = raw("completed")
        if any(_without_id(item) for item in self._output):
            body["output"] = raw([_with_id(item, opening) for item in self._output])
        if is_null(body["completed_at"]) and as_text(body["status"]) == "completed":
            body["completed_at"] = body["created_at"]
        body["usage"] = write_usage(as_object(body.get("usage")), bill)
        if metadata is not None:
            body["openrouter_metadata"] = metadata
        return join(body)


def _without_id(item: Body) -> bool:
    return not is_string(item.get("id", NULL)) and (as_text(item.get("type")) or "") in ITEM_PREFIXES


def _with_id(item: Body, opening: Opening) -> Body:
    """An item with the id that clients need and some upstreams leave out."""
    return (
        {**item, "id": raw(opening.new_id(ITEM_PREFIXES[as_text(item["type"]) or ""]))} if _without_id(item) else item
    )


def edit_result(body: Body) -> EditedResult:
    """An upstream's answer. Raises: `ProviderError` when it is no complete one."""
    return ResponsesResult(body, _complete(body))


def read_result(body: Body) -> Result:
    """An upstream's answer in canonical values. Raises: `ProviderError` when it is no complete one."""
    output = _complete(body)
    parts, unsaid = read_items(items(body["output"]))
    usage, provider_cost = _counted(body)
    return Result(
        parts=tuple(parts),
        finish=finish_of(body),
        usage=usage,
        provider_cost=provider_cost,
        upstream_id=as_text(body.get("id")),
        service_tier=read_tier(body),
        logprobs=_logprobs(output),
        unsaid=tuple(dict.fromkeys(unsaid)),
    )


def _complete(body: Body) -> list[Body]:
    """The output items of an answer that is complete."""
    status = as_text(body.get("status"))
    if status in _NOT_COMPLETE:
        raise ProviderError("provider_unavailable", f"the provider's answer is not complete but {status}")
    output = body.get("output", NULL)
    entries = items(output) if is_array(output) else None
    if entries is None or not all(map(is_object, entries)):
        raise ProviderError("provider_unavailable", "the provider's answer is malformed")
    return [members(entry) for entry in entries]


def finish_of(response: Body) -> Finish | None:
    """Why a response ended; None while it has not, or when it failed.

    The provider's own word for it is the response's status, or why it is incomplete.
    """
    status = as_text(response.get("status")) or "completed"
    if status in _NOT_COMPLETE:
        return None
    if status == "incomplete":
        reason = as_text(as_object(response.get("incomplete_details")).get("reason")) or status
        return Finish(reason=_FINISHES.get(reason, "length"), native=reason)
    listed = [as_object(item) for item in as_array(response.get("output"))]
    answered = answered_calls(listed)
    calls = any(as_text(item.get("type")) in KINDS and as_text(item.get("call_id")) not in answered for item in listed)
    return Finish(reason="tool_calls" if calls else "stop", native=status)


def _counted(body: Body) -> tuple[Usage | None, Decimal | None]:
    return read_response_usage(body) or (None, None)


def _logprobs(output: list[Body]) -> Raw | None:
    """The entries of all the text in one list; None when there are none."""
    entries = [
        bytes(entry)
        for item in output
        for part in map(as_object, as_array(item.get("content")))
        for entry in as_array(filled_scores(part.get("logprobs", NULL)))
    ]
    return Raw(b"[" + b",".join(entries) + b"]") if entries else None

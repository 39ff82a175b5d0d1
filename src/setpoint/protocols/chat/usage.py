"""The usage object of the chat protocol, both ways, and our own count where an upstream gives none."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.usage import Usage, estimated_tokens
from setpoint.protocols.base import read_text
from setpoint.wire.body import NULL, as_array, as_object, as_text, is_null, is_object, join, members, raw, value

if TYPE_CHECKING:
    from setpoint.protocols.answer import Bill
    from setpoint.wire.body import Body

_WHOLE = re.compile(rb"(\d{1,15})(?:\.0*)?")  # some write a count as 10.0
_MONEY_CHARACTERS = 64
_MONEY_PLACES = 40

# Where a message or a delta says something in words, beside its tool calls.
_TEXTS = ("content", "reasoning", "reasoning_content", "refusal")

# Tokens that a media part counts for in our own estimates.
_MEDIA_TOKENS = {"image_url": 1_600, "file": 3_000, "input_audio": 1_000, "video_url": 10_000, "input_video": 10_000}


def read_usage(data: Raw) -> tuple[Usage, Decimal | None] | None:
    """The tokens that an upstream counted and the cost it names, None when it counted nothing that can be read.

    The cost is read from its own digits, never through a float.
    """
    body = as_object(data)
    if "prompt_tokens" not in body and "completion_tokens" not in body:
        return None
    prompt, completion = _details(body, "prompt_tokens_details"), _details(body, "completion_tokens_details")
    try:
        usage = Usage(
            input_tokens=_count(body, "prompt_tokens"),
            output_tokens=_count(body, "completion_tokens"),
            cached_tokens=_count(prompt, "cached_tokens"),
            cache_write_tokens=_count(prompt, "cache_write_tokens"),
            reasoning_tokens=_count(completion, "reasoning_tokens"),
            input_audio_tokens=_count(prompt, "audio_tokens"),
            output_audio_tokens=_count(completion, "audio_tokens"),
            image_tokens=_count(completion, "image_tokens"),
        )
    except ValueError:
        return None
    return usage, _money(body.get("cost"))


def write_usage(upstream: Raw | None, bill: Bill) -> Raw:
    """The usage object for the client: what the upstream said, with the three counts and the cost filled in."""
    body = members(upstream) if upstream is not None and is_object(upstream) else {}
    usage = bill.usage
    body["prompt_tokens"] = raw(usage.input_tokens)
    body["completion_tokens"] = raw(usage.output_tokens)
    body["total_tokens"] = raw(max(_total(body), usage.total_tokens))
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        details = _details(body, name)
        body.pop(name, None)
        if details:
            body[name] = Raw(join(details))
    body["cost"] = money(bill.amount)
    body["is_byok"] = Raw(b"true")
    body.pop("cost_details", None)
    if bill.cost is not None:
        body["cost_details"] = Raw(
            join(
                {
                    "upstream_inference_cost": money(bill.cost.total),
                    "upstream_inference_prompt_cost": money(bill.cost.prompt),
                    "upstream_inference_completions_cost": money(bill.cost.completion),
                }
            )
        )
    return Raw(join(body))


def money(amount: Decimal | None) -> Raw:
    """An amount as a JSON number with all of its digits, `null` when unknown."""
    if amount is None:
        return Raw(b"null")
    text = format(amount, "f") if amount else "0"
    return Raw((text.rstrip("0").rstrip(".") if "." in text else text).encode())


def estimate(request: Body, output_bytes: int) -> Usage:
    """Our own count of a request and so many bytes of answer text, marked as estimated."""
    return Usage(input_tokens=_estimate_input(request), output_tokens=estimated_tokens(output_bytes), estimated=True)


def said_bytes(message: Body) -> int:
    """The UTF-8 bytes of what a message or a delta says: its texts, and which functions it calls with what."""
    said = 0
    for name in _TEXTS:
        if name in message:
            said += _text_bytes(message[name])
    for call in as_array(message.get("tool_calls")):
        function = as_object(as_object(call).get("function"))
        said += _text_bytes(function.get("name")) + _text_bytes(function.get("arguments"))
    return said


def _estimate_input(request: Body) -> int:
    said = media = 0
    for message in map(as_object, as_array(request.get("messages"))):
        said += said_bytes(message)
        for part in map(as_object, as_array(message.get("content"))):
            media += _MEDIA_TOKENS.get(as_text(part.get("type")) or "", 0)
    return estimated_tokens(said) + media


def _text_bytes(data: Raw | None) -> int:
    if data is None:
        return 0
    written = bytes(data)
    if written[:1] != b'"':
        return _text_bytes(read_text(data)) if written[:1] == b"[" else 0
    return len(written) - 2 if b"\\" not in written else len(value(data).encode("utf-8", "surrogatepass"))


def _details(body: Body, name: str) -> Body:
    details = body.get(name)
    if details is None or not is_object(details):
        return {}
    return {key: count for key, count in members(details).items() if bytes(count) != b"null"}


def _count(body: Body, name: str) -> int:
    """A count of tokens, 0 when none is given. Raises: `ValueError` for what is no whole number from 0 up."""
    count = body.get(name, NULL)
    match = _WHOLE.fullmatch(b"0" if is_null(count) else bytes(count))
    if match is None:
        raise ValueError(name)
    return int(match[1])


def _total(body: Body) -> int:
    try:
        return _count(body, "total_tokens")
    except ValueError:
        return 0


def _money(data: Raw | None) -> Decimal | None:
    """An amount of dollars; what is none, or would fill a page when written out, is not known."""
    if data is None or len(memoryview(data)) > _MONEY_CHARACTERS:
        return None
    try:
        amount = Decimal(bytes(data).decode())
    except (InvalidOperation, UnicodeDecodeError):
        return None
    sensible = amount.is_finite() and 0 <= amount < 1_000_000 and amount.adjusted() >= -_MONEY_PLACES
    return amount if sensible else None

"""The usage object of the chat protocol, both ways, and our own count where an upstream gives none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.usage import Usage, estimated_tokens
from setpoint.protocols.chat.content import KINDS
from setpoint.protocols.counts import read_counts, read_total, write_cost
from setpoint.protocols.money import MEDIA_TOKENS, read_count, text_bytes, tool_bytes
from setpoint.wire.body import NULL, as_array, as_object, as_text, is_null, is_object, join, members, raw

if TYPE_CHECKING:
    from decimal import Decimal

    from setpoint.protocols.answer import Bill
    from setpoint.wire.body import Body

# Where a message or a delta says something in words, beside its tool calls.
_TEXTS = ("content", "reasoning", "reasoning_content", "refusal")


def read_usage(data: Raw) -> tuple[Usage, Decimal | None] | None:
    """The tokens that an upstream counted and the cost it names, None when it counted nothing that can be read."""
    return read_counts(data, "prompt_tokens", "completion_tokens")


def read_input(data: Raw) -> Usage | None:
    """The tokens of the input, where an upstream counted these and not the output; else None."""
    body = as_object(data)
    if is_null(body.get("prompt_tokens", NULL)) or not is_null(body.get("completion_tokens", NULL)):
        return None
    counted = read_usage(raw({**body, "completion_tokens": 0}))
    return counted[0] if counted else None


def read_tier(body: Body) -> str | None:
    """The service tier that an answer says has served it; None when it says none."""
    return as_text(body.get("service_tier"))


def write_usage(upstream: Raw | None, bill: Bill) -> Raw:
    """The usage object for the client: what a chat upstream said, with the three counts and the cost filled in.

    Without one the details are those of the answer's own protocol, which every program may look for.
    """
    usage = bill.usage
    body = members(upstream) if upstream is not None and is_object(upstream) else _counted(usage)
    body["prompt_tokens"] = raw(usage.input_tokens)
    body["completion_tokens"] = raw(_made(body, usage))
    body["total_tokens"] = raw(max(read_total(body), usage.total_tokens))
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        details = _details(body, name)
        body.pop(name, None)
        if details:
            body[name] = Raw(join(details))
    body.pop("cost_details", None)
    body |= write_cost(bill)
    return Raw(join(body))


def _made(body: Body, usage: Usage) -> int:
    """The tokens of the output, as the upstream says them where it counts others beside them, in the total alone."""
    if usage.estimated or read_total(body) != usage.total_tokens:
        return usage.output_tokens
    try:
        return read_count(body, "completion_tokens") or usage.output_tokens
    except ValueError:
        return usage.output_tokens


def _counted(usage: Usage) -> Body:
    if usage.estimated:  # nobody has counted any details
        return {}
    prompt = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens}
    completion = {"reasoning_tokens": usage.reasoning_tokens}
    heard = {"audio_tokens": usage.input_audio_tokens}
    made = {"audio_tokens": usage.output_audio_tokens, "image_tokens": usage.image_tokens}
    return {
        "prompt_tokens_details": raw({**prompt, **_some(heard)}),
        "completion_tokens_details": raw({**completion, **_some(made)}),
    }


def _some(counts: dict[str, int]) -> dict[str, int]:
    """The counts that are not nothing."""
    return {name: count for name, count in counts.items() if count}


def estimated_input(body: Body) -> int:
    """Our own count of a request's input tokens: a quarter of the bytes of its text and tools, a table for media."""
    said, media = tool_bytes(body), 0
    for message in map(as_object, as_array(body.get("messages"))):
        said += said_bytes(message)
        for part in map(as_object, as_array(message.get("content"))):
            kind = KINDS.get(as_text(part.get("type")) or "")
            media += MEDIA_TOKENS[kind] if kind else 0
    return estimated_tokens(said) + media


def said_bytes(message: Body) -> int:
    """The UTF-8 bytes of what a message or a delta says: its texts, and which functions it calls with what."""
    said = 0
    for name in _TEXTS:
        if name in message:
            said += text_bytes(message[name])
    for call in as_array(message.get("tool_calls")):
        function = as_object(as_object(call).get("function"))
        said += text_bytes(function.get("name")) + text_bytes(function.get("arguments"))
    return said


def _details(body: Body, name: str) -> Body:
    return {key: count for key, count in as_object(body.get(name)).items() if not is_null(count)}

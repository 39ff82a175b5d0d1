"""The usage object of the messages protocol, both ways, and our own count of a request where an upstream gives none.

It counts the input without what was read from or written to a cache; the canonical count has all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.usage import Usage, estimated_tokens
from setpoint.protocols.counts import read_searches, write_cost
from setpoint.protocols.money import MEDIA_TOKENS, read_count, read_money, text_bytes, tool_bytes
from setpoint.wire.body import NULL, as_array, as_object, as_text, is_array, is_null, is_object, join, raw

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from setpoint.protocols.answer import Bill
    from setpoint.wire.body import Body

_CACHE_READ, _CACHE_WRITE = "cache_read_input_tokens", "cache_creation_input_tokens"
_STANDARD, _FAST = "standard", "fast"
_SHORT, _LONG = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"

COUNTED = (
    "input_tokens",
    "output_tokens",
    _CACHE_READ,
    _CACHE_WRITE,
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
    "cost",
)
"""The members of a usage that the canonical count is made of."""

_MEDIA = {"image": MEDIA_TOKENS["image"], "document": MEDIA_TOKENS["file"]}

# Where a block says something in words, at its own level.
_TEXTS = ("text", "thinking", "title", "source", "name", "context")


def read_usage(data: Raw) -> tuple[Usage, Decimal | None] | None:
    """The tokens that an upstream counted and the cost it names, None when it counted nothing that can be read."""
    body = as_object(data)
    if "input_tokens" not in body and "output_tokens" not in body:
        return None
    by_age = as_object(body.get("cache_creation"))
    try:
        cached, written_1h = read_count(body, _CACHE_READ), read_count(by_age, _LONG)
        written = max(read_count(body, _CACHE_WRITE), read_count(by_age, _SHORT) + written_1h)
        usage = Usage(
            input_tokens=read_count(body, "input_tokens") + cached + written,
            output_tokens=read_count(body, "output_tokens"),
            cached_tokens=cached,
            cache_write_tokens=written,
            cache_write_1h_tokens=written_1h,
            reasoning_tokens=read_count(as_object(body.get("output_tokens_details")), "thinking_tokens"),
            searches=read_searches(body),
        )
    except ValueError:
        return None
    return usage, read_money(body.get("cost"))


def read_whole_usage(data: Raw) -> tuple[Usage, Decimal | None] | None:
    """The same of a whole message, where half of a count is none: what is not counted is unknown, not nothing."""
    body = as_object(data)
    if any(is_null(body.get(name, NULL)) for name in ("input_tokens", "output_tokens")):
        return None
    return read_usage(data)


def tier_in(usage: Body) -> str | None:
    """The service tier in an upstream's usage, by the name that the other protocols have for it. None: not said.

    "`speed`: The inference speed mode used for this request" (the usage's type in the official Python SDK, read
    2026-11): to be fast is a tier elsewhere, and has a price of its own here, too.
    """
    if as_text(usage.get("speed")) == _FAST:
        return _FAST
    tier = as_text(usage.get("service_tier"))
    return "default" if tier == _STANDARD else tier


def read_tier(body: Body) -> str | None:
    """The service tier that a whole message says has served it; None when it says none."""
    return tier_in(as_object(body.get("usage")))


def write_tier(tier: str | None) -> Raw:
    """A service tier by the protocol's name."""
    return raw(_STANDARD if tier == "default" else tier)


def write_message_usage(upstream: Body, bill: Bill) -> Raw:
    """The usage of a whole message: what the upstream said, with the keys that clients need, and the cost."""
    usage = bill.usage
    long = usage.cache_write_1h_tokens
    filled = _counted(upstream, usage)
    _fill(filled, "cache_creation", raw({_SHORT: max(usage.cache_write_tokens - long, 0), _LONG: long}))
    filled.setdefault("service_tier", NULL)
    filled.setdefault("inference_geo", NULL)
    return Raw(join(filled | write_cost(bill)))


def write_delta_usage(upstream: Body, bill: Bill) -> Raw:
    """The usage of a `message_delta`: fewer keys are needed there. `upstream` is what the upstream's own said."""
    return Raw(join(_counted(upstream, bill.usage) | write_cost(bill)))


def _counted(upstream: Body, usage: Usage) -> Body:
    """The counts that a whole message and a `message_delta` both have, over what the upstream said."""
    body: Body = {
        "input_tokens": raw(max(usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, 0)),
        "output_tokens": raw(usage.output_tokens),
        _CACHE_WRITE: raw(usage.cache_write_tokens),
        _CACHE_READ: raw(usage.cached_tokens),
    }
    body |= {name: content for name, content in upstream.items() if name not in body}
    _fill(body, "output_tokens_details", raw({"thinking_tokens": usage.reasoning_tokens}))
    body.setdefault("server_tool_use", NULL)
    if not is_array(body.get("iterations", NULL)):  # clients take a list, or nothing
        body.pop("iterations", None)
    body.pop("cost_details", None)
    return body


def _fill(body: Body, name: str, content: Raw) -> None:
    """Put an object of counts where the upstream gives none."""
    if not is_object(body.get(name, NULL)):
        body[name] = content


EMPTY_USAGE = Raw(
    join(
        {
            "input_tokens": Raw(b"0"),
            "output_tokens": Raw(b"0"),
            _CACHE_WRITE: Raw(b"0"),
            _CACHE_READ: Raw(b"0"),
            "cache_creation": raw({_SHORT: 0, _LONG: 0}),
            "output_tokens_details": raw({"thinking_tokens": 0}),
            "server_tool_use": NULL,
            "service_tier": NULL,
            "inference_geo": NULL,
        }
    )
)
"""The usage of a `message_start` before anything is counted: all the keys that clients need."""


def said_bytes(blocks: Iterable[Body]) -> int:
    """The UTF-8 bytes of what these blocks say: texts, reasoning, the tools that are called and with what."""
    return sum(_said_bytes(block) for block in blocks)


def _said_bytes(block: Body) -> int:
    said = sum(text_bytes(block.get(name)) for name in _TEXTS)
    given = block.get("input", NULL)
    if not is_null(given):
        said += len(memoryview(given))
    return said


def estimated_input(body: Body) -> int:
    """Our own count of a request's input tokens: a quarter of the bytes it says, and a lump sum for each medium."""
    blocks = [block for message in as_array(body.get("messages")) for block in _blocks(as_object(message))]
    said = text_bytes(body.get("system")) + said_bytes(blocks) + tool_bytes(body)
    return estimated_tokens(said) + sum(_MEDIA.get(as_text(block.get("type")) or "", 0) for block in blocks)


def _blocks(holder: Body) -> list[Body]:
    """The blocks of a message or of a tool's result, with those inside of them; a string is a block of text."""
    content = holder.get("content", NULL)
    if not is_array(content):
        return [{"text": content}]
    found: list[Body] = []
    for block in map(as_object, as_array(content)):
        found.append(block)
        if "content" in block:
            found += _blocks(block)
    return found

"""The usage object of the responses protocol, both ways, and our own count where an upstream gives none.

Source: the usage of the response object in the Responses reference, read 2026-11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.usage import Usage, estimated_tokens
from setpoint.protocols.counts import read_counts, read_total, write_cost
from setpoint.protocols.money import MEDIA_TOKENS, text_bytes, tool_bytes
from setpoint.wire.body import NULL, Body, as_array, as_object, as_text, is_null, is_string, join, raw

if TYPE_CHECKING:
    from decimal import Decimal

    from setpoint.canonical.parts import MediaKind
    from setpoint.protocols.answer import Bill

_MEDIA: dict[str, MediaKind] = {
    "input_image": "image",
    "input_file": "file",
    "input_audio": "audio",
    "input_video": "video",
}
"""Type of a content part to the medium that it is."""

# Where an item says something in words, or in parts that do.
_TEXTS = ("content", "summary", "name", "arguments", "input", "output")
_SAID_IN_PARTS = ("content", "output")


def read_usage(data: Raw) -> tuple[Usage, Decimal | None] | None:
    """The tokens that an upstream counted and the cost it names, None when it counted nothing that can be read."""
    return read_counts(data, "input_tokens", "output_tokens")


def read_response_usage(response: Body) -> tuple[Usage, Decimal | None] | None:
    """The same of a response that is complete: its searches are items of its output, which its usage does not count."""
    counted = read_usage(response.get("usage", NULL))
    searches = _searches(response.get("output", NULL))
    if counted is None or not searches:
        return counted
    usage, cost = counted
    return structs.replace(usage, searches=max(usage.searches, searches)), cost


def _searches(output: Raw) -> int:
    """How often the web was searched: "`search`: performs a web search query"; to open a page or to look for something
    in it are other actions (the reference of `web_search_call`, read 2026-11).
    """
    if not _SEARCH.search(memoryview(output)):  # an output may be large
        return 0
    items = [one for one in map(as_object, as_array(output)) if as_text(one.get("type")) == "web_search_call"]
    return sum(as_text(as_object(one.get("action")).get("type")) in (None, "search") for one in items)


# Inside of a text the quotes would be escaped.
_SEARCH = re.compile(rb'"web_search_call"')


def read_tier(body: Body) -> str | None:
    """The service tier that an answer says has served it; None when it says none."""
    return as_text(body.get("service_tier"))


def write_usage(upstream: Body, bill: Bill) -> Raw:
    """The usage object for the client: what the upstream said of it, with every count and the cost filled in."""
    usage = bill.usage
    body = dict(upstream)
    body["input_tokens"] = raw(usage.input_tokens)
    body["input_tokens_details"] = _details(
        body,
        "input_tokens_details",
        {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens},
    )
    body["output_tokens"] = raw(usage.output_tokens)
    body["output_tokens_details"] = _details(
        body, "output_tokens_details", {"reasoning_tokens": usage.reasoning_tokens}
    )
    body["total_tokens"] = raw(max(read_total(body), usage.total_tokens))
    body.pop("cost_details", None)
    body |= write_cost(bill, "input", "output")
    return Raw(join(body))


def _details(body: Body, name: str, counts: dict[str, int]) -> Raw:
    """The upstream's details with our reading of the counts that clients need, and without nulls."""
    said = {member: content for member, content in as_object(body.get(name)).items() if not is_null(content)}
    return Raw(join({**said, **{member: raw(count) for member, count in counts.items()}}))


def said_bytes(item: Body) -> int:
    """The UTF-8 bytes of what an item says: its texts, and what it calls with what."""
    said = sum(text_bytes(item.get(name)) for name in _TEXTS)
    said += sum(text_bytes(as_object(part).get("refusal")) for part in as_array(item.get("content")))
    return said + sum(len(memoryview(item[name])) for name in ("action", "operation") if name in item)


def estimated_input(body: Body) -> int:
    """Our own count of a request's input tokens."""
    conversation = body.get("input")
    said = text_bytes(body.get("instructions")) + tool_bytes(body)
    if conversation is not None and is_string(conversation):
        return estimated_tokens(said + text_bytes(conversation))
    media = 0
    for item in map(as_object, as_array(conversation)):
        said += said_bytes(item)
        for name in _SAID_IN_PARTS:
            for part in map(as_object, as_array(item.get(name))):
                kind = _MEDIA.get(as_text(part.get("type")) or "")
                media += MEDIA_TOKENS[kind] if kind is not None else 0
    return estimated_tokens(said) + media

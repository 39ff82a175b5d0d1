"""How much to set aside for a try before it is sent: all that it can cost where a provider keeps to what it is told."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from math import ceil
from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.protocols.attached import media_in
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import EXACT
from setpoint.wire.body import Body, MalformedError, as_array, value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.records import Dialect, Endpoint, Price

_LIMITS = ("max_completion_tokens", "max_tokens")
_CONVERSATIONS = ("messages", "input")
_OF_A_MESSAGE = 16
_MANY = 10**18  # more than anybody can pay for
_IMAGE = 1_600
# A page of a document for each so many of its bytes, a second of sound or film likewise, and what either counts.
_PAGE_BYTES, _PAGE = 2_000, 3_000
_SECOND_BYTES, _SECOND = 4_000, 100
# The bytes of a medium inside the body: a value of one of these names, never the inside of a text.
_INLINE = re.compile(
    rb'"(?:url|image_url|file_url|video_url|file_data|data)"\s*:\s*"(?:data:[^",]*,)?([A-Za-z0-9+/=]*)"'
)


class Bound(Struct, frozen=True):
    """The most tokens of a try: of what is sent, and of all answers to it together; None where nothing bounds them."""

    input_tokens: int
    output_tokens: int | None


def bound(sent: Body, data: bytes, endpoint: Endpoint, dialect: Dialect) -> Bound:
    """The bound of a body as it goes out (`data` are its bytes): a byte of text is a token at least."""
    messages = sum(len(as_array(sent.get(name))) for name in _CONVERSATIONS)
    tokens = _input_tokens(data) + _OF_A_MESSAGE * messages
    if endpoint.room is not None:
        tokens = min(tokens, endpoint.room)  # what is longer is refused
    asked, answers = output_asked(sent, dialect)
    most = min((limit for limit in (asked, endpoint.max_output_tokens) if limit is not None), default=None)
    return Bound(tokens, None if most is None else most * answers)


def output_asked(sent: Body, dialect: Dialect) -> tuple[int | None, int]:
    """The most tokens that a body asks for in each answer, None where it has no limit; and how many answers."""
    call = PROTOCOLS[dialect].read_call(sent)
    limits = (limit for name in _LIMITS if (limit := _whole(call.get(name))) is not None)
    most = max(limits, default=None)  # who knows which of two is heeded
    return (None if most is None else max(0, most)), max(1, _whole(call.get("n")) or 1)


def price_of(bound: Bound, endpoint: Endpoint, data: bytes) -> Decimal | None:
    """What so many tokens cost at most, in US dollars, at whichever tier serves them; None when that is not known."""
    prices = [endpoint.price, *endpoint.tier_prices.values()]
    if endpoint.price is None or bound.output_tokens is None:
        return None
    amounts = [_most(bound, price, data) for price in prices if price is not None]
    known = [amount for amount in amounts if amount is not None]
    return max(known) if len(known) == len(amounts) else None


def _input_tokens(data: bytes) -> int:
    media = media_in(data)
    if not media:
        return len(data)
    inline = sum(len(medium) for medium in _INLINE.findall(data))
    heavy = 0
    if "file" in media:
        heavy = -(-inline // _PAGE_BYTES) * _PAGE
    elif "audio" in media or "video" in media:
        heavy = -(-inline // _SECOND_BYTES) * _SECOND
    return len(data) - inline + len(media) * _IMAGE + heavy


def _whole(said: Raw | None) -> int | None:
    """A number of a body as a whole one, also one in a text, as some providers read it; None for anything else."""
    if said is None:
        return None
    try:
        told = value(said)
        return ceil(float(told) if isinstance(told, str) else told) if isinstance(told, int | float | str) else None
    except (MalformedError, OverflowError):  # more digits than any number has
        return _MANY
    except ValueError:
        return None


def _most(bound: Bound, price: Price, data: bytes) -> Decimal | None:
    steps = [price, *(long.price for long in price.long if bound.input_tokens > long.above_tokens)]
    with localcontext(EXACT):
        amounts = [_amount(bound, step, data) for step in steps]
    known = [amount for amount in amounts if amount is not None]
    return max(known) if len(known) == len(amounts) else None


def _amount(bound: Bound, price: Price, data: bytes) -> Decimal | None:
    if price.prompt is None or price.completion is None:
        return None
    dear = [price.prompt, price.input_cache_write]
    if b'"1h"' in data:
        dear.append(price.input_cache_write_1h)
    if b"audio" in data:
        dear.append(price.audio)
    spoken = _highest(price.completion, price.internal_reasoning)
    told = bound.input_tokens * _highest(*dear) + (bound.output_tokens or 0) * spoken
    pictures = media_in(data).count("image") * price.image if price.image else Decimal(0)
    return told + pictures + (price.request or Decimal(0))  # how often it will be searched nobody knows


def _highest(*rates: Decimal | None) -> Decimal:
    known: Iterable[Decimal] = (rate for rate in rates if rate is not None)
    return max(known, default=Decimal(0))

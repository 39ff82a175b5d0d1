"""How much to set aside for a try before it is sent: all that it can cost where a provider keeps to what it is told."""

from __future__ import annotations

import re
from decimal import Decimal
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.canonical.usage import estimated_tokens
from setpoint.gateway.meter import input_alone
from setpoint.protocols.attached import is_medium, media_in
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import EXACT
from setpoint.wire.body import Body, MalformedError, as_array, as_object, as_text, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.records import Dialect, Endpoint, Price

_LIMITS: Mapping[Dialect, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(field for field, word in room.FIELDS.items() if word in ("max_tokens", "max_completion_tokens"))
        for name, room in PROTOCOLS.items()
    }
)
"""The fields that limit the output, of each dialect."""

_ANSWERS: Mapping[Dialect, str | None] = MappingProxyType(
    {
        name: next((field for field, word in room.FIELDS.items() if word == "n"), None)
        for name, room in PROTOCOLS.items()
    }
)
"""The field that asks for several answers, of each dialect; None: it has none."""

_CONVERSATIONS = ("messages", "input")
_OF_A_MESSAGE = 16
_MANY = 10**18  # more than anybody can pay for
_IMAGE = 1_600
# A page of a document for each so many of its bytes, a second of sound or film likewise, and what either counts.
_PAGE_BYTES, _PAGE = 2_000, 3_000
_SECOND_BYTES, _SECOND = 4_000, 100
# The bytes of a medium inside of its part: a value of one of these names. Some write a slash with a backslash.
_INLINE = re.compile(
    rb'"(?:url|image_url|file_url|video_url|file_data|data)"\s*:\s*"(?:data:[^",]*,)?([A-Za-z0-9+/\\=]*)"'
)
_IN_PARTS = ("content", "output")


class Bound(Struct, frozen=True):
    """The most tokens of a try: of what is sent, and of all answers to it together; None where nothing bounds them.

    `likely_input` is what the input will rather come to, and `images` are the pictures in it.
    """

    input_tokens: int
    output_tokens: int | None
    likely_input: int = 0
    images: int = 0


def bound(sent: Body, data: bytes, endpoint: Endpoint, dialect: Dialect) -> Bound:
    """The bound of a body as it goes out (`data` are its bytes): a byte of text is a token at least."""
    messages = 0
    for name in _CONVERSATIONS:
        if name in sent:
            messages += len(as_array(sent[name]))
    media = media_in(data)
    text, attached = _weighed(sent, data, media) if media else (len(data), 0)
    tokens, likely = text + attached + _OF_A_MESSAGE * messages, estimated_tokens(text) + attached
    if (room := endpoint.room) is not None:
        tokens, likely = min(tokens, room), min(likely, room)  # what is longer is refused
    most, answers = output_asked(sent, dialect)
    if (longest := endpoint.max_output_tokens) is not None and (most is None or longest < most):
        most = longest
    return Bound(tokens, None if most is None else most * answers, likely, media.count("image") if media else 0)


def output_asked(sent: Body, dialect: Dialect) -> tuple[int | None, int]:
    """The most tokens that a body asks for in each answer, None where it has no limit; and how many answers."""
    most: int | None = None
    for name in _LIMITS[dialect]:
        if name in sent and (limit := _whole(sent[name])) is not None and (most is None or limit > most):
            most = limit  # who knows which of two is heeded
    several = _ANSWERS[dialect]
    answers = _whole(sent[several]) if several is not None and several in sent else None
    return (None if most is None else max(0, most)), max(1, answers or 1)


def price_of(bound: Bound, endpoint: Endpoint, data: bytes) -> Decimal | None:
    """What so many tokens cost at most, in US dollars, at whichever tier serves them; None when that is not known.

    A tier whose price is not known is charged at the endpoint's own, and so it is set aside.
    """
    price = endpoint.price
    if price is None or bound.output_tokens is None or (most := _most(bound, price, data)) is None:
        return None
    for other in endpoint.tier_prices.values():
        if other is not price and (amount := _most(bound, other, data)) is not None and amount > most:
            most = amount
    return most


class Quote(Struct, frozen=True):
    """What a try may need: its bound, what that costs `at_most`, and what its input will rather cost (`unseen`), in US
    dollars; None where that is not known.
    """

    bound: Bound
    at_most: Decimal | None
    unseen: Decimal | None


def quote(sent: Body, data: bytes, endpoint: Endpoint, dialect: Dialect) -> Quote:
    """What a body may need as it goes out; `data` are its bytes, all of which are looked at."""
    most = bound(sent, data, endpoint, dialect)
    return Quote(most, price_of(most, endpoint, data), input_alone(endpoint, most.likely_input, most.images))


def _weighed(sent: Body, data: bytes, media: list[str]) -> tuple[int, int]:
    """The bytes of a body that are no media, and the tokens of those that are."""
    items = (item for name in _CONVERSATIONS for item in as_array(sent.get(name)))
    inline = sum(map(_payload, (part for item in items for part in _media(item))))
    heavy = 0
    if "file" in media:
        heavy = -(-inline // _PAGE_BYTES) * _PAGE
    elif "audio" in media or "video" in media:
        heavy = -(-inline // _SECOND_BYTES) * _SECOND
    return len(data) - inline, len(media) * _IMAGE + heavy


def _media(holder: Raw) -> Iterator[Raw]:
    """The parts of a message, or of a tool's result inside of it, that are media."""
    told = as_object(holder)
    for name in _IN_PARTS:
        for part in as_array(told.get(name)):
            if is_medium(as_text(as_object(part).get("type")) or ""):
                yield part
            else:
                yield from _media(part)


def _payload(part: Raw) -> int:
    """The bytes of the medium that a part has inside; 0 for one that is elsewhere."""
    found = _INLINE.search(memoryview(part))
    return 0 if found is None else found.end(1) - found.start(1)


def _whole(said: Raw) -> int | None:
    """A number of a body as a whole one, also one in a text, as some providers read it; None for anything else."""
    try:
        told = value(said)
        return ceil(float(told) if isinstance(told, str) else told) if isinstance(told, int | float | str) else None
    except (MalformedError, OverflowError):  # more digits than any number has
        return _MANY
    except ValueError:
        return None


def _most(bound: Bound, price: Price, data: bytes) -> Decimal | None:
    """What it costs at most at this price, of whichever length the prompt turns out to be."""
    most = _amount(bound, price, data)
    for long in price.long:
        if bound.input_tokens > long.above_tokens and (amount := _amount(bound, long.price, data)) is not None:
            most = amount if most is None or amount > most else most
    return most


def _amount(bound: Bound, price: Price, data: bytes) -> Decimal | None:
    given, made = price.dearest_input, price.dearest_output
    if given is None or made is None:
        return None
    if price.input_cache_write_1h is not None and b'"1h"' in data:
        given = max(given, price.input_cache_write_1h)
    if (price.audio is not None or price.audio_output is not None) and b"audio" in data:
        given, made = max(given, price.audio or given), max(made, price.audio_output or made)
    most = EXACT.fma(bound.input_tokens, given, EXACT.multiply(bound.output_tokens or 0, made))
    if price.image:
        most = EXACT.fma(bound.images, price.image, most)
    return most if price.request is None else EXACT.add(most, price.request)  # how often it searches nobody knows

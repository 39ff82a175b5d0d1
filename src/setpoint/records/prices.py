"""What models cost, exactly."""

from __future__ import annotations

from decimal import Context, Decimal
from functools import cached_property

from msgspec import Struct

EXACT = Context(prec=100)
"""More digits than any price times any count has, or any sum of such, so that money is never rounded."""


class Price(Struct, frozen=True, kw_only=True, dict=True):
    """US dollars per single token (`request`, `image`, `web_search`: per piece). An absent rate is unknown, never 0.

    `long` are other prices for longer prompts, the shortest first.
    """

    prompt: Decimal | None = None
    completion: Decimal | None = None
    request: Decimal | None = None
    image: Decimal | None = None
    web_search: Decimal | None = None
    internal_reasoning: Decimal | None = None
    input_cache_read: Decimal | None = None
    input_cache_write: Decimal | None = None
    input_cache_write_1h: Decimal | None = None
    audio: Decimal | None = None
    audio_output: Decimal | None = None
    input_audio_cache: Decimal | None = None
    long: tuple[LongPrice, ...] = ()

    @cached_property
    def per_token(self) -> float | None:
        """US dollars for a token of input and one of output together; None when either rate is unknown."""
        if self.prompt is None or self.completion is None:
            return None
        return float(self.prompt + self.completion)

    @cached_property
    def dearest_input(self) -> Decimal | None:
        """The most that a token of text costs that is sent: it may be written to a cache. None when it is not known."""
        return None if self.prompt is None else max(self.prompt, self.input_cache_write or self.prompt)

    @cached_property
    def dearest_output(self) -> Decimal | None:
        """The most that a token of text costs that is generated: it may be reasoning. None when it is not known."""
        return None if self.completion is None else max(self.completion, self.internal_reasoning or self.completion)


RATES = tuple(name for name in Price.__struct_fields__ if name != "long")
"""The names of the rates of a price."""


class LongPrice(Struct, frozen=True, kw_only=True):
    """The price of a request whose prompt has more than so many tokens, cached ones included: of all its tokens."""

    above_tokens: int
    price: Price


class Cost(Struct, frozen=True, kw_only=True):
    """What one answer cost, in US dollars, exactly."""

    prompt: Decimal
    completion: Decimal
    total: Decimal

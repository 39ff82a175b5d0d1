"""The `provider` object of a request: which endpoints its caller wants, and in which order."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from setpoint.records import Sort
from setpoint.wire.body import Body, as_object, as_pointer, as_text, is_null, is_object, items, value
from setpoint.wire.shown import brief, first_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.routing.standing import Percentiles

_COVERED = {"fp4": ("mxfp4", "nvfp4"), "fp8": ("mxfp8",)}
"""A quantization that stands for others too."""


class Preferences(Struct, frozen=True, dict=True):
    """What the caller wants of providers; None where the caller did not say.

    Slugs and display names are as the caller wrote them. `max_price` is in US dollars: `prompt` and `completion` for a
    million tokens, the others for a piece. `least_throughput` is in tokens per second, `most_latency_s` in seconds;
    a percentile of which nothing was said is None in it. `mixed`: the endpoints of all models are put in one order.
    """

    order: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool = False
    data_collection_denied: bool = False
    zdr: bool = False
    distillable: bool = False
    quantizations: frozenset[str] | None = None
    sort: Sort | None = None
    mixed: bool = False
    max_price: tuple[tuple[str, Decimal], ...] = ()
    least_throughput: Cutoffs | None = None
    most_latency_s: Cutoffs | None = None
    not_honoured: tuple[str, ...] = ()

    @cached_property
    def order_words(self) -> tuple[str, ...]:
        """The entries of `order` in lower case."""
        return tuple(map(str.lower, self.order or ()))

    @cached_property
    def only_words(self) -> frozenset[str]:
        """The entries of `only` in lower case."""
        return frozenset(map(str.lower, self.only or ()))

    @cached_property
    def ignore_words(self) -> frozenset[str]:
        """The entries of `ignore` in lower case."""
        return frozenset(map(str.lower, self.ignore or ()))

    @cached_property
    def named(self) -> frozenset[str]:
        """What is asked for by name, in lower case."""
        return self.only_words.union(self.order_words)


class Cutoffs(Struct, frozen=True):
    """What the percentiles of a distribution should keep to; None where nothing is asked of one."""

    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p99: float | None = None

    def pairs(self, known: Percentiles) -> Iterable[tuple[float, float]]:
        """What is asked and what is so, of each percentile of which something is asked."""
        for name in self.__struct_fields__:
            asked: float | None = getattr(self, name)
            if asked is not None:
                yield asked, getattr(known, name)


NO_PREFERENCES = Preferences()
"""Those of a request that says nothing: this very value."""

# Options are handed on, or named, where the body for the endpoint is made.
_HONOURED = frozenset(
    {
        *("order", "only", "ignore", "allow_fallbacks", "require_parameters", "options", "data_collection", "zdr"),
        *("enforce_distillable_text", "quantizations", "sort", "max_price"),
        *("preferred_min_throughput", "preferred_max_latency"),
    }
)
_PERCENTILES = frozenset(Cutoffs.__struct_fields__)
_INNER = {
    "sort": frozenset({"by", "partition"}),
    "max_price": frozenset({"prompt", "completion", "request", "image", "audio"}),
    "preferred_min_throughput": _PERCENTILES,
    "preferred_max_latency": _PERCENTILES,
}
"""What the members that are objects may have in them."""
_TRUE, _DENY = Raw(b"true"), Raw(b'"deny"')
_MIXED = Raw(b'"sort"')


def read_preferences(body: Body) -> Preferences:
    """The preferences in a checked body. Members that nobody knows are named as JSON pointers."""
    provider, route = body.get("provider"), body.get("route")
    if provider is None:
        return NO_PREFERENCES if route is None else Preferences(mixed=route == _MIXED)
    asked = {name: content for name, content in as_object(provider).items() if not is_null(content)}
    by, partition = _sort(asked.get("sort"))
    return Preferences(
        order=_slugs(asked.get("order")),
        only=_slugs(asked.get("only")),
        ignore=_slugs(asked.get("ignore")),
        allow_fallbacks=asked["allow_fallbacks"] == _TRUE if "allow_fallbacks" in asked else None,
        require_parameters=asked.get("require_parameters") == _TRUE,
        data_collection_denied=asked.get("data_collection") == _DENY,
        zdr=asked.get("zdr") == _TRUE,
        distillable=asked.get("enforce_distillable_text") == _TRUE,
        quantizations=_quantizations(asked.get("quantizations")),
        sort=by,
        mixed=partition == "none" if partition else route == _MIXED,
        max_price=_prices(asked.get("max_price")),
        least_throughput=_cutoffs(asked.get("preferred_min_throughput")),
        most_latency_s=_cutoffs(asked.get("preferred_max_latency")),
        not_honoured=tuple(first_of(list(_not_honoured(asked)))),
    )


def _not_honoured(asked: Body) -> Iterable[str]:
    for name, content in asked.items():
        if name not in _HONOURED:
            yield as_pointer("provider", brief(name))
        elif name in _INNER and is_object(content):
            yield from (
                as_pointer("provider", name, brief(inner)) for inner in as_object(content) if inner not in _INNER[name]
            )


def _slugs(listed: Raw | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(as_text(entry) or "" for entry in items(listed))


def _quantizations(listed: Raw | None) -> frozenset[str] | None:
    if listed is None:
        return None
    said = [as_text(entry) or "" for entry in items(listed)]
    return frozenset(said).union(*(_COVERED.get(word, ()) for word in said))


def _sort(said: Raw | None) -> tuple[Sort | None, str | None]:
    """What to sort by, and how far."""
    if said is None:
        return None, None
    told = as_object(said) if is_object(said) else {"by": said}
    by = told.get("by")
    return None if by is None else msgspec.convert(value(by), Sort | None), as_text(told.get("partition"))


def _prices(said: Raw | None) -> tuple[tuple[str, Decimal], ...]:
    # The text of a number, quoted or not: a float would not keep its digits.
    return tuple(
        (name, Decimal(as_text(most) or bytes(most).decode()))
        for name, most in as_object(said).items()
        if name in _INNER["max_price"] and not is_null(most)
    )


def _cutoffs(said: Raw | None) -> Cutoffs | None:
    if said is None:
        return None
    if not is_object(said):
        return Cutoffs(p50=value(said))
    told = {name: value(least) for name, least in as_object(said).items() if name in _PERCENTILES}
    return Cutoffs(**told)

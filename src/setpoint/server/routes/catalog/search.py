"""The filters and orders of the model list: a query read once, and asked of each model."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from setpoint.errors import FieldError
from setpoint.server.operation import Query
from setpoint.server.routes.catalog.performance import NOTHING_KNOWN
from setpoint.server.routes.catalog.shapes import parameters_of, price_of, usable
from setpoint.server.routes.paging import OFFSET, Flag, flag, integer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from setpoint.records import Model
    from setpoint.server.routes.catalog.performance import Performance, Performances

_MILLION = 1_000_000
_NUMBER = re.compile(r"([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][-+]?[0-9]{1,2})?")
_Bounds = tuple[Decimal, Decimal]
_DAY_S = 86_400
_Amount = Annotated[str, Meta(pattern=f"^{_NUMBER.pattern}$")]

PAGING = (
    OFFSET,
    Query("limit", Annotated[int, Meta(ge=1, le=1_000)], "How many a page has at most; all of them unless said."),
    Query("after_id", str, "The id of the last model of the page before; an offset comes before it."),
    Query("before_id", str, "The id of the first model of the page behind; an offset comes before it."),
)
"""The parameters that say which page of a list is asked for."""

FILTERS = (
    Query("q", str, "Words that stand in the id or the name."),
    Query("supported_parameters", str, "Parameters that the model takes, with commas between them."),
    Query("input_modalities", str, "Kinds of input that the model takes, with commas between them."),
    Query("output_modalities", str, "Kinds of output, one of which the model gives; `text` unless said, or `all`."),
    Query("providers", str, "Providers, one of which offers the model, with commas between them."),
    Query("model_authors", str, "What stands before the slash in the model's id, with commas between them."),
    Query("arch", str, "The family of the model's tokenizer."),
    Query("region", str, "Where an endpoint of the model is."),
    Query("context", Annotated[int, Meta(ge=0)], "The least context length, in tokens."),
    Query("min_price", _Amount, "The lowest price of the prompt, in US dollars per million tokens."),
    Query("max_price", _Amount, "The highest price of the prompt, in US dollars per million tokens."),
    Query("min_output_price", _Amount, "The lowest price of the completion, in US dollars per million tokens."),
    Query("max_output_price", _Amount, "The highest price of the completion, in US dollars per million tokens."),
    Query("min_age_days", _Amount, "The least age, in days."),
    Query("max_age_days", _Amount, "The greatest age, in days."),
    Query("distillable", Flag, "Whether the model's answers may be learned from."),
    Query("zdr", Flag, "`true`: only models with an endpoint that retains nothing."),
    Query("sort", str, "The order: `newest`, `pricing-low-to-high`, `context-high-to-low` and others."),
)
"""The parameters that `read_search` reads."""


class Search(Struct, frozen=True, kw_only=True):
    """What a caller looks for; None where the query does not say. Prices are US dollars per million tokens.

    Words are lower case. A model about which the answer is not known is not found by a filter that asks for it.
    """

    words: str | None
    parameters: frozenset[str]
    inputs: frozenset[str]
    outputs: frozenset[str] | None
    providers: frozenset[str] | None
    authors: frozenset[str] | None
    family: str | None
    region: str | None
    least_context: int | None
    prompt_price: _Bounds | None
    completion_price: _Bounds | None
    age_days: _Bounds | None
    distillable: bool | None
    zdr: bool
    sort: str | None

    def finds(self, model: Model, now_s: float) -> bool:
        """Whether the model is one of those that are looked for."""
        price, endpoints = price_of(model), usable(model)
        age_days = (now_s - model.created) / _DAY_S if model.created else None
        return (
            (self.words is None or self.words in model.id.lower() or self.words in model.name.lower())
            and self.parameters <= frozenset(parameters_of(endpoints) if self.parameters else ())
            and self.inputs <= frozenset(model.input_modalities)
            and (self.outputs is None or not self.outputs.isdisjoint(model.output_modalities))
            and (
                self.providers is None
                or any({one.provider.slug, one.provider.name.lower()} & self.providers for one in endpoints)
            )
            and (self.authors is None or model.id.partition("/")[0].lower() in self.authors)
            and (self.family is None or self.family == (model.tokenizer or "").lower())
            and (self.region is None or any((one.region or "").lower() == self.region for one in endpoints))
            and (self.least_context is None or (model.context_length or 0) >= self.least_context)
            and _within(self.prompt_price, price and price.prompt, _MILLION)
            and _within(self.completion_price, price and price.completion, _MILLION)
            and _within(self.age_days, age_days)
            and (self.distillable is None or model.distillable is self.distillable)
            and (not self.zdr or any(one.zdr for one in endpoints))
        )

    @property
    def asks_performance(self) -> bool:
        """Whether the order goes by how endpoints have done."""
        return _ORDERS.get(self.sort or "") in (_latency, _throughput)

    def ordered(self, models: Iterable[Model], performances: Performances) -> list[Model]:
        """The models in the order that is asked for; those that lack what it goes by come last, in the file's order."""
        found = list(models)
        key = _ORDERS.get(self.sort or "")
        return found if key is None else sorted(found, key=lambda model: key(model, performances))


def read_search(query: Mapping[str, str]) -> Search:
    """What a query looks for. Raises: `FieldError` naming the parameter that is wrong."""
    outputs = _words(query, "output_modalities", default="text")
    return Search(
        words=query.get("q", "").strip().lower() or None,
        parameters=_words(query, "supported_parameters") or frozenset(),
        inputs=_words(query, "input_modalities") or frozenset(),
        outputs=None if outputs is None or "all" in outputs else outputs,
        providers=_words(query, "providers"),
        authors=_words(query, "model_authors"),
        family=query.get("arch", "").lower() or None,
        region=query.get("region", "").lower() or None,
        least_context=integer(query, "context", default=0) or None,
        prompt_price=_range(query, "min_price", "max_price"),
        completion_price=_range(query, "min_output_price", "max_output_price"),
        age_days=_range(query, "min_age_days", "max_age_days"),
        distillable=flag(query, "distillable", default=False) if "distillable" in query else None,
        zdr=flag(query, "zdr", default=False),
        sort=query.get("sort"),
    )


def _words(query: Mapping[str, str], name: str, *, default: str = "") -> frozenset[str] | None:
    """The words of a list with commas; None when there are none."""
    listed = query.get(name, default).split(",")
    return frozenset(word.strip().lower() for word in listed if word.strip()) or None


def _range(query: Mapping[str, str], least: str, most: str) -> _Bounds | None:
    if least not in query and most not in query:
        return None
    return _number(query, least, Decimal(0)), _number(query, most, Decimal("Infinity"))


def _number(query: Mapping[str, str], name: str, default: Decimal) -> Decimal:
    text = query.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise FieldError(name, "must be a number of at least 0")
    return Decimal(text)


def _within(bounds: _Bounds | None, value: Decimal | float | None, times: int = 1) -> bool:
    # Decimals, as prices are: 0.000002998 times a million is 2.998 and no less.
    return bounds is None or (value is not None and bounds[0] <= value * times <= bounds[1])


# --- orders: a key each, smaller ones first -------------------------------------------------------------------


def _price(model: Model, _performances: Performances) -> float:
    price = price_of(model)
    return math.inf if price is None else float((price.prompt or 0) + (price.completion or 0))


def _dearest(model: Model, performances: Performances) -> float:
    cost = _price(model, performances)
    return cost if cost == math.inf else -cost


def _latency(model: Model, performances: Performances) -> float:
    known = [_of(performances, one.key).latency_ms for one in usable(model)]
    return min((one.p50 for one in known if one is not None), default=math.inf)


def _throughput(model: Model, performances: Performances) -> float:
    known = [_of(performances, one.key).throughput for one in usable(model)]
    return min((-one.p50 for one in known if one is not None), default=math.inf)


def _of(performances: Performances, key: str) -> Performance:
    return performances.get(key, NOTHING_KNOWN)


_ORDERS: dict[str, Callable[[Model, Performances], float]] = {
    "newest": lambda model, _: -model.created,
    "pricing-low-to-high": _price,
    "pricing-high-to-low": _dearest,
    "context-high-to-low": lambda model, _: -(model.context_length or 0),
    "throughput-high-to-low": _throughput,
    "latency-low-to-high": _latency,
}
"""Others, which go by what only a public market knows, leave the list as it is."""

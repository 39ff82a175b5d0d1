"""What is bundled with the release about the models of known providers: prices and context lengths.

`models.json` is written by `make prices` from a maintained price library; its head says which, and when. It is read
when the first model is looked up. What the user's own file says is not asked here: it wins.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field, structs

from setpoint.records import EndpointFacts, LongPrice, Price

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_name("models.json")
LICENSE = Path(__file__).with_name("models.LICENSE")
"""The license under which the data came."""

_AUTHORS = {"mistralai": "mistral", "x-ai": "xai"}
"""Authors in model ids whose provider has another slug."""

_REMEMBERED = 4_096
# Other gateways write the day of a model without dashes: gpt-5.2-20251211 for gpt-5.2-2025-12-11.
_COMPACT_DAY = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class Source(Struct, frozen=True):
    """Where the data came from, and on which day it was written."""

    name: str
    version: str
    url: str
    license: str
    date: date


class _Long(Struct, frozen=True):
    above: int
    rates: dict[str, Decimal]


class _Tier(Struct, frozen=True):
    rates: dict[str, Decimal]
    long: tuple[_Long, ...] = ()


class _Step(_Tier, frozen=True):
    """The standard price from a day on, and those of the service tiers beside it."""

    tiers: dict[str, _Tier] = {}
    begins: date | None = field(default=None, name="from")


class _Model(Struct, frozen=True):
    """`match` is a list of which one must hold; a list in it, of which all must. The first character says how."""

    match: tuple[str | tuple[str, ...], ...]
    context: int | None = None
    prices: tuple[_Step, ...] = ()


class _Provider(Struct, frozen=True):
    """`also` are the providers whose models it sells, too."""

    also: tuple[str, ...]
    models: tuple[_Model, ...]


class _Document(Struct, frozen=True):
    source: Source
    providers: dict[str, _Provider]


class Facts:
    """The bundled facts as they are on a day: an announced price counts from the day it begins.

    Remembers what was looked up; safe to use from any thread.
    """

    def __init__(self, day: date, file: Path = FILE) -> None:
        self._day = day
        self._read = lru_cache(1)(lambda: msgspec.json.decode(file.read_bytes(), type=_Document))
        self._indexed = lru_cache(None)(self._index)
        self._found = lru_cache(_REMEMBERED)(self._find)

    @property
    def source(self) -> Source:
        """Where they came from."""
        return self._read().source

    def endpoint(self, slug: str, model: str) -> EndpointFacts | None:
        """What is known of a model at a known provider, by the name sent upstream; None when nothing is."""
        return self._found(slug, model)

    def context_length(self, model_id: str) -> int | None:
        """The context length, in tokens, of a model by the id that clients write: at its author's."""
        author, _, name = model_id.partition("/")
        found = self._found(_AUTHORS.get(author, author), name)
        return found.context_length if found is not None else None

    def began_since(self, last: date) -> bool:
        """Whether a price has begun behind that day, up to the one that these are of."""
        rooms = self._read().providers.values()
        begins = (
            step.begins for room in rooms for row in room.models for step in row.prices if step.begins is not None
        )
        return any(last < day <= self._day for day in begins)

    def _find(self, slug: str, model: str) -> EndpointFacts | None:
        name = model.lower()
        found = self._row(slug, name)
        if found is None and (dashed := _COMPACT_DAY.sub(r"-\1-\2-\3", name)) != name:
            found = self._row(slug, dashed)
        if found is None:
            return None
        seller, row = found
        begun = [step for step in row.prices if step.begins is None or step.begins <= self._day]
        if not begun:
            return EndpointFacts(context_length=row.context)
        now = begun[-1]
        # Who sells another's model has its price, and tiers of its own.
        tiers = {tier: _price(one) for tier, one in now.tiers.items()} if seller == slug else {}
        return EndpointFacts(tier_prices={"default": _price(now), **tiers}, context_length=row.context)

    def _row(self, slug: str, name: str) -> tuple[str, _Model] | None:
        """The first row that matches, and whose it is: the provider's, or that of one whose models it sells."""
        room = self._read().providers.get(slug)
        if room is None:
            return None
        found = ((other, self._indexed(other).first(name)) for other in (slug, *room.also))
        return next(((other, row) for other, row in found if row is not None), None)

    def _index(self, slug: str) -> _Index:
        return _Index(self._read().providers[slug].models)


class _Index:
    """The rows of one provider, of which the first that matches a name counts."""

    def __init__(self, rows: tuple[_Model, ...]) -> None:
        self._rows = rows
        self._whole: dict[str, int] = {}
        self._others: list[tuple[int, str | tuple[str, ...]]] = []
        for at, row in enumerate(rows):
            for clause in row.match:
                if isinstance(clause, str) and clause[0] == "=":
                    self._whole.setdefault(clause[1:], at)
                else:
                    self._others.append((at, clause))

    def first(self, name: str) -> _Model | None:
        """The row of this name; None when there is none."""
        best = self._whole.get(name, len(self._rows))
        for at, clause in self._others:
            if at >= best:
                break
            if _holds(clause, name):
                best = at
        return self._rows[best] if best < len(self._rows) else None


def _holds(clause: str | tuple[str, ...], name: str) -> bool:
    if isinstance(clause, tuple):
        return all(_holds(one, name) for one in clause)
    sign, text = clause[0], clause[1:]
    match sign:
        case "^":
            return name.startswith(text)
        case "$":
            return name.endswith(text)
        case "*":
            return text in name
        case _:
            return re.search(text, name) is not None


def _price(step: _Tier) -> Price:
    long = tuple(LongPrice(above_tokens=one.above, price=_rated(one.rates)) for one in step.long)
    return structs.replace(_rated(step.rates), long=long)


def _rated(said: Mapping[str, Decimal]) -> Price:
    # In these data, what has no price of its own costs what it is a part of.
    write = said.get("input_cache_write", said["prompt"])
    cached = {"input_cache_read": said["prompt"], "input_cache_write": write, "input_cache_write_1h": write}
    return structs.replace(Price(), **{**cached, **said})

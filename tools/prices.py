"""Write the bundled prices anew: `make prices`, before a release, with the newest `genai-prices` in the lock.

That library is maintained by hand from the providers' price pages. What the gateway needs of it becomes one file beside
`providers/facts.py`, which is read at run time; the library is not. What our records have no word for is left out, and
then the price is unknown rather than wrong: prices by the time of day, and models that count tokens of images or video
apart.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from genai_prices import types as library

from setpoint.providers.facts import FILE, LICENSE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

_DISTRIBUTION = "genai-prices"
_URL = "https://github.com/pydantic/genai-prices"

SLUGS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "mistral": "mistral",
    "groq": "groq",
    "deepseek": "deepseek",
    "together": "together",
    "fireworks": "fireworks",
    "x-ai": "xai",
    "azure": "azure",
}
"""The library's providers that we know, and our slugs for them.

OpenRouter is not among them: each of its answers says what it cost, which no list could know better.
"""

# By its name, because a type checker takes minutes to read a module that is one literal of a megabyte.
PROVIDERS = cast("list[library.Provider]", import_module("genai_prices.data").providers)
"""The library's data."""

# Our rate, and by how much the library's number is divided. Its unit `mtok` is a million tokens, `kcount` a thousand.
_RATES = {
    "input_mtok": ("prompt", 1_000_000),
    "output_mtok": ("completion", 1_000_000),
    "cache_read_mtok": ("input_cache_read", 1_000_000),
    "cache_write_mtok": ("input_cache_write", 1_000_000),
    "cache_write_1h_mtok": ("input_cache_write_1h", 1_000_000),
    "input_audio_mtok": ("audio", 1_000_000),
    "output_audio_mtok": ("audio_output", 1_000_000),
    "cache_audio_read_mtok": ("input_audio_cache", 1_000_000),
    "output_reasoning_mtok": ("internal_reasoning", 1_000_000),
    "requests_kcount": ("request", 1_000),
    "web_searches_kcount": ("web_search", 1_000),
}
# What may be left out of a price that is otherwise known: services of the provider that the gateway never asks for.
_NOT_NEEDED = {"storage_searches_kcount"}


# Our tiers, and how the library has them asked for. What a batch costs is of no use here: the gateway sends none.
_TIERS = {
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"speed": "fast"},
}


def main() -> int:
    """Write the file, and its source's license beside it. Returns the exit code."""
    today = datetime.now(UTC).date()
    found = distribution(_DISTRIBUTION)
    source = {
        "name": _DISTRIBUTION,
        "version": found.version,
        "url": _URL,
        "license": found.metadata["License-Expression"],
        "date": today.isoformat(),
    }
    FILE.write_text(_document(source, today), "utf-8")
    LICENSE.write_text(_license(), "utf-8")
    sys.stdout.write(f"{FILE.name}: {FILE.stat().st_size} bytes of {_DISTRIBUTION} {found.version}\n")
    return 0


def _license() -> str:
    [path] = [one for one in distribution(_DISTRIBUTION).files or () if one.name == "LICENSE"]
    return Path(str(path.locate())).read_text("utf-8")


def _document(source: dict[str, str], today: date) -> str:
    """The file: one line for each model, so that a change of prices can be read."""
    known = {one.id: one for one in PROVIDERS if one.id in SLUGS}
    parts = [f'"source":{_json(source)}']
    rooms: list[str] = []
    for name, slug in SLUGS.items():
        also = [SLUGS[one] for one in known[name].fallback_model_providers or () if one in SLUGS]
        models = ",\n".join(_json(_model(model, today)) for model in known[name].models)
        rooms.append(f'"{slug}":{{"also":{_json(also)},"models":[\n{models}\n]}}')
    parts.append('"providers":{\n' + ",\n".join(rooms) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


def _model(model: library.ModelInfo, today: date) -> dict[str, Any]:
    """A model's row. One that is gone, or has no price in our words, stays for what its name matches."""
    row: dict[str, Any] = {"match": list(_alternatives(model.match))}
    if model.deprecated:
        return row
    if model.context_window:
        row["context"] = model.context_window
    if prices := _prices(model, today):
        row["prices"] = prices
    return row


def _alternatives(clause: object) -> Iterator[str | list[str]]:
    """A clause as a list of which one must hold; in it a list of which all must."""
    match clause:
        case library.ClauseOr(or_=several):
            for one in several:
                yield from _alternatives(one)
        case library.ClauseAnd(and_=several):
            yield [_simple(one) for one in several]
        case _:
            yield _simple(clause)


def _simple(clause: object) -> str:
    """A clause as a sign and a text."""
    match clause:
        case library.ClauseEquals(equals=text):
            return f"={text.lower()}"
        case library.ClauseStartsWith(starts_with=text):
            return f"^{text.lower()}"
        case library.ClauseEndsWith(ends_with=text):
            return f"${text.lower()}"
        case library.ClauseContains(contains=text):
            return f"*{text.lower()}"
        case library.ClauseRegex(regex=text):
            return f"~{text}"
        case _:
            raise TypeError(f"a clause of a kind that is not known: {clause!r}")


def _prices(model: library.ModelInfo, today: date) -> list[dict[str, Any]]:
    """The prices now, and each change that is announced, with its day; nothing when one of them cannot be said."""
    if not model.prices:
        return []
    standard = model.prices if isinstance(model.prices, list) else []
    constraints = [one.constraint for one in (*standard, *(model.price_variants or ()))]
    if any(isinstance(one, library.TimeOfDateConstraint) for one in constraints):
        return []
    announced = {one.start_date for one in constraints if isinstance(one, library.StartDateConstraint)}
    rows: list[dict[str, Any]] = []
    last: dict[str, Any] | None = None
    for day in (today, *sorted(start for start in announced if start > today)):
        row = _price(model.get_prices(_noon(day)))
        if row is None:
            return []
        if tiers := dict(_tiers(model, day)):
            row["tiers"] = tiers
        if row != last:
            rows.append({"from": day.isoformat(), **row} if rows else row)
            last = row
    return rows


def _tiers(model: library.ModelInfo, day: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """The price at each service tier that has one of its own on this day, and that can be said."""
    for tier, asked in _TIERS.items():
        variants = [one for one in model.price_variants or () if one.when == asked]
        if any(one.constraint is None or one.constraint.active(_noon(day)) for one in variants):
            row = _price(model.get_prices(_noon(day), asked))
            if row is not None:
                yield tier, row


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def _price(price: library.ModelPrice) -> dict[str, Any] | None:
    """One price in our rates, with those for longer prompts; None when it cannot be said."""
    said = {name: rate for name, rate in vars(price).items() if rate is not None and not name.startswith("_")}
    if not {"input_mtok", "output_mtok"} <= said.keys() or said.keys() - _RATES.keys() - _NOT_NEEDED:
        return None
    tiers = [tier.start for rate in said.values() if isinstance(rate, library.TieredPrices) for tier in rate.tiers]
    row: dict[str, Any] = {"rates": _rates(said, 0)}
    if tiers:
        row["long"] = [{"above": start, "rates": _rates(said, start + 1)} for start in sorted(set(tiers))]
    return row


def _rates(said: dict[str, Decimal | library.TieredPrices], tokens: int) -> dict[str, str]:
    """Our rates for a prompt of so many tokens, in US dollars for each."""
    return {
        ours: format((_rate(said[name], tokens) / per).normalize(), "f")
        for name, (ours, per) in _RATES.items()
        if name in said
    }


def _rate(rate: Decimal | library.TieredPrices, tokens: int) -> Decimal:
    if isinstance(rate, Decimal):
        return rate
    return next((tier.price for tier in reversed(rate.tiers) if tokens > tier.start), rate.base)


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    sys.exit(main())

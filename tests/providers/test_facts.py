"""The bundled facts against the library that they were written from: the same model for a name, the same cost."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from genai_prices import types as library
from hypothesis import given
from hypothesis import strategies as st

from setpoint.canonical.usage import Usage
from setpoint.gateway.meter import cost
from setpoint.providers.facts import LICENSE, Facts
from setpoint.providers.known import known
from tools.prices import PROVIDERS, SLUGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.records import EndpointFacts

WRITTEN = Facts(date(1970, 1, 1)).source.date
FACTS = Facts(WRITTEN)
THEIRS = {one.id: one for one in PROVIDERS}
TIERS = {"flex": {"service_tier": "flex"}, "priority": {"service_tier": "priority"}, "fast": {"speed": "fast"}}
TEXT = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok"}


def texts(clause: object) -> Iterator[str]:
    """Names that a clause is about, matching or nearly so."""
    match clause:
        case library.ClauseOr(or_=several) | library.ClauseAnd(and_=several):
            for one in several:
                yield from texts(one)
        case library.ClauseStartsWith(starts_with=text) | library.ClauseContains(contains=text):
            yield from (text, f"{text}-2026-01-31", f"{text}-20260131", f"{text}-preview-tts", f"eu.{text}:0")
        case library.ClauseEquals(equals=text) | library.ClauseEndsWith(ends_with=text):
            yield from (text, text.upper(), f"{text}-20260131", f"x/{text}")
        case library.ClauseRegex(regex=text):
            plain = text.strip("^$").replace("\\.", ".").replace("[-@]", "-")
            yield plain.replace("\\d{8}", "20260131").replace("\\d{4}-\\d{2}-\\d{2}", "2026-01-31").replace("\\d", "7")
        case _:
            raise TypeError(clause)


NAMES = [
    (provider_id, name)
    for provider_id in SLUGS
    for model in THEIRS[provider_id].models
    for name in dict.fromkeys([model.id, *texts(model.match)])
]


def sells(provider_id: str) -> list[library.Provider]:
    """The providers whose models it sells, of those that are bundled."""
    return [THEIRS[one] for one in THEIRS[provider_id].fallback_model_providers or () if one in SLUGS]


def found(provider_id: str, name: str, facts: Facts = FACTS) -> tuple[EndpointFacts | None, library.ModelInfo | None]:
    """What we and what the library know of a name."""
    return facts.endpoint(SLUGS[provider_id], name), THEIRS[provider_id].find_model(
        name, all_providers=sells(provider_id)
    )


def their_cost(price: library.ModelPrice, usage: Usage) -> Decimal:
    tokens = library.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
    )
    return price.calc_price(tokens)["total_price"]


@given(
    named=st.sampled_from(NAMES),
    plain=st.integers(0, 400_000),
    read=st.integers(0, 200_000),
    write=st.integers(0, 200_000),
    hour=st.integers(0, 200_000),
    output=st.integers(0, 200_000),
)
def test_a_cost_by_these_facts_is_the_cost_by_the_library(
    named: tuple[str, str], plain: int, read: int, write: int, hour: int, output: int
) -> None:
    ours, theirs = found(*named)
    if ours is None or ours.price is None or theirs is None:
        return
    usage = Usage(
        input_tokens=plain + read + write + hour,
        output_tokens=output,
        cached_tokens=read,
        cache_write_tokens=write + hour,
        cache_write_1h_tokens=hour,
    )
    price = theirs.get_prices(datetime.combine(WRITTEN, datetime.min.time(), UTC))
    made = cost(usage, ours.price)
    assert made is not None
    assert made.total == their_cost(price, usage)


@pytest.mark.parametrize("provider_id", SLUGS)
def test_a_name_means_the_same_model_as_in_the_library(provider_id: str) -> None:
    usage = Usage(input_tokens=1_000_003, output_tokens=7_000_001)
    priced = 0
    for name in [name for owner, name in NAMES if owner == provider_id]:
        ours, theirs = found(provider_id, name)
        assert (ours is None) == (theirs is None), name
        if ours is None or theirs is None:
            continue
        assert ours.context_length == (None if theirs.deprecated else theirs.context_window), name
        if ours.price is not None:
            priced += 1
            price = theirs.get_prices(datetime.combine(WRITTEN, datetime.min.time(), UTC))
            made = cost(usage, ours.price)
            assert made is not None
            assert made.total == their_cost(price, usage), name
    assert priced


@pytest.mark.parametrize(("tier", "asked"), TIERS.items())
def test_a_tier_costs_what_the_library_has_for_it_and_is_unknown_where_it_has_nothing(
    tier: str, asked: dict[str, str]
) -> None:
    usage = Usage(input_tokens=500_003, output_tokens=7_000_001, cached_tokens=1_001)
    noon = datetime.combine(WRITTEN, datetime.min.time(), UTC)
    priced = 0
    for provider_id, name in NAMES:
        ours, theirs = found(provider_id, name)
        if ours is None or theirs is None or ours.price is None:
            continue
        variants = [one for one in theirs.price_variants or () if one.when == asked]
        sold = any(one.constraint is None or one.constraint.active(noon) for one in variants)
        own = any(theirs is one for one in THEIRS[provider_id].models)
        assert (tier in ours.tier_prices) == (sold and own), name
        if tier in ours.tier_prices:
            priced += 1
            made = cost(usage, ours.tier_prices[tier])
            assert made is not None
            assert made.total == their_cost(theirs.get_prices(noon, asked), usage), name
    assert priced


def test_audio_costs_what_the_library_has_for_it_also_from_a_cache() -> None:
    usage = Usage(input_tokens=1_000, input_audio_tokens=1_000, cached_tokens=400)
    told = library.Usage(
        input_tokens=1_000, input_audio_tokens=1_000, cache_read_tokens=400, cache_audio_read_tokens=400
    )
    priced = 0
    for provider_id, name in NAMES:
        ours, theirs = found(provider_id, name)
        if ours is None or ours.price is None or theirs is None or ours.price.input_audio_cache is None:
            continue
        priced += 1
        price = theirs.get_prices(datetime.combine(WRITTEN, datetime.min.time(), UTC))
        made = cost(usage, ours.price)
        assert made is not None
        assert made.total == price.calc_price(told)["total_price"], name
    assert priced


def test_audio_that_is_made_costs_what_the_library_has_for_it() -> None:
    usage, told = (
        Usage(output_tokens=500, output_audio_tokens=400),
        library.Usage(output_tokens=500, output_audio_tokens=400),
    )
    priced = 0
    for provider_id, name in NAMES:
        ours, theirs = found(provider_id, name)
        if ours is None or ours.price is None or theirs is None or ours.price.audio_output is None:
            continue
        priced += 1
        made = cost(usage, ours.price)
        assert made is not None
        assert (
            made.total
            == theirs.get_prices(datetime.combine(WRITTEN, datetime.min.time(), UTC)).calc_price(told)["total_price"]
        ), name
    assert priced


def test_only_what_our_records_cannot_say_has_no_price() -> None:
    for provider_id, name in NAMES:
        ours, theirs = found(provider_id, name)
        if ours is None or ours.price is not None or theirs is None:
            continue
        steps = theirs.prices if isinstance(theirs.prices, list) else []
        by_time_of_day = any(isinstance(one.constraint, library.TimeOfDateConstraint) for one in steps)
        price = theirs.get_prices(datetime.combine(WRITTEN, datetime.min.time(), UTC))
        units = {unit for unit, rate in vars(price).items() if rate is not None}
        no_text = not {"input_mtok", "output_mtok"} <= units
        other_media = any(word in unit for unit in units - TEXT for word in ("image", "video", "hours"))
        assert theirs.deprecated or by_time_of_day or no_text or other_media, name


def test_an_announced_price_counts_from_its_day() -> None:
    changed = 0
    for provider_id in SLUGS:
        for model in THEIRS[provider_id].models:
            if not isinstance(model.prices, list):
                continue
            for start in [getattr(one.constraint, "start_date", None) for one in model.prices]:
                if start is None or start <= WRITTEN:
                    continue
                for day in (start - timedelta(days=1), start):
                    ours, theirs = found(provider_id, model.id, Facts(day))
                    if ours is None or ours.price is None or theirs is None:
                        continue
                    price = theirs.get_prices(datetime.combine(day, datetime.min.time(), UTC))
                    usage = Usage(input_tokens=1_000, output_tokens=1_000)
                    made = cost(usage, ours.price)
                    assert made is not None
                    assert made.total == their_cost(price, usage), model.id
                    changed += 1
    if not changed:
        pytest.skip("the library announces no price; one that does would un-skip this")


def test_a_longer_prompt_has_its_own_price() -> None:
    ours = FACTS.endpoint("anthropic", "claude-sonnet-4-5-20250929")
    assert ours is not None
    assert ours.price is not None
    short = cost(Usage(input_tokens=200_000, output_tokens=1_000), ours.price)
    long = cost(Usage(input_tokens=200_001, output_tokens=1_000), ours.price)
    assert short is not None
    assert long is not None
    assert (short.prompt, short.completion) == (Decimal("0.6"), Decimal("0.015"))
    assert (long.prompt, long.completion) == (Decimal("1.200006"), Decimal("0.0225"))


def test_a_model_s_context_length_is_its_author_s() -> None:
    assert FACTS.context_length("openai/gpt-4o") == 128_000
    assert FACTS.context_length("openai/gpt-4o-2024-08-06") == 128_000
    grok = FACTS.endpoint("xai", "grok-4")
    assert grok is not None
    assert FACTS.context_length("x-ai/grok-4") == grok.context_length is not None
    assert FACTS.context_length("team/gpt-4o") is None
    assert FACTS.context_length("gpt-4o") is None


def test_what_is_bundled_is_for_known_providers_that_cost_money() -> None:
    rows = known()
    assert set(SLUGS.values()) <= rows.keys()
    assert not any(rows[slug].provider.own_machine for slug in SLUGS.values())
    assert FACTS.endpoint("openrouter", "openai/gpt-4o") is None  # it says in each answer what that cost
    assert FACTS.endpoint("ollama", "gpt-oss:20b") is None
    assert FACTS.endpoint("setpoint", "echo") is None


def test_the_first_row_that_fits_a_name_counts_however_it_fits(tmp_path: Path) -> None:
    rows = [
        {"match": ["=gone", "^gone-"]},
        {"match": ["=whole-mini"], "context": 1},
        {"match": ["^whole", "$-end"], "context": 2},
        {"match": ["=whole-max", ["*middle", "~[0-9]$"]], "context": 3},
        {"match": ["*o"], "context": 4},
    ]
    source = {"name": "n", "version": "1", "url": "u", "license": "l", "date": "2026-01-31"}
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"source": source, "providers": {"p": {"also": [], "models": rows}}}))
    facts = Facts(WRITTEN, file)
    names = {
        "gone": None,
        "gone-today": None,
        "whole-mini": 1,
        "whole": 2,
        "whole-max": 2,
        "an-end": 2,
        "whole-middle-7": 2,
        "in-middle-7": 3,
        "so-middle": 4,
        "WHOLE-MINI": 1,
    }
    assert {name: found.context_length if (found := facts.endpoint("p", name)) else 0 for name in names} == names
    assert facts.endpoint("p", "in-middle") is None


def test_the_data_say_where_they_come_from() -> None:
    source = FACTS.source
    assert (source.name, source.license) == ("genai-prices", "MIT")
    assert source.url.startswith("https://github.com/")
    assert source.version
    assert "Permission is hereby granted" in LICENSE.read_text("utf-8")

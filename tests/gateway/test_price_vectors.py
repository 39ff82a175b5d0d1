"""What providers of each family count, in their own words, and what it costs: worked out by hand, to the last digit.

Prices are dollars per million tokens, as the providers' own pages write them; searches and requests are dollars each.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from setpoint.gateway.meter import bill
from setpoint.protocols.answer import Outcome
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import LongPrice, Price
from setpoint.wire.body import raw
from support.records import endpoint

if TYPE_CHECKING:
    from setpoint.protocols.answer import Bill
    from setpoint.records import Dialect

MILLION = 1_000_000
PIECES = ("request", "image", "web_search")


def rates(**dollars: str) -> Price:
    """A price of these rates."""
    said = {name: Decimal(amount) / (1 if name in PIECES else MILLION) for name, amount in dollars.items()}
    return structs.replace(Price(), **said)


def billed(dialect: Dialect, usage: dict[str, Any], price: Price | None, *, images: int = 0) -> Bill:
    """The bill of an answer with this usage object."""
    counted = PROTOCOLS[dialect].read_usage(raw(usage))
    assert counted is not None
    found, theirs = counted
    return bill(Outcome(usage=found, provider_cost=theirs), endpoint(price=price), lambda: 0, images)


OPENAI = rates(prompt="2.50", completion="10", input_cache_read="1.25", audio="40")
SPOKEN = rates(prompt="2.50", completion="10", audio="32", audio_output="64")
GPT5 = rates(prompt="1.25", completion="10", input_cache_read="0.125", web_search="0.01")
CLAUDE = rates(
    prompt="3",
    completion="15",
    input_cache_read="0.30",
    input_cache_write="3.75",
    input_cache_write_1h="6",
    web_search="0.01",
)
CLAUDE_LONG = rates(
    prompt="6", completion="22.50", input_cache_read="0.60", input_cache_write="7.50", input_cache_write_1h="12"
)
GEMINI = rates(prompt="1.25", completion="10", input_cache_read="0.31")
GEMINI_LONG = rates(prompt="2.50", completion="15", input_cache_read="0.625")
FLASH = rates(prompt="0.30", completion="2.50", input_cache_read="0.03", audio="1", internal_reasoning="3.50")
DEEPSEEK = rates(prompt="0.28", completion="0.42", input_cache_read="0.028")
GROK = rates(prompt="3", completion="15", input_cache_read="0.75", web_search="0.025")
GROQ = rates(prompt="0.59", completion="0.79")
SONAR = rates(prompt="1", completion="1", request="0.005")
LLAMA = rates(prompt="0.20", completion="0.60", image="0.0005")


def tiered(price: Price, above: int, long: Price) -> Price:
    return structs.replace(price, long=(LongPrice(above_tokens=above, price=long),))


VECTORS: dict[str, tuple[Dialect, dict[str, Any], Price, str]] = {
    # 1,000 in at $2.50/M = 0.0025; 200 out at $10/M = 0.002
    "openai, plain": (
        "chat",
        {"prompt_tokens": 1_000, "completion_tokens": 200, "total_tokens": 1_200},
        OPENAI,
        "0.0045",
    ),
    # 2,006 in, 1,920 of them read from the cache: 86 x 2.50/M = 0.000215, 1,920 x 1.25/M = 0.0024; 300 x 10/M = 0.003
    "openai, a prompt from the cache": (
        "chat",
        {
            "prompt_tokens": 2_006,
            "completion_tokens": 300,
            "total_tokens": 2_306,
            "prompt_tokens_details": {"cached_tokens": 1_920, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        OPENAI,
        "0.005615",
    ),
    # 50 x 2.50/M = 0.000125 of text, 400 x 40/M = 0.016 of sound; 20 x 10/M = 0.0002
    "openai, sound": (
        "chat",
        {
            "prompt_tokens": 450,
            "completion_tokens": 20,
            "prompt_tokens_details": {"audio_tokens": 400, "text_tokens": 50},
        },
        OPENAI,
        "0.016325",
    ),
    # 10 x 2.50/M = 0.000025; 60 x 10/M = 0.0006 of what was said in words, 240 x 64/M = 0.01536 of what was spoken
    "openai, a spoken answer": (
        "chat",
        {
            "prompt_tokens": 10,
            "completion_tokens": 300,
            "prompt_tokens_details": {"audio_tokens": 0},
            "completion_tokens_details": {"text_tokens": 60, "audio_tokens": 240, "reasoning_tokens": 0},
        },
        SPOKEN,
        "0.015985",
    ),
    # reasoning is in the 1,186 out: 75 x 1.25/M = 0.00009375; 1,186 x 10/M = 0.01186
    "openai, reasoning by responses": (
        "responses",
        {
            "input_tokens": 75,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1_186,
            "output_tokens_details": {"reasoning_tokens": 1_024},
            "total_tokens": 1_261,
        },
        GPT5,
        "0.01195375",
    ),
    # 1,000 of 4,096 new: 1,000 x 1.25/M = 0.00125, 3,096 x 0.125/M = 0.000387; 10 x 10/M = 0.0001
    "openai, the cache by responses": (
        "responses",
        {"input_tokens": 4_096, "input_tokens_details": {"cached_tokens": 3_096}, "output_tokens": 10},
        GPT5,
        "0.001737",
    ),
    # beside the cache: 21 x 3/M = 0.000063; written for 5 minutes 148 x 3.75/M = 0.000555, for an hour 100 x 6/M =
    # 0.0006; read 1,800 x 0.30/M = 0.00054; 503 x 15/M = 0.007545
    "anthropic, the cache of both ages": (
        "messages",
        {
            "input_tokens": 21,
            "cache_read_input_tokens": 1_800,
            "cache_creation_input_tokens": 248,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            "output_tokens": 503,
            "service_tier": "standard",
        },
        CLAUDE,
        "0.009303",
    ),
    # an older answer says no age, and means five minutes: 10 x 3/M + 1,000 x 3.75/M = 0.00378; 1 x 15/M
    "anthropic, a write to the cache of no age": (
        "messages",
        {"input_tokens": 10, "cache_creation_input_tokens": 1_000, "cache_read_input_tokens": 0, "output_tokens": 1},
        CLAUDE,
        "0.003795",
    ),
    # 105 x 3/M = 0.000315; 6,039 x 15/M = 0.090585; one search at $10 a thousand = 0.01
    "anthropic, a search": (
        "messages",
        {"input_tokens": 105, "output_tokens": 6_039, "server_tool_use": {"web_search_requests": 1}},
        CLAUDE,
        "0.1009",
    ),
    # 150,000 new, 50,001 read: one above 200,000, so all at the long price: 150,000 x 6/M = 0.9, 50,001 x 0.60/M =
    # 0.0300006; 100 x 22.50/M = 0.00225
    "anthropic, a long prompt": (
        "messages",
        {"input_tokens": 150_000, "cache_read_input_tokens": 50_001, "output_tokens": 100},
        tiered(CLAUDE, 200_000, CLAUDE_LONG),
        "0.9322506",
    ),
    # 200,000 is not above: 150,000 x 3/M = 0.45, 50,000 x 0.30/M = 0.015; 100 x 15/M = 0.0015
    "anthropic, a prompt that is just not long": (
        "messages",
        {"input_tokens": 150_000, "cache_read_input_tokens": 50_000, "output_tokens": 100},
        tiered(CLAUDE, 200_000, CLAUDE_LONG),
        "0.4665",
    ),
    # 10,000 x 1.25/M = 0.0125 with 2,000 of them cached: 8,000 x 1.25/M = 0.01, 2,000 x 0.31/M = 0.00062; 700 x 10/M
    "gemini, the cache": (
        "chat",
        {
            "prompt_tokens": 10_000,
            "completion_tokens": 700,
            "total_tokens": 10_700,
            "prompt_tokens_details": {"cached_tokens": 2_000},
        },
        tiered(GEMINI, 200_000, GEMINI_LONG),
        "0.01762",
    ),
    # 300,000 x 2.50/M = 0.75; 1,000 x 15/M = 0.015
    "gemini, a long prompt": (
        "chat",
        {"prompt_tokens": 300_000, "completion_tokens": 1_000, "total_tokens": 301_000},
        tiered(GEMINI, 200_000, GEMINI_LONG),
        "0.765",
    ),
    # 100 x 0.30/M = 0.00003 of text, 900 x 1/M = 0.0009 of sound; 100 x 2.50/M = 0.00025 said, 400 x 3.50/M = 0.0014
    # thought
    "gemini, sound and thoughts of a rate of their own": (
        "chat",
        {
            "prompt_tokens": 1_000,
            "completion_tokens": 500,
            "prompt_tokens_details": {"audio_tokens": 900},
            "completion_tokens_details": {"reasoning_tokens": 400},
        },
        FLASH,
        "0.00258",
    ),
    # 64 hits of 100: 36 x 0.28/M = 0.00001008, 64 x 0.028/M = 0.000001792; 1,000 x 0.42/M = 0.00042
    "deepseek, hits of its cache": (
        "chat",
        {
            "prompt_tokens": 100,
            "completion_tokens": 1_000,
            "total_tokens": 1_100,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 600},
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        },
        DEEPSEEK,
        "0.000431872",
    ),
    # 195 x 3/M = 0.000585, 5 x 0.75/M = 0.00000375; 40 x 15/M = 0.0006; 4 sources at $25 a thousand = 0.1
    "xai, sources of a search": (
        "chat",
        {
            "prompt_tokens": 200,
            "completion_tokens": 40,
            "total_tokens": 240,
            "prompt_tokens_details": {"text_tokens": 200, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            "num_sources_used": 4,
        },
        GROK,
        "0.10118875",
    ),
    # 32 x 3/M = 0.000096; what it thought is counted beside the 9 that it said: 103 x 15/M = 0.001545
    "xai, reasoning beside the output": (
        "chat",
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        GROK,
        "0.001641",
    ),
    # thoughts are in the total alone: 8 x 1.25/M = 0.00001; 510 x 10/M = 0.0051
    "gemini, thoughts that only the total has": (
        "chat",
        {"prompt_tokens": 8, "completion_tokens": 10, "total_tokens": 518},
        GEMINI,
        "0.00511",
    ),
    # times and other words beside the counts: 50 x 0.59/M = 0.0000295; 20 x 0.79/M = 0.0000158
    "groq, with its times": (
        "chat",
        {
            "queue_time": 0.037,
            "prompt_tokens": 50,
            "prompt_time": 0.0006,
            "completion_tokens": 20,
            "completion_time": 0.04,
            "total_tokens": 70,
            "total_time": 0.04,
        },
        GROQ,
        "0.0000453",
    ),
    # 14 x 1/M = 0.000014; 200 x 1/M = 0.0002; $5 for a thousand requests = 0.005
    "perplexity, a request": (
        "chat",
        {"prompt_tokens": 14, "completion_tokens": 200, "total_tokens": 214, "search_context_size": "low"},
        SONAR,
        "0.005214",
    ),
    # by our price, though the provider names a figure: 194 x 3/M = 0.000582, 2 x 15/M = 0.00003; two searches at $10 a
    # thousand are 0.02
    "openrouter, all of its words": (
        "chat",
        {
            "prompt_tokens": 194,
            "completion_tokens": 2,
            "total_tokens": 196,
            "cost": 0.95,
            "is_byok": False,
            "cost_details": {"upstream_inference_cost": 19},
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
            "server_tool_use_details": {"web_search_requests": 2, "tool_calls_requested": 2},
        },
        CLAUDE,
        "0.020612",
    ),
    # what OpenRouter writes to a cache is a part of the prompt: 94 x 3/M = 0.000282, 100 x 3.75/M = 0.000375
    "openrouter, a write to the cache": (
        "chat",
        {"prompt_tokens": 194, "completion_tokens": 0, "prompt_tokens_details": {"cache_write_tokens": 100}},
        CLAUDE,
        "0.000657",
    ),
}


@pytest.mark.parametrize(("dialect", "usage", "price", "dollars"), VECTORS.values(), ids=VECTORS)
def test_what_a_provider_counts_costs_what_its_page_says(
    dialect: Dialect, usage: dict[str, Any], price: Price, dollars: str
) -> None:
    found = billed(dialect, usage, price)
    assert found.amount == found.charged == Decimal(dollars)


def test_each_image_of_the_input_costs_its_rate_beside_the_tokens() -> None:
    # 1,000 x 0.20/M = 0.0002; 100 x 0.60/M = 0.00006; 3 images at $0.0005 = 0.0015
    found = billed("chat", {"prompt_tokens": 1_000, "completion_tokens": 100}, LLAMA, images=3)
    assert found.amount == Decimal("0.00176")


# 5 x 2.50/M = 0.0000125, 5 x 10/M = 0.00005: 0.0000625. One per cent of the larger: 0.0000625 x 100/99 = 0.000063131…
FIGURES = {
    "0.0000625": False,
    "0.000062": False,
    "0.000061875": False,  # one per cent of ours, exactly
    "0.0000618": True,
    "0.0000631": False,
    "0.00006314": True,
    "0": True,
}


@pytest.mark.parametrize(("theirs", "drifts"), FIGURES.items())
def test_a_figure_of_the_providers_that_is_more_than_a_hundredth_off_is_flagged(theirs: str, drifts: bool) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "cost": Decimal(theirs)}
    counted = PROTOCOLS["chat"].read_usage(raw({**usage, "cost": None}))
    assert counted is not None
    found = bill(Outcome(usage=counted[0], provider_cost=Decimal(theirs)), endpoint(price=OPENAI), lambda: 0)
    assert (found.amount, found.provider_cost) == (Decimal("0.0000625"), Decimal(theirs)), "both are kept"
    assert found.drifts is drifts


def test_without_a_price_the_figure_counts_and_cannot_drift() -> None:
    found = billed("chat", {"prompt_tokens": 5, "completion_tokens": 5, "cost": 0.25}, None)
    assert (found.amount, found.charged, found.drifts) == (Decimal("0.25"), Decimal("0.25"), False)


FIVE = {"prompt_tokens": 5, "completion_tokens": 5}
FIVE_OF_CLAUDE = {"input_tokens": 5, "output_tokens": 5}


@pytest.mark.parametrize(
    ("dialect", "usage", "price"),
    [
        ("chat", FIVE, None),
        ("chat", {**FIVE, "prompt_tokens_details": {"cached_tokens": 1}}, GROQ),
        ("chat", {**FIVE, "num_sources_used": 1}, GROQ),
        (
            "chat",
            {**FIVE, "completion_tokens_details": {"audio_tokens": 3}},
            OPENAI,
        ),
        ("messages", {**FIVE_OF_CLAUDE, "cache_creation_input_tokens": 1}, GPT5),
        (
            "messages",
            {**FIVE_OF_CLAUDE, "server_tool_use": {"web_search_requests": 1}},
            CLAUDE_LONG,
        ),
    ],
)
def test_what_has_no_rate_is_unknown_and_never_nothing(
    dialect: Dialect, usage: dict[str, Any], price: Price | None
) -> None:
    assert billed(dialect, usage, price).amount is None

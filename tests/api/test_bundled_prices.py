"""Prices that come with the release: a request to a known provider has its cost, and the file wins."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from openrouter import OpenRouter

from api.api_support import data_of
from setpoint.providers.facts import Facts
from simulator import answers
from simulator.script import body, ok, sse
from support.processes import Gateway, config_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal as Rate

    from simulator.client import Simulator


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    rates = {"prompt": "1", "completion": "1"}
    config = config_file(
        folder,
        providers={"openai": {"base_url": simulator_process.url("/v1"), "api_key": "sk-1", "dialect": "chat"}},
        models={
            "team/known": {"endpoints": [{"provider": "openai", "model": "gpt-4o-2024-08-06"}]},
            "team/said": {"endpoints": [{"provider": "openai", "model": "gpt-4o", "pricing": {"prompt": "1"}}]},
            "team/tiers": {
                "endpoints": [
                    {"provider": "openai", "model": "gpt-5", "pricing": rates},
                    {"provider": "openai", "tag": "openai/flex", "tier": "flex", "model": "gpt-5"},
                ]
            },
            "team/long": {"endpoints": [{"provider": "openai", "model": "gpt-5.4"}]},
        },
    )
    gateway = Gateway(folder, config=config)
    yield gateway
    gateway.stop()


def asked(gateway: Gateway, model: str, **more: Any) -> dict[str, Any]:
    """The record of one request to a model."""
    body = {"model": model, "messages": [{"role": "user", "content": "?"}], **more}
    answer = gateway.call("POST", "/chat/completions", body)
    assert answer.status == 200, answer.body
    return data_of(gateway.call("GET", f"/generation?id={answer.header('x-generation-id')}"))


def bundled(model: str, tier: str = "default") -> tuple[Rate, Rate]:
    """The bundled rates of a model of OpenAI: of the prompt, and of the completion."""
    known = Facts(datetime.now(UTC).date()).endpoint("openai", model)
    assert known is not None
    price = known.tier_prices[tier]
    assert price.prompt is not None
    assert price.completion is not None
    return price.prompt, price.completion


def test_a_model_of_a_known_provider_has_its_price_unless_the_file_says_another(
    simulator: Simulator, gateway: Gateway
) -> None:
    simulator.script(ok())
    prompt, completion = bundled("gpt-4o")
    for model in ("openai/gpt-4o", "openai/gpt-4o-2024-08-06", "team/known"):
        record = asked(gateway, model)
        expected = record["tokens_prompt"] * prompt + record["tokens_completion"] * completion
        assert Decimal(str(record["total_cost"])) == expected > 0, model
    assert asked(gateway, "team/said")["total_cost"] is None  # a rate that the file leaves out is unknown
    assert asked(gateway, "openai/no-such-model")["total_cost"] is None
    rows = {row["id"]: row for row in data_of(gateway.call("GET", "/models"))}
    named = ["team/known", "team/said", "team/tiers", "team/long", "setpoint/echo"]
    assert list(rows) == named  # not all that is bundled
    assert (Decimal(rows["team/known"]["pricing"]["prompt"]), rows["team/known"]["context_length"]) == (prompt, 128_000)


def test_an_answer_costs_what_the_tier_does_that_has_served_it(simulator: Simulator, gateway: Gateway) -> None:
    whole = answers.completion("Hi", (10, 5))
    chunks = [answers.chunk({"content": "Hi"}), answers.chunk({}, "stop"), answers.usage_chunk((10, 5))]

    def costs(model: str, tier: str, **more: Any) -> Rate | None:
        said = {"service_tier": tier}
        frames = [f"data: {json.dumps({**chunk, **said})}" for chunk in chunks]
        simulator.script(sse([*frames, "data: [DONE]"]) if more.get("stream") else body({**whole, **said}))
        record = asked(gateway, model, **more)
        assert record["service_tier"] == tier
        return None if record["total_cost"] is None else Decimal(str(record["total_cost"]))

    def rated(rates: tuple[Rate, Rate]) -> Rate:
        return 10 * rates[0] + 5 * rates[1]

    assert rated(bundled("gpt-5", "flex")) < rated(bundled("gpt-5")) < rated(bundled("gpt-5", "priority"))
    for stream in (False, True):
        for tier in ("default", "flex", "priority"):
            assert costs("openai/gpt-5", tier, stream=stream) == rated(bundled("gpt-5", tier)), (tier, stream)
        assert costs("openai/gpt-5", "scale", stream=stream) is None
    assert costs("team/tiers", "flex", service_tier="flex") == rated(bundled("gpt-5", "flex"))
    assert costs("team/tiers", "default", service_tier="flex") == 15


def test_prices_of_longer_prompts_are_shown_as_the_official_client_reads_them(gateway: Gateway) -> None:
    known = Facts(datetime.now(UTC).date()).endpoint("openai", "gpt-5.4")
    assert known is not None
    assert known.price is not None
    [long] = known.price.long
    with OpenRouter(api_key=gateway.key, server_url=gateway.url, retry_config=None) as client:
        listed = client.models.list()
        assert listed is not None
        shown = [
            client.models.get(author="team", slug="long").data.pricing,
            next(model.pricing for model in listed.result.data if model.id == "team/long"),
            client.endpoints.list(author="team", slug="long").data.endpoints[0].pricing,
        ]
    for pricing in shown:
        assert Decimal(pricing.prompt) == known.price.prompt
        assert pricing.overrides is not None
        [override] = pricing.overrides
        assert override.prompt is not None
        assert override.completion is not None
        assert (override.min_prompt_tokens, Decimal(override.prompt), Decimal(override.completion)) == (
            long.above_tokens,
            long.price.prompt,
            long.price.completion,
        )

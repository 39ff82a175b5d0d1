"""Prices that come with the release: a request to a known provider has its cost, and the file wins."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from api.api_support import data_of
from setpoint.providers.facts import Facts
from simulator import answers
from simulator.script import body, sse

if TYPE_CHECKING:
    from decimal import Decimal as Rate

    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway


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
    simulator: Simulator, start_gateway: StartGateway
) -> None:
    gateway = start_gateway(
        providers={"openai": {"base_url": simulator.url("/v1"), "api_key": "sk-1", "dialect": "chat"}},
        models={
            "team/known": {"endpoints": [{"provider": "openai", "model": "gpt-4o-2024-08-06"}]},
            "team/said": {"endpoints": [{"provider": "openai", "model": "gpt-4o", "pricing": {"prompt": "1"}}]},
        },
    )
    prompt, completion = bundled("gpt-4o")
    for model in ("openai/gpt-4o", "openai/gpt-4o-2024-08-06", "team/known"):
        record = asked(gateway, model)
        expected = record["tokens_prompt"] * prompt + record["tokens_completion"] * completion
        assert Decimal(str(record["total_cost"])) == expected > 0, model
    assert asked(gateway, "team/said")["total_cost"] is None  # a rate that the file leaves out is unknown
    assert asked(gateway, "openai/no-such-model")["total_cost"] is None
    rows = {row["id"]: row for row in data_of(gateway.call("GET", "/models"))}
    assert list(rows) == ["team/known", "team/said", "setpoint/echo"]  # what is named, not all that is bundled
    assert (Decimal(rows["team/known"]["pricing"]["prompt"]), rows["team/known"]["context_length"]) == (prompt, 128_000)


def test_an_answer_costs_what_the_tier_does_that_has_served_it(
    simulator: Simulator, start_gateway: StartGateway
) -> None:
    gateway = start_gateway(
        providers={"openai": {"base_url": simulator.url("/v1"), "api_key": "sk-1", "dialect": "chat"}},
        models={
            "team/said": {
                "endpoints": [
                    {"provider": "openai", "model": "gpt-5", "pricing": {"prompt": "1", "completion": "1"}},
                    {"provider": "openai", "tag": "openai/flex", "tier": "flex", "model": "gpt-5"},
                ]
            }
        },
    )
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
    assert costs("team/said", "flex", service_tier="flex") == rated(bundled("gpt-5", "flex"))
    assert costs("team/said", "default", service_tier="flex") == 15

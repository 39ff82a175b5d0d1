"""Prices that come with the release: a request to a known provider has its cost, and the file wins."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from api.api_support import data_of
from setpoint.providers.facts import Facts

if TYPE_CHECKING:
    from decimal import Decimal as Rate

    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway


def asked(gateway: Gateway, model: str) -> dict[str, Any]:
    """The record of one request to a model."""
    answer = gateway.call("POST", "/chat/completions", {"model": model, "messages": [{"role": "user", "content": "?"}]})
    assert answer.status == 200, answer.body
    return data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))


def bundled(model: str) -> tuple[Rate, Rate]:
    """The bundled rates of a model of OpenAI: of the prompt, and of the completion."""
    known = Facts(datetime.now(UTC).date()).endpoint("openai", model)
    assert known is not None
    assert known.price is not None
    assert known.price.prompt is not None
    assert known.price.completion is not None
    return known.price.prompt, known.price.completion


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

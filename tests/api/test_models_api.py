"""The model list: one answer in which three kinds of client find what they need."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from anthropic import Anthropic

from api.api_support import data_of, new_key, refused
from support.http import call
from support.processes import Gateway, config_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator

IDS = ["team/full", "team/bare", "team/free", "setpoint/echo"]


@pytest.fixture(scope="module")
def models(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a model of which all is known, one of which nothing is, and one that costs nothing."""
    folder = tmp_path_factory.mktemp("models")
    full = {
        "name": "Full",
        "description": "All that can be said.",
        "created": 1_700_000_000,
        "context_length": 128_000,
        "modalities": {"input": ["text", "image"], "output": ["text"]},
        "tokenizer": "GPT",
        "instruct_type": "chatml",
        "default_parameters": {"temperature": 0.7},
        "reasoning": {"mandatory": False, "supported_efforts": ["low", "high"]},
        "moderated": True,
        "endpoints": [
            {
                "provider": "sim",
                "model": "full",
                "pricing": {"prompt": "0.0000025", "completion": "1e-5", "request": "0.10", "input_cache_read": "0"},
                "max_output_tokens": 4_096,
                "parameters": ["temperature", "tools", "max_tokens"],
            },
            {"provider": "other", "model": "full", "max_output_tokens": 8_192, "parameters": ["seed", "tools"]},
        ],
    }
    config = config_file(
        folder,
        providers={
            name: {"dialect": "chat", "base_url": simulator_process.url(f"/{name}/v1")} for name in ("sim", "other")
        },
        models={
            "team/full": full,
            "team/bare": {"endpoints": [{"provider": "other"}]},
            "team/free": {"endpoints": [{"provider": "sim", "pricing": {"prompt": 0, "completion": "0"}}]},
            "team/off": {"enabled": False, "endpoints": [{"provider": "sim"}]},
        },
    )
    gateway = Gateway(folder, config=config)
    yield gateway
    assert gateway.stop() == 0, gateway.log_text()


def listed(gateway: Gateway, query: str = "", **more: Any) -> dict[str, Any]:
    answer = gateway.call("GET", f"/models{query}", **more)
    data_of(answer)
    return answer.json()


def test_openrouter_clients_find_every_key_of_a_model(models: Gateway) -> None:
    rows = {row["id"]: row for row in listed(models)["data"]}
    assert list(rows) == IDS
    needed = {
        *("id", "canonical_slug", "name", "created", "description", "context_length", "architecture", "pricing"),
        *("top_provider", "supported_parameters", "default_parameters", "per_request_limits", "supported_voices"),
        "links",
    }
    assert all(needed <= set(row) for row in rows.values())
    full = rows["team/full"]
    assert (full["name"], full["description"], full["created"]) == ("Full", "All that can be said.", 1_700_000_000)
    assert full["architecture"] == {
        "modality": "text+image->text",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "tokenizer": "GPT",
        "instruct_type": "chatml",
    }
    assert full["top_provider"]["context_length"] == 128_000
    assert full["top_provider"]["is_moderated"] is True
    assert (full["default_parameters"], full["context_length"]) == ({"temperature": 0.7}, 128_000)
    assert full["supported_parameters"] == ["max_tokens", "seed", "temperature", "tools"]
    assert full["reasoning"] == {"mandatory": False, "supported_efforts": ["low", "high"]}
    bare = rows["team/bare"]
    assert (bare["name"], bare["context_length"], bare["default_parameters"]) == ("team/bare", None, None)
    assert {"temperature", "tools", "response_format"} <= set(bare["supported_parameters"])


def test_prices_are_strings_of_dollars_per_token_and_an_unknown_one_is_minus_one(models: Gateway) -> None:
    prices = {row["id"]: row["pricing"] for row in listed(models)["data"]}
    assert prices["team/full"] == {
        "prompt": "0.0000025",
        "completion": "0.00001",
        "request": "0.10",
        "input_cache_read": "0",
    }
    assert prices["team/bare"] == {"prompt": "-1", "completion": "-1"}
    assert prices["team/free"] == {"prompt": "0", "completion": "0"}
    assert (prices["setpoint/echo"]["prompt"], prices["setpoint/echo"]["completion"]) == ("0", "0")


def test_openai_clients_find_a_list_of_models(models: Gateway) -> None:
    content = listed(models)
    assert content["object"] == "list"
    assert [(row["id"], row["object"], row["owned_by"]) for row in content["data"]] == [
        ("team/full", "model", "sim"),
        ("team/bare", "model", "other"),
        ("team/free", "model", "sim"),
        ("setpoint/echo", "model", "setpoint"),
    ]
    assert all(isinstance(row["created"], int) for row in content["data"])


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", "tomorrow"])
def test_anthropic_clients_find_a_page_of_models_under_either_base(models: Gateway, version: str) -> None:
    headers = {"x-api-key": models.key, "anthropic-version": version}
    for base in ("/api/v1", "/v1"):
        answer = call("GET", f"{models.origin}{base}/models?after_id=x&before_id=y&limit=1000", headers=headers)
        rows = data_of(answer)
        assert (rows[0]["type"], rows[0]["id"], rows[0]["display_name"]) == ("model", "team/full", "Full")
        assert [row["id"] for row in rows] == IDS
        assert rows[0]["created_at"] == "2023-11-14T22:13:20.000000Z"
        content = answer.json()
        assert (content["has_more"], content["first_id"], content["last_id"]) == (False, "team/full", "setpoint/echo")


def test_pages_follow_each_other_by_their_links(models: Gateway) -> None:
    whole = listed(models)
    assert (whole["total_count"], whole["links"], whole["has_more"]) == (4, {"next": None}, False)
    seen: list[str] = []
    path: str | None = "/api/v1/models?limit=3"
    while path is not None:
        answer = call("GET", models.origin + path, key=models.key).json()
        seen += [row["id"] for row in answer["data"]]
        assert answer["total_count"] == 4
        path = answer["links"]["next"]
        assert answer["has_more"] is (path is not None)
    assert seen == IDS
    assert [row["id"] for row in listed(models, "?offset=1&limit=2")["data"]] == IDS[1:3]
    assert [row["id"] for row in listed(models, "?offset=3")["data"]] == IDS[3:]
    past = listed(models, "?offset=9&limit=1")
    assert (past["data"], past["total_count"], past["first_id"], past["last_id"]) == ([], 4, None, None)


def test_the_official_anthropic_client_reads_pages_to_their_end_and_back(models: Gateway) -> None:
    with Anthropic(base_url=f"{models.origin}/api", api_key=models.key, max_retries=0) as client:
        assert [one.id for one in islice(client.models.list(limit=1), 9)] == IDS
        assert [one.id for one in islice(client.models.list(limit=3), 9)] == IDS
        back = islice(client.models.list(limit=1, before_id=IDS[-1]), 9)
        assert [one.id for one in back] == IDS[-2::-1]
    middle = listed(models, f"?limit=2&before_id={IDS[3]}")
    assert ([row["id"] for row in middle["data"]], middle["has_more"]) == (IDS[1:3], True)
    assert listed(models, f"?limit=1&offset=0&after_id={IDS[1]}")["first_id"] == IDS[0]
    assert [row["id"] for row in listed(models, f"?after_id={IDS[1]}")["data"]] == IDS[2:]


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "limit=0", "limit=1001", "limit=x", "limit=1.0"])
def test_an_offset_or_limit_that_is_none_or_out_of_bounds_is_refused(models: Gateway, query: str) -> None:
    message = refused(models.call("GET", f"/models?{query}"), 400)
    assert message.startswith(query.partition("=")[0] + ": ")


def test_presets_are_no_models(models: Gateway) -> None:
    assert models.call("POST", "/presets/listed/chat/completions", {"model": "team/full"}).status == 200
    assert [row["id"] for row in listed(models)["data"]] == IDS


def test_any_key_may_look(models: Gateway) -> None:
    for members in ({}, {"role": "read_only"}, {"role": "admin", "inference": False}):
        plain, _ = new_key(models, **members)
        assert [row["id"] for row in listed(models, key=plain)["data"]] == IDS
    refused(call("GET", f"{models.url}/models"), 401)

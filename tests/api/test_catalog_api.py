"""What can be asked for, and from whom: the filters and orders of the model list, one model, endpoints, providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openrouter import OpenRouter

from api.api_support import data_of, refused
from support.processes import Gateway, config_file
from support.sdk import held

if TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE = "http://127.0.0.1:9/v1"
GROK = {
    "name": "Grok the Great",
    "created": 1_700_000_000,
    "context_length": 1_000_000,
    "tokenizer": "Grok",
    "aliases": ["~team/grok-latest"],
    "distillable": True,
    "modalities": {"input": ["text", "image"], "output": ["text"]},
    "endpoints": [
        {
            "provider": "dear",
            "tag": "dear/priority",
            "tier": "priority",
            "pricing": {"prompt": "0.00003", "completion": "0.00006"},
            "parameters": ["tools", "tool_choice", "max_tokens"],
            "quantization": "fp8",
            "max_output_tokens": 4_096,
            "max_prompt_tokens": 900_000,
        },
        {
            "provider": "cheap",
            "pricing": {"prompt": "0.000002", "completion": "0.000008006", "input_cache_read": "1e-7"},
        },
        {"provider": "cheap", "tag": "cheap/off", "pricing": {"prompt": 0, "completion": 0}, "enabled": False},
    ],
}
MODELS: dict[str, Any] = {
    "team/grok": GROK,
    "other/tiny": {
        "created": 1_600_000_000,
        "context_length": 4_096,
        "endpoints": [
            {"provider": "safe", "pricing": {"prompt": 0, "completion": 0}, "zdr": True, "variants": ["free"]}
        ],
    },
    "other/painter": {
        "modalities": {"input": ["text"], "output": ["image"]},
        "endpoints": [{"provider": "cheap", "parameters": ["seed"]}],
    },
    "plain": {"endpoints": [{"provider": "cheap", "parameters": ["seed"]}]},
    # Nobody can be asked for these, so they are not listed.
    "team/nowhere": {"endpoints": [{"provider": "gone"}, {"provider": "cheap", "enabled": False}]},
    "team/off": {"enabled": False, "endpoints": [{"provider": "cheap"}]},
}
ALL = ["team/grok", "other/tiny", "other/painter", "plain", "setpoint/echo"]
TEXT = [name for name in ALL if name != "other/painter"]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("catalog")
    providers = {
        "dear": {"dialect": "chat", "base_url": NOWHERE, "name": "Dear & Co", "region": "EU"},
        "cheap": {"dialect": "chat", "base_url": NOWHERE, "data_collection": "deny"},
        "safe": {"dialect": "chat", "base_url": NOWHERE, "region": "us"},
        "gone": {"dialect": "chat", "base_url": NOWHERE, "enabled": False},
    }
    gateway = Gateway(folder, config=config_file(folder, providers=providers, models=MODELS))
    yield gateway
    assert gateway.stop() == 0, gateway.log_text()


@pytest.fixture
def client(catalog: Gateway) -> Iterator[OpenRouter]:
    with held(OpenRouter(api_key=catalog.key, server_url=catalog.url, retry_config=None)) as made:
        yield made


def ids(gateway: Gateway, query: str) -> list[str]:
    rows = data_of(gateway.call("GET", f"/models?{query}"))
    assert data_of(gateway.call("GET", f"/models/count?{query}")) == {"count": len(rows)}
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", TEXT),
        ("output_modalities=all", ALL),
        ("output_modalities=image", ["other/painter"]),
        ("output_modalities=image,text", ALL),
        ("input_modalities=image", ["team/grok"]),
        ("input_modalities=text,Image", ["team/grok"]),
        ("q=GREAT", ["team/grok"]),
        ("q=other/", ["other/tiny"]),
        ("q=nothing", []),
        ("supported_parameters=tools", ["team/grok", "other/tiny", "setpoint/echo"]),
        ("supported_parameters=seed,tools", ["team/grok", "other/tiny", "setpoint/echo"]),
        ("supported_parameters=seed", TEXT),
        ("context=4096", ["team/grok", "other/tiny"]),
        ("context=4097", ["team/grok"]),
        ("max_price=0", ["other/tiny", "setpoint/echo"]),
        ("max_price=2", ["team/grok", "other/tiny", "setpoint/echo"]),
        ("max_price=1.9", ["other/tiny", "setpoint/echo"]),
        ("min_price=0.1", ["team/grok"]),
        ("min_price=2.1", []),
        ("max_output_price=8.006&min_output_price=8.006", ["team/grok"]),
        ("providers=Dear%20%26%20Co", ["team/grok"]),
        ("providers=dear,safe", ["team/grok", "other/tiny"]),
        ("model_authors=other", ["other/tiny"]),
        ("arch=grok", ["team/grok"]),
        ("region=eu", ["team/grok"]),
        ("zdr=true", ["other/tiny"]),
        ("distillable=true", ["team/grok"]),
        ("distillable=false", ["other/tiny", "plain", "setpoint/echo"]),
        ("max_age_days=0", []),
        ("min_age_days=1", ["team/grok", "other/tiny"]),
        ("sort=newest", ["team/grok", "other/tiny", "plain", "setpoint/echo"]),
        ("sort=pricing-low-to-high", ["other/tiny", "setpoint/echo", "team/grok", "plain"]),
        ("sort=pricing-high-to-low", ["team/grok", "other/tiny", "setpoint/echo", "plain"]),
        ("sort=context-high-to-low", ["team/grok", "other/tiny", "plain", "setpoint/echo"]),
        ("sort=a-word-of-tomorrow", TEXT),
        ("category=programming&use_rss=true&min_intelligence_index=70", TEXT),
    ],
)
def test_the_list_and_its_count_are_what_the_query_finds(catalog: Gateway, query: str, found: list[str]) -> None:
    assert ids(catalog, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "max_price=much",
        "max_price=1_0",
        "min_price=-1",
        "min_price=%D9%A1",
        "max_output_price=nan",
        "context=some",
        "zdr=so",
    ],
)
def test_a_wrong_value_is_named(catalog: Gateway, query: str) -> None:
    assert query.partition("=")[0] in refused(catalog.call("GET", f"/models?{query}"), 400)


def test_pages_keep_the_query(catalog: Gateway) -> None:
    answer = catalog.call("GET", "/models?sort=pricing-low-to-high&q=t&limit=1").json()
    assert (answer["total_count"], [row["id"] for row in answer["data"]]) == (3, ["other/tiny"])
    following = catalog.call("GET", answer["links"]["next"].removeprefix("/api/v1")).json()
    assert [row["id"] for row in following["data"]] == ["setpoint/echo"]


def test_a_model_costs_what_its_cheapest_usable_endpoint_does(catalog: Gateway) -> None:
    rows = {row["id"]: row for row in data_of(catalog.call("GET", "/models"))}
    assert rows["team/grok"]["pricing"] == {
        "prompt": "0.000002",
        "completion": "0.000008006",
        "input_cache_read": "0.0000001",
    }
    assert rows["team/grok"]["links"]["details"] == "/api/v1/models/team/grok/endpoints"


@pytest.mark.parametrize(
    ("path", "id_"),
    [
        ("team/grok", "team/grok"),
        ("~team/grok-latest", "team/grok"),
        ("team/grok:nitro", "team/grok"),
        ("other/tiny:free", "other/tiny"),
        ("cheap/anything", "cheap/anything"),
    ],
)
def test_one_model_by_its_id_an_alias_or_a_variant(catalog: Gateway, path: str, id_: str) -> None:
    assert data_of(catalog.call("GET", f"/model/{path}"))["id"] == id_
    assert data_of(catalog.call("GET", f"/models/{path}/endpoints"))["id"] == id_


@pytest.mark.parametrize("path", ["team/none", "team/grok:free", "nobody/x", "gone/x"])
def test_a_model_that_is_not_there(catalog: Gateway, path: str) -> None:
    refused(catalog.call("GET", f"/model/{path}"), 404)
    refused(catalog.call("GET", f"/models/{path}/endpoints"), 404)


def test_the_official_client_reads_one_model_and_its_endpoints(client: OpenRouter) -> None:
    assert client.models.get(author="team", slug="grok").data.name == "Grok the Great"
    assert client.models.count().data.count == len(TEXT)
    model = client.endpoints.list(author="team", slug="grok").data
    assert (model.id, model.architecture.input_modalities) == ("team/grok", ["text", "image"])
    dear, cheap = model.endpoints
    assert (dear.provider_name, dear.tag, dear.service_tier, dear.quantization) == (
        *("Dear & Co", "dear/priority", "priority", "fp8"),
    )
    assert (dear.max_completion_tokens, dear.max_prompt_tokens, dear.context_length) == (4_096, 900_000, 1_000_000)
    assert (dear.pricing.prompt, dear.pricing.completion) == ("0.00003", "0.00006")
    assert dear.supports_tool_choice.required is True
    assert (cheap.tag, cheap.supports_implicit_caching, cheap.uptime_last_30m) == ("cheap", True, None)
    assert cheap.latency_last_30m is None


def test_the_official_client_reads_endpoints_that_retain_nothing_and_providers(client: OpenRouter) -> None:
    assert [one.model_id for one in client.endpoints.list_zdr_endpoints().data] == ["other/tiny"]
    listed = client.providers.list().data
    assert [(one.slug, one.name) for one in listed] == [
        *(("dear", "Dear & Co"), ("cheap", "cheap"), ("safe", "safe"), ("setpoint", "Setpoint")),
    ]

"""Models and endpoints as clients are shown them. Prices are strings of US dollars per token."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, cast
from urllib.parse import quote

from setpoint.ids import timestamp
from setpoint.protocols.rules import RULES
from setpoint.records import RATES, ModelReasoning
from setpoint.routing.standing import Percentiles
from setpoint.server.routes.kinds import Time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from setpoint.records import Endpoint, Model, Price
    from setpoint.server.routes.catalog.performance import Performance

# What every chat endpoint takes unless its row says otherwise.
_PARAMETERS = sorted(
    {name for name, rule in RULES.items() if rule == "supported"} - {"metadata", "x_search_filter", "include_reasoning"}
    | {"max_tokens", "max_completion_tokens"}
)
_UNKNOWN_PRICE = "-1"
_CHOICES = ("auto", "none", "required", "function")


class Architecture(TypedDict):
    """What goes in and what comes out."""

    modality: str
    input_modalities: list[str]
    output_modalities: list[str]
    tokenizer: str | None
    instruct_type: str | None


class PriceOverride(TypedDict, total=False):
    """The rates of prompts of more tokens than these: those that differ."""

    min_prompt_tokens: int
    prompt: str
    completion: str
    request: str
    image: str
    web_search: str
    internal_reasoning: str
    input_cache_read: str
    input_cache_write: str
    input_cache_write_1h: str
    audio: str
    audio_output: str
    input_audio_cache: str


class Pricing(TypedDict):
    """US dollars per token, or per one of what is named. One that is required and not known is `-1`."""

    prompt: str
    completion: str
    request: NotRequired[str]
    image: NotRequired[str]
    web_search: NotRequired[str]
    internal_reasoning: NotRequired[str]
    input_cache_read: NotRequired[str]
    input_cache_write: NotRequired[str]
    input_cache_write_1h: NotRequired[str]
    audio: NotRequired[str]
    audio_output: NotRequired[str]
    input_audio_cache: NotRequired[str]
    overrides: NotRequired[list[PriceOverride]]


class TopProvider(TypedDict):
    """What the model can do where it can do most."""

    context_length: int | None
    max_completion_tokens: int | None
    is_moderated: bool


class Links(TypedDict):
    """Where there is more."""

    details: str


class ShownModel(TypedDict):
    """A model in a form that OpenRouter, OpenAI and Anthropic clients read."""

    id: str
    object: Literal["model"]
    type: Literal["model"]
    canonical_slug: str
    name: str
    display_name: str
    created: int
    created_at: Time
    owned_by: str
    description: str
    context_length: int | None
    architecture: Architecture
    pricing: Pricing
    top_provider: TopProvider
    per_request_limits: None
    supported_parameters: list[str]
    supported_voices: None
    default_parameters: dict[str, float] | None
    reasoning: ModelReasoning | None
    links: Links


class ShownEndpoint(TypedDict):
    """One model at one provider, and how it has done of late: uptime in percent, latency in milliseconds, throughput in
    tokens per second; null where too little is known.
    """

    name: str
    model_id: str
    model_name: str
    provider_name: str
    tag: str
    context_length: int
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    pricing: Pricing
    quantization: str | None
    supported_parameters: list[str]
    supports_tool_choice: dict[str, bool]
    native_tools: dict[str, Any]
    service_tier: str | None
    supports_implicit_caching: bool
    supports_diarization: bool
    data_collection: str | None
    zdr: bool
    region: str | None
    status: int
    uptime_last_5m: float | None
    uptime_last_30m: float | None
    uptime_last_1d: float | None
    latency_last_30m: Percentiles | None
    throughput_last_30m: Percentiles | None


def usable(model: Model) -> list[Endpoint]:
    """The endpoints of a model that requests may go to."""
    return [one for one in model.endpoints if one.enabled and one.provider.enabled]


def price_of(model: Model) -> Price | None:
    """The price of the cheapest endpoint whose price is known, by a token of prompt and one of completion."""
    known = [price for one in usable(model) if (price := one.price) is not None and _sum(price) is not None]
    return min(known, key=lambda price: cast("Decimal", _sum(price)), default=None)


def _sum(price: Price) -> Decimal | None:
    return None if price.prompt is None or price.completion is None else price.prompt + price.completion


def parameters_of(endpoints: Iterable[Endpoint]) -> list[str]:
    """The fields that at least one of these endpoints takes, in chat names."""
    listed: set[str] = set()
    for endpoint in endpoints:
        if endpoint.parameters is None:
            return _PARAMETERS
        listed |= endpoint.parameters
    return sorted(listed)


def shown_model(model: Model) -> ShownModel:
    """A model in a form that OpenRouter, OpenAI and Anthropic clients read."""
    limits = [one.max_output_tokens for one in model.endpoints if one.max_output_tokens is not None]
    return {
        "id": model.id,
        "object": "model",
        "type": "model",
        "canonical_slug": model.id,
        "name": model.name,
        "display_name": model.name,
        "created": model.created,
        "created_at": timestamp(datetime.fromtimestamp(model.created, UTC)),
        "owned_by": model.endpoints[0].provider.slug if model.endpoints else "",
        "description": model.description,
        "context_length": model.context_length,
        "architecture": shown_architecture(model),
        "pricing": shown_price(price_of(model)),
        "top_provider": {
            "context_length": model.context_length,
            "max_completion_tokens": max(limits, default=None),
            "is_moderated": model.moderated,
        },
        "per_request_limits": None,
        "supported_parameters": parameters_of(usable(model)),
        "supported_voices": None,
        "default_parameters": dict(model.default_parameters) or None,
        "reasoning": model.reasoning,
        "links": {"details": _details(model.id)},
    }


def _details(model_id: str) -> str:
    author, _, slug = model_id.partition("/")
    return f"/api/v1/models/{quote(author, safe='~')}/{quote(slug, safe='')}/endpoints" if slug else "/api/v1/models"


def shown_architecture(model: Model) -> Architecture:
    """What goes in and what comes out."""
    inputs, outputs = list(model.input_modalities), list(model.output_modalities)
    return {
        "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
        "input_modalities": inputs,
        "output_modalities": outputs,
        "tokenizer": model.tokenizer,
        "instruct_type": model.instruct_type,
    }


def shown_price(price: Price | None) -> Pricing:
    """Every rate that is known, and for longer prompts those that differ. A required one that is not known is `-1`."""
    if price is None:
        return {"prompt": _UNKNOWN_PRICE, "completion": _UNKNOWN_PRICE}
    known = {name: said for name, said in _rates(price).items() if said != _UNKNOWN_PRICE}
    shown: dict[str, Any] = {"prompt": _UNKNOWN_PRICE, "completion": _UNKNOWN_PRICE, **known}
    if price.long:
        shown["overrides"] = _overrides(price)
    return cast("Pricing", shown)


def _overrides(price: Price) -> list[dict[str, Any]]:
    """The rates for prompts of more tokens, the shortest first; a rate that is in none of them is as it is for all.

    Clients take for each rate the last entry that fits and has it, so one that is in any is in every one.
    """
    usual = _rates(price).items()
    steps = [(long.above_tokens, _rates(long.price)) for long in price.long]
    names = [name for name, said in usual if any(rates[name] != said for _, rates in steps)]
    return [{"min_prompt_tokens": above} | {name: rates[name] for name in names} for above, rates in steps]


def _rates(price: Price) -> dict[str, str]:
    rates: dict[str, Decimal | None] = {name: getattr(price, name) for name in RATES}
    return {name: _UNKNOWN_PRICE if rate is None else format(rate, "f") for name, rate in rates.items()}


def shown_endpoint(endpoint: Endpoint, model: Model, performance: Performance) -> ShownEndpoint:
    """An endpoint of a model. A context length that nobody knows is 0: official clients take no null."""
    provider, price = endpoint.provider, endpoint.price
    parameters = parameters_of([endpoint])
    return {
        "name": f"{provider.name} | {model.id}",
        "model_id": model.id,
        "model_name": model.name,
        "provider_name": provider.name,
        "tag": endpoint.tag,
        "context_length": endpoint.context_length or model.context_length or 0,
        "max_completion_tokens": endpoint.max_output_tokens,
        "max_prompt_tokens": endpoint.max_prompt_tokens,
        "pricing": shown_price(price),
        "quantization": endpoint.quantization,
        "supported_parameters": parameters,
        "supports_tool_choice": dict.fromkeys(_CHOICES, "tool_choice" in parameters),
        "native_tools": {},
        "service_tier": endpoint.tier if endpoint.tier in ("priority", "flex") else None,
        "supports_implicit_caching": price is not None and price.input_cache_read is not None,
        "supports_diarization": False,
        "data_collection": endpoint.data_collection,
        "zdr": endpoint.zdr,
        "region": endpoint.region,
        "status": performance.status,
        "uptime_last_5m": performance.uptime_5m,
        "uptime_last_30m": performance.uptime_30m,
        "uptime_last_1d": performance.uptime_1d,
        "latency_last_30m": performance.latency_ms,
        "throughput_last_30m": performance.throughput,
    }

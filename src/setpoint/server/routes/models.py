"""The list of models: one answer that OpenRouter, OpenAI and Anthropic clients all understand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import structs

from setpoint.ids import timestamp
from setpoint.protocols.forward import RULES
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.paging import integer

if TYPE_CHECKING:
    from decimal import Decimal

    from setpoint.records import Model
    from setpoint.server.request import Request
    from setpoint.snapshot import SnapshotHolder

_MOST = 1_000
# What every chat endpoint takes unless its row says otherwise.
_PARAMETERS = sorted(
    {name for name, rule in RULES.items() if rule == "supported"} - {"metadata", "x_search_filter", "include_reasoning"}
    | {"max_tokens", "max_completion_tokens"}
)
_UNKNOWN_PRICE = "-1"


class Models:
    """The handler of the model list."""

    def __init__(self, snapshots: SnapshotHolder) -> None:
        self._snapshots = snapshots

    async def list(self, request: Request) -> Response:
        """GET /models; without `offset` and `limit` everything."""
        query = request.query()
        models = [model for model in self._snapshots.current.catalog.models.values() if model.enabled]
        offset = integer(query, "offset", default=0)
        limit = integer(query, "limit", default=max(len(models), 1), least=1, most=max(_MOST, len(models)))
        page = [_model(model) for model in models[offset : offset + limit]]
        more = offset + limit < len(models)
        path = request.scope["path"]
        return json_response(
            {
                "object": "list",
                "data": page,
                "total_count": len(models),
                "links": {"next": f"{path}?offset={offset + limit}&limit={limit}" if more else None},
                "has_more": more,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
            }
        )


def _model(model: Model) -> dict[str, Any]:
    inputs, outputs = list(model.input_modalities), list(model.output_modalities)
    limits = [one.max_output_tokens for one in model.endpoints if one.max_output_tokens is not None]
    created = datetime.fromtimestamp(model.created, UTC)
    return {
        "id": model.id,
        "object": "model",
        "type": "model",
        "canonical_slug": model.id,
        "name": model.name,
        "display_name": model.name,
        "created": model.created,
        "created_at": timestamp(created),
        "owned_by": model.endpoints[0].provider.slug if model.endpoints else "",
        "description": model.description,
        "context_length": model.context_length,
        "architecture": {
            "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
            "input_modalities": inputs,
            "output_modalities": outputs,
            "tokenizer": model.tokenizer,
            "instruct_type": model.instruct_type,
        },
        "pricing": _pricing(model),
        "top_provider": {
            "context_length": model.context_length,
            "max_completion_tokens": max(limits, default=None),
            "is_moderated": model.moderated,
        },
        "per_request_limits": None,
        "supported_parameters": _parameters(model),
        "supported_voices": None,
        "default_parameters": dict(model.default_parameters) or None,
        "reasoning": model.reasoning,
        "links": {"details": "/api/v1/models"},
    }


def _pricing(model: Model) -> dict[str, str]:
    """The price of the first endpoint, in US dollars per token. A required rate that is unknown is `-1`."""
    price = model.endpoints[0].price if model.endpoints else None
    rates: dict[str, Decimal | None] = structs.asdict(price) if price is not None else {}
    known = {name: format(rate, "f") for name, rate in rates.items() if rate is not None}
    return {"prompt": _UNKNOWN_PRICE, "completion": _UNKNOWN_PRICE, **known}


def _parameters(model: Model) -> list[str]:
    if any(endpoint.parameters is None for endpoint in model.endpoints):
        return _PARAMETERS
    listed: set[str] = set()
    for endpoint in model.endpoints:
        listed |= endpoint.parameters or set()
    return sorted(listed)

"""Router metadata: what a caller that asks for it is told of how its request went, beside the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.routing.naming import means
from setpoint.wire.body import raw

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.gateway.exchange import Exchange
    from setpoint.routing.placing import Candidate
    from setpoint.routing.plan import Plan


def router_metadata(exchange: Exchange) -> Raw | None:
    """The member `openrouter_metadata`; None when it was not asked for, or nothing was routed.

    `attempt` counts the tries from 1 and is 0 when nothing was ever sent; of a failed request no endpoint is selected.
    `generation_time` is in milliseconds.
    """
    if not exchange.caller.wants_metadata or exchange.plan is None:
        return None
    candidates = exchange.plan.candidates
    answered = exchange.candidate if exchange.outcome is not None and not exchange.failed else None
    endpoints = list(dict.fromkeys((one.endpoint.provider.name, one.model.id) for one in candidates))
    selected = (answered.endpoint.provider.name, answered.model.id) if answered else None
    attempts = [{"provider": one.provider_name, "model": one.model, "status": one.status} for one in exchange.attempts]
    content: dict[str, Any] = {
        "requested": exchange.requested_model or exchange.models[0],
        "strategy": _strategy(exchange, exchange.plan, answered),
        "region": None,
        "summary": f"available={len(endpoints)}" + (f", selected={selected[0]}" if selected else ""),
        "attempt": len(attempts),
        "is_byok": True,
        "endpoints": {
            "total": len(endpoints),
            "available": [
                {"provider": provider, "model": model, "selected": (provider, model) == selected}
                for provider, model in endpoints
            ],
        },
        "attempts": attempts,
        "generation_time": exchange.elapsed_ms,
    }
    return raw(content)


def _strategy(exchange: Exchange, planned: Plan, answered: Candidate | None) -> str:
    """How the model was found: the one that was asked for by what the caller wrote, any other as a fallback."""
    if answered is None or means(exchange.models[0], answered.model):
        return planned.strategy
    return "fallback"

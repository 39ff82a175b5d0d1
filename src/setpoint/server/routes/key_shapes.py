"""API keys as answers show them: to their managers, and to who holds one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Raw, Struct

from setpoint.ids import timestamp
from setpoint.protocols.money import money
from setpoint.records import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.records import Key
    from setpoint.storage.spend import Spend


class Layer(Struct, frozen=True, kw_only=True):
    """Something that bounds what the requests of a key may spend: its own limit, or a `budget` of its workspace.

    `limit`, `counted` and `left` are US dollars, of the running period of the `interval`, which is over when it `ends`.
    Less than nothing is left where a provider has counted more than was set aside.
    """

    budget: Budget | None
    interval: str | None
    limit: Decimal
    counted: Decimal
    left: Decimal
    ends: datetime | None


def shown_key(key: Key, spent: Spend, left: Decimal | None) -> dict[str, Any]:
    """A key for its managers. `left` is what remains of its limit, None where it has none."""
    return {
        "hash": key.digest,
        "name": key.name,
        "label": key.label,
        "disabled": key.disabled,
        **_limit(key, left),
        **_spent(spent),
        "created_at": timestamp(key.created_at),
        "updated_at": timestamp(key.updated_at) if key.updated_at else None,
        "expires_at": timestamp(key.expires_at) if key.expires_at else None,
        "last_used_at": timestamp(spent.last_used_at) if spent.last_used_at else None,
        "creator_user_id": key.creator_user_id,
        "external_user": None,
        "workspace_id": key.workspace_id,
        "role": key.role,
        "inference": key.inference,
        **_bounds(key),
    }


def shown_own_key(key: Key, spent: Spend, layers: Sequence[Layer]) -> dict[str, Any]:
    """A key for who holds it. The `layers` are in the order of asking."""
    management = key.role == "admin" and not key.inference
    own = next((one.left for one in layers if one.budget is None), None)
    first = next((one for one in layers if one.left <= 0), None) or min(layers, key=lambda one: one.left, default=None)
    return {
        "label": key.label,
        **_spent(spent),
        **_limit(key, max(own, Decimal(0)) if own is not None else None),
        "budgets": [_layer(one) for one in layers],
        "effective_budget": _layer(first) if first is not None else None,
        "allowed_data_regions": ["global"],
        "free_model_daily_requests": {"limit": -1, "remaining": -1, "used": 0},
        "is_free_tier": False,
        "is_management_key": management,
        "is_provisioning_key": management,
        "creator_user_id": key.creator_user_id,
        "workspace_id": key.workspace_id,
        "organization_id": None,
        "expires_at": timestamp(key.expires_at) if key.expires_at else None,
        "rate_limit": {
            "requests": -1,
            "interval": "10s",
            "note": "Deprecated: requests_per_minute and tokens_per_minute say what the rate limits are.",
        },
        "role": key.role,
        "inference": key.inference,
        **_bounds(key),
    }


def _limit(key: Key, left: Decimal | None) -> dict[str, Any]:
    return {
        "limit": money(key.limit),
        "limit_remaining": money(left),
        "limit_reset": key.limit_reset,
        "include_byok_in_limit": key.include_byok_in_limit,
    }


def _bounds(key: Key) -> dict[str, Any]:
    return {
        "allowed_presets": key.allowed_presets,
        "allowed_models": key.allowed_models,
        "allowed_providers": key.allowed_providers,
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
    }


def _spent(spent: Spend) -> dict[str, Raw]:
    """What a key has spent, in US dollars. All spend is on the team's own provider keys, so both counts are equal."""
    periods = {"": spent.total, "_daily": spent.daily, "_weekly": spent.weekly, "_monthly": spent.monthly}
    return {f"{kind}{period}": money(amount) for kind in ("usage", "byok_usage") for period, amount in periods.items()}


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "scope": "key_limit" if layer.budget is None else "workspace",
        "budget_id": layer.budget.id if layer.budget is not None else None,
        "guardrail_id": None,
        "include_byok": True,
        "limit_usd": money(layer.limit),
        "spend_usd": money(layer.counted),
        "remaining_usd": money(layer.left),
        "reset_interval": layer.interval if layer.ends is not None else None,
        "resets_at": timestamp(layer.ends) if layer.ends is not None else None,
    }

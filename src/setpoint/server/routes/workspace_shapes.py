"""Workspaces and budgets as answers show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict
from uuid import UUID, uuid5

from setpoint.ids import timestamp
from setpoint.protocols.money import money
from setpoint.records import Reset, Sort
from setpoint.server.routes.kinds import Dollars, Time

if TYPE_CHECKING:
    from setpoint.records import Budget, Workspace

WORKSPACES = "Workspaces"
"""The heading of their routes."""
_GUARDRAILS = UUID("5c0bd1f0-6f5b-4c51-9a6c-0d9f4f0f7d11")
"""What the ids of default guardrails are made under."""


class ShownWorkspace(TypedDict):
    """A workspace."""

    id: str
    slug: str
    name: str
    description: str | None
    default_text_model: str | None
    default_image_model: None
    default_provider_sort: Sort | None
    default_guardrail_id: str
    disabled_server_tools: list[str]
    include_byok_in_budgets: bool
    is_observability_broadcast_enabled: Literal[False]
    is_observability_io_logging_enabled: bool
    io_logging_sampling_rate: float
    io_logging_api_key_ids: tuple[str, ...] | None
    is_data_discount_logging_enabled: Literal[False]
    created_by: str
    created_at: Time
    updated_at: Time


class ShownBudget(TypedDict):
    """A budget of a workspace. Without an interval it is for ever."""

    id: str
    workspace_id: str
    limit_usd: Dollars
    reset_interval: Reset | None
    created_at: Time
    updated_at: Time


def shown_workspace(workspace: Workspace) -> ShownWorkspace:
    """A workspace. What is the same of each of them is so because nothing here would follow anything else."""
    return {
        "id": workspace.id,
        "slug": workspace.slug,
        "name": workspace.name,
        "description": workspace.description,
        "default_text_model": workspace.default_text_model,
        "default_image_model": None,
        "default_provider_sort": workspace.default_provider_sort,
        "default_guardrail_id": str(uuid5(_GUARDRAILS, workspace.id)),
        "disabled_server_tools": [],
        "include_byok_in_budgets": workspace.include_byok_in_budgets,
        "is_observability_broadcast_enabled": False,
        "is_observability_io_logging_enabled": workspace.is_observability_io_logging_enabled,
        "io_logging_sampling_rate": workspace.io_logging_sampling_rate,
        "io_logging_api_key_ids": workspace.io_logging_api_key_ids,
        "is_data_discount_logging_enabled": False,
        "created_by": workspace.owner_id,
        "created_at": timestamp(workspace.created_at),
        "updated_at": timestamp(workspace.updated_at),
    }


def shown_budget(budget: Budget) -> ShownBudget:
    """A budget."""
    return {
        "id": budget.id,
        "workspace_id": budget.workspace_id,
        "limit_usd": money(budget.limit),
        "reset_interval": None if budget.interval == "lifetime" else budget.interval,
        "created_at": timestamp(budget.created_at),
        "updated_at": timestamp(budget.updated_at),
    }

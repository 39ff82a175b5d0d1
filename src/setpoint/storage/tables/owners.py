"""Workspaces, who they belong to, what they may spend, and their keys of either kind."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Table, Text, UniqueConstraint, false, true

from setpoint.storage.columns import FreeText, Moment, Money, Words
from setpoint.storage.tables.base import metadata

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("created_at", Moment, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("slug", FreeText, nullable=False, unique=True),
    Column("name", FreeText, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("owner_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    # Younger than the others. A deleted workspace keeps its row, under a slug that nobody can ask for.
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("description", FreeText),
    Column("default_text_model", FreeText),
    Column("default_provider_sort", Text),
    Column("include_byok_in_budgets", Boolean, nullable=False, server_default=true()),
    Column("is_observability_io_logging_enabled", Boolean, nullable=False, server_default=false()),
    Column("io_logging_sampling_rate", Float, nullable=False, server_default="1"),
    Column("io_logging_api_key_ids", Words),
    Index(None, "revision"),
)

# What a workspace may spend in an interval.
budgets = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), nullable=False),
    Column("interval", Text, nullable=False),
    Column("limit", Money, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "interval"),
)

keys = Table(
    "keys",
    metadata,
    Column("digest", FreeText, primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("label", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("inference", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), nullable=False),
    Column("creator_user_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("expires_at", Moment),
    Column("revision", BigInteger, nullable=False),
    # Younger than the others.
    Column("limit", Money),
    Column("limit_reset", Text),
    Column("include_byok_in_limit", Boolean, nullable=False, server_default=true()),
    Column("allowed_presets", Words),
    Column("allowed_models", Words),
    Column("allowed_providers", Words),
    Column("requests_per_minute", BigInteger),
    Column("tokens_per_minute", BigInteger),
    Index(None, "revision"),
    Index(None, "workspace_id", "created_at"),
)

# Credentials for providers. `sealed` is the key itself, which only the secret key opens; empty once it is deleted.
provider_keys = Table(
    "provider_keys",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("name", FreeText),
    Column("label", FreeText, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("is_fallback", Boolean, nullable=False),
    Column("sort_order", BigInteger, nullable=False),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id)),
    Column("allowed_models", Words),
    Column("allowed_api_key_hashes", Words),
    Column("allowed_user_ids", Words),
    Column("declared_region", FreeText),
    Column("declared_zdr", Boolean),
    Column("is_byok_only", Boolean, nullable=False),
    Column("is_required", Boolean, nullable=False),
    Column("creator_user_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("revision", BigInteger, nullable=False),
    Index(None, "revision"),
)

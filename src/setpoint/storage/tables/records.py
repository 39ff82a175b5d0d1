"""Records of answers, what they are listed by, and what was asked and answered."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, false

from setpoint.records import Attempt, Excluded, Planned
from setpoint.storage.columns import FreeText, Json, Moment, Money, Structs, Words
from setpoint.storage.tables.base import metadata

# Records outlive what they name, and must never be refused for its sake: no foreign keys here.
generations = Table(
    "generations",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("skin", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("key_digest", Text, nullable=False),
    Column("requested_model", FreeText),
    Column("model", FreeText, nullable=False),
    Column("provider", FreeText),
    Column("provider_name", FreeText),
    Column("preset_id", Text),
    Column("preset_slug", FreeText),
    Column("preset_version", BigInteger),
    Column("version_id", Text),
    Column("system_prompt_from", Text),
    Column("streamed", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("finish_reason", FreeText),
    Column("native_finish_reason", FreeText),
    Column("error_type", Text),
    Column("upstream_id", FreeText),
    Column("provider_cost", Money),
    Column("latency_ms", BigInteger),
    Column("generation_ms", BigInteger),
    Column("unsaid", Words, nullable=False),
    Column("not_honoured", Words, nullable=False),
    Column("session_id", FreeText),
    Column("external_user", FreeText),
    Column("http_referer", FreeText),
    Column("app_title", FreeText),
    Column("user_agent", FreeText),
    Column("service_tier", FreeText),
    Column("attempts", Structs(Attempt), nullable=False),
    # Of `usage`: all or none of them are null.
    Column("usage_input_tokens", BigInteger),
    Column("usage_output_tokens", BigInteger),
    Column("usage_cached_tokens", BigInteger),
    Column("usage_cache_write_tokens", BigInteger),
    Column("usage_reasoning_tokens", BigInteger),
    Column("usage_input_audio_tokens", BigInteger),
    Column("usage_output_audio_tokens", BigInteger),
    Column("usage_image_tokens", BigInteger),
    Column("usage_estimated", Boolean),
    # Of `cost`: likewise. Null is unknown, never nothing.
    Column("cost_prompt", Money),
    Column("cost_completion", Money),
    Column("cost_total", Money),
    # Of `usage`, too; younger than the others.
    Column("usage_cache_write_1h_tokens", BigInteger),
    Column("endpoints", Structs(Planned), nullable=False, server_default="[]"),
    Column("excluded", Structs(Excluded), nullable=False, server_default="[]"),
    Column("zero_completion", Boolean, nullable=False, server_default=false()),
    Column("user_id", Text, nullable=False, server_default=""),
    Column("metadata", Json),
    Column("trace", Json),
    Column("cost_drift", Boolean, nullable=False, server_default=false()),
    Column("usage_searches", BigInteger),
    Column("usage_images", BigInteger),
    Column("facet", BigInteger, nullable=False, server_default="0"),
    Index(None, "workspace_id", "created_at", "id", "facet"),
    Index(None, "facet", "created_at", "id"),
)

# What records are listed by: each combination that there is of them, once. Where there is no preset, or no provider,
# there is "" and 0.
facets = Table(
    "facets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Text, nullable=False),
    Column("key_digest", Text, nullable=False),
    Column("preset_slug", FreeText, nullable=False),
    Column("preset_version", BigInteger, nullable=False),
    Column("model", FreeText, nullable=False),
    Column("provider", FreeText, nullable=False),
    Column("status", Text, nullable=False),
    UniqueConstraint(
        *("workspace_id", "key_digest", "preset_slug", "preset_version", "model", "provider", "status"),
        name="uq_facets",
    ),
    Index(None, "workspace_id", "preset_slug", "preset_version"),
    Index(None, "workspace_id", "model"),
    Index(None, "workspace_id", "provider"),
    Index(None, "workspace_id", "status"),
)

# What was asked and answered, where that is kept at all: raw JSON.
contents = Table(
    "contents",
    metadata,
    Column("generation_id", FreeText, primary_key=True),
    Column("workspace_id", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("input", Json, nullable=False),
    Column("output", Json, nullable=False),
    Column("error", Json),
    Index(None, "created_at"),
)

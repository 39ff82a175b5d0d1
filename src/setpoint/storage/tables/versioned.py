"""Presets and their versions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Index, Table, Text, UniqueConstraint

from setpoint.storage.columns import FreeText, Json, Moment
from setpoint.storage.tables.base import metadata
from setpoint.storage.tables.owners import users, workspaces

presets = Table(
    "presets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), nullable=False),
    Column("creator_user_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("slug", Text, nullable=False),
    Column("name", FreeText, nullable=False),
    Column("description", FreeText),
    Column("status", Text, nullable=False),
    Column("designated_version", BigInteger, nullable=False),
    Column("latest_version", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("status_updated_at", Moment),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("workspace_id", "slug"),
    # Checked at the commit, because a preset and its first version come into being together.
    ForeignKeyConstraint(
        ["id", "designated_version"],
        ["versions.preset_id", "versions.version"],
        name="fk_presets_designated_version",
        deferrable=True,
        initially="DEFERRED",
        use_alter=True,
    ),
    Index(None, "revision"),
    Index(None, "workspace_id", "updated_at", "revision"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("preset_id", Text, ForeignKey(presets.c.id), nullable=False),
    Column("creator_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("system_prompt", Json),
    Column("config", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("preset_id", "version"),
)

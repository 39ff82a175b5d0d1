"""Presets and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

PresetStatus = Literal["active", "disabled", "archived"]


class Version(Struct, frozen=True, kw_only=True):
    """One immutable state of a preset.

    `system_prompt` is the prompt as a raw JSON string (with its quotes and escapes), None when there is none.
    `config` is a raw JSON object in canonical field names.
    """

    id: str
    preset_id: str
    creator_id: str
    version: int
    system_prompt: bytes | None
    config: bytes
    created_at: datetime


class Preset(Struct, frozen=True, kw_only=True):
    """A named configuration of one workspace, with the version that its name means now.

    `latest_version` is the number of the newest version. `revision` is the number of the last write that touched it.
    """

    id: str
    workspace_id: str
    creator_user_id: str
    slug: str
    name: str
    description: str | None
    status: PresetStatus
    designated: Version
    latest_version: int
    created_at: datetime
    updated_at: datetime
    status_updated_at: datetime | None
    revision: int

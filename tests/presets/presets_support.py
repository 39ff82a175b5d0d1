"""Versions and messages as tests of presets write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from setpoint.records import Version

USER: dict[str, Any] = {"role": "user", "content": "Hi"}


def version(config: object, prompt: str | None = None) -> Version:
    """A version with this config and system prompt; None: it has no prompt."""
    return Version(
        id="v",
        preset_id="p",
        creator_id="u",
        version=1,
        system_prompt=None if prompt is None else json.dumps(prompt).encode(),
        config=json.dumps(config).encode(),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def system(content: object) -> dict[str, Any]:
    """A system message."""
    return {"role": "system", "content": content}

"""Values that tests of the gateway share: the moment of a request, the key that it came with, and a preset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from setpoint.records import Key, Preset

if TYPE_CHECKING:
    from setpoint.records import Version

NOW = datetime(2026, 4, 20, 10, tzinfo=UTC)
KEY = Key(
    digest="d" * 64,
    name="k",
    label="k",
    role="caller",
    inference=True,
    disabled=False,
    deleted=False,
    workspace_id="w1",
    creator_user_id="u1",
    created_at=NOW,
    updated_at=None,
    expires_at=None,
    revision=1,
)


def preset(designated: Version) -> Preset:
    """The preset `triage`, whose designated version is also its latest."""
    return Preset(
        id="p1",
        workspace_id="w1",
        creator_user_id="u1",
        slug="triage",
        name="Triage",
        description=None,
        status="active",
        designated=designated,
        latest_version=designated.version,
        created_at=designated.created_at,
        updated_at=designated.created_at,
        status_updated_at=None,
        revision=1,
    )

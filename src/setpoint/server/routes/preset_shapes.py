"""Presets and their versions as answers show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from msgspec import Raw

from setpoint.ids import timestamp
from setpoint.presets.accounts import Account
from setpoint.presets.diff import Diff
from setpoint.presets.receipt import Caveat
from setpoint.server.routes.kinds import Anything, Time

if TYPE_CHECKING:
    from setpoint.records import Preset, Version


class ShownVersion(TypedDict):
    """One immutable state of a preset. `config` is an object; `system_prompt` a string, or null."""

    id: str
    preset_id: str
    creator_id: str
    version: int
    system_prompt: Anything | None
    config: Anything
    created_at: Time
    updated_at: Time


class ShownPreset(TypedDict):
    """A preset, without what it says."""

    id: str
    creator_user_id: str
    workspace_id: str
    name: str
    slug: str
    description: str | None
    status: Literal["active", "disabled", "archived"]
    designated_version_id: str
    created_at: Time
    updated_at: Time
    status_updated_at: Time | None


class DesignatedPreset(ShownPreset):
    """A preset, and the version that its name means now."""

    designated_version: ShownVersion


class ShownReceipt(TypedDict):
    """What became of each field of the body, what its author should know, and what is another than before."""

    fields: tuple[Account, ...]
    warnings: tuple[Caveat, ...]
    diff: Diff | None


class CreatedPreset(TypedDict):
    """The preset with its new version, and the receipt."""

    data: DesignatedPreset
    receipt: ShownReceipt


def designated(preset: Preset) -> DesignatedPreset:
    """A preset with the version that its name means now."""
    return {**shown_preset(preset), "designated_version": shown_version(preset.designated)}


def shown_preset(preset: Preset) -> ShownPreset:
    """A preset without what it says."""
    return {
        "id": preset.id,
        "creator_user_id": preset.creator_user_id,
        "workspace_id": preset.workspace_id,
        "name": preset.name,
        "slug": preset.slug,
        "description": preset.description,
        "status": preset.status,
        "designated_version_id": preset.designated.id,
        "created_at": timestamp(preset.created_at),
        "updated_at": timestamp(preset.updated_at),
        "status_updated_at": timestamp(preset.status_updated_at) if preset.status_updated_at else None,
    }


def shown_version(version: Version) -> ShownVersion:
    """A version with all that it says."""
    return {
        "id": version.id,
        "preset_id": version.preset_id,
        "creator_id": version.creator_id,
        "version": version.version,
        "system_prompt": Raw(version.system_prompt) if version.system_prompt is not None else None,
        "config": Raw(version.config),
        "created_at": timestamp(version.created_at),
        "updated_at": timestamp(version.created_at),
    }

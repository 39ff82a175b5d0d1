"""Which version of a preset a reference means: in memory for the designated one, else through an injected source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from setpoint.presets.reference import Reference
    from setpoint.records import Key, Preset, Version
    from setpoint.snapshot import Snapshot


class Versions:
    """Finds versions. `pinned` gives one that is not designated; it is the only thing here that may wait."""

    def __init__(self, pinned: Callable[[Preset, int], Awaitable[Version | None]]) -> None:
        self._pinned = pinned

    async def find(self, named: Reference, key: Key, snapshot: Snapshot) -> tuple[Preset, Version]:
        """The preset and version for a call with this key.

        Raises: `RequestError` (permission_denied) for one that the key may not use, `RequestError` (not_found) for
        what is unknown, archived or disabled, naming the slug or the pin;
        `GatewayError` (unavailable) when storage is needed and away.
        """
        preset = known(named.slug, key, snapshot)
        if preset.status == "disabled":
            raise RequestError("not_found", f"Preset {named.slug} is disabled")
        return preset, await self.pick(preset, named.pin)

    async def pick(self, preset: Preset, pin: str | None) -> Version:
        """The version of a preset that a pin means, the designated one without a pin. Raises: as `find`."""
        number = version_number(preset, pin)
        if number == preset.designated.version:
            return preset.designated
        version = await self._pinned(preset, number) if 1 <= number <= preset.latest_version else None
        if version is None:
            raise RequestError("not_found", f"Preset {preset.slug} has no version {pin}")
        return version


def known(slug: str, key: Key, snapshot: Snapshot) -> Preset:
    """The preset of this slug in the key's workspace, not archived. Raises: as `Versions.find`."""
    check_allowed(slug, key)
    preset = snapshot.presets.get((key.workspace_id, slug))
    if preset is None or preset.status == "archived":
        raise RequestError("not_found", f"Preset not found: {slug}")
    return preset


def check_allowed(slug: str, key: Key) -> None:
    """Whether the key may use the preset of this slug, if there is one.

    Raises: `RequestError` (permission_denied) when its list leaves it out.
    """
    if key.allowed_presets is not None and slug not in key.allowed_presets:
        raise RequestError("permission_denied", f"The allowed_presets of this key leave out {slug}")


def version_number(preset: Preset, pin: str | None) -> int:
    """The number that a pin stands for, whether there is such a version or not.

    Raises: `RequestError` (not_found) for a label.
    """
    match pin:
        case None | "designated":
            return preset.designated.version
        case "latest":
            return preset.latest_version
        case _ if pin.isdigit():
            return int(pin[:20])  # longer than any version number there can be
        case _:
            raise RequestError("not_found", f"Preset {preset.slug} has no label {pin}")

"""Which version of a preset a reference means, and what is answered when there is none."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from setpoint.errors import GatewayError, RequestError
from setpoint.gateway.versions import Versions, known, version_number
from setpoint.presets.reference import Reference
from setpoint.routing.catalog import Catalog
from setpoint.snapshot import Snapshot, SnapshotHolder
from support import records
from support.records import key, version

if TYPE_CHECKING:
    from setpoint.records import Preset, PresetStatus, Version

NOW = datetime(2026, 4, 20, 10, tzinfo=UTC)


def preset(status: PresetStatus = "active", slug: str = "triage") -> Preset:
    """A preset of nine versions of which the seventh is the designated one."""
    return records.preset(version(7), slug=slug, status=status, latest_version=9)


def snapshot(*presets: Preset) -> Snapshot:
    holder = SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={}))
    holder.apply(1, presets, ())
    return holder.current


class Stored:
    """A store of versions in place of the real one, which remembers what it was asked for."""

    def __init__(self, *numbers: int, away: bool = False) -> None:
        self._numbers = numbers
        self._away = away
        self.asked: list[tuple[str, int]] = []

    async def find(self, of: Preset, number: int) -> Version | None:
        self.asked.append((of.slug, number))
        if self._away:
            raise GatewayError("unavailable", "Service temporarily unavailable", retry_after_s=1)
        return version(number) if number in self._numbers else None


def find(named: Reference, stored: Stored, *presets: Preset, **of_key: Any) -> tuple[Preset, Version]:
    return asyncio.run(Versions(stored.find).find(named, key(**of_key), snapshot(*presets)))


def refused(named: Reference, *presets: Preset, status: int = 404, **of_key: Any) -> str:
    with pytest.raises(RequestError) as caught:
        find(named, Stored(*range(1, 10)), *presets, **of_key)
    assert caught.value.status == status
    return caught.value.message


@pytest.mark.parametrize("pin", [None, "7", "designated"])
def test_the_designated_version_is_in_memory(pin: str | None) -> None:
    stored = Stored(away=True)
    found, which = find(Reference("triage", pin), stored, preset())
    assert (found.slug, which) == ("triage", version(7))
    assert stored.asked == []


@pytest.mark.parametrize(("pin", "number"), [("1", 1), ("9", 9), ("latest", 9)])
def test_another_version_comes_from_storage(pin: str, number: int) -> None:
    stored = Stored(1, 9)
    _, which = find(Reference("triage", pin), stored, preset())
    assert which == version(number)
    assert stored.asked == [("triage", number)]


@pytest.mark.parametrize("pin", ["0", "10", "9223372036854775808", "1" * 5000])
def test_a_number_that_no_version_has_is_not_looked_for(pin: str) -> None:
    stored = Stored(*range(1, 10))
    with pytest.raises(RequestError, match="has no version"):
        find(Reference("triage", pin), stored, preset())
    assert stored.asked == []


def test_a_version_that_storage_does_not_have_is_not_found() -> None:
    with pytest.raises(RequestError, match="triage has no version 3"):
        find(Reference("triage", "3"), Stored(), preset())


def test_a_label_is_not_found_by_its_name() -> None:
    assert refused(Reference("triage", "production"), preset()) == "Preset triage has no label production"


def test_an_unknown_an_archived_and_another_workspaces_preset_read_the_same() -> None:
    told = {
        refused(Reference("triage")),
        refused(Reference("triage"), preset("archived")),
        refused(Reference("triage"), preset(), workspace_id="w2"),
        refused(Reference("triage", "1"), preset("archived")),
    }
    assert told == {"Preset not found: triage"}


def test_a_preset_outside_the_keys_list_is_refused_whether_it_is_there_or_not() -> None:
    listed: dict[str, Any] = {"allowed_presets": ("Triage", "other")}
    told = {
        refused(Reference("triage", pin), *there, status=403, **listed)
        for pin in (None, "1", "x")
        for there in ((), (preset(),))
    }
    assert told == {"The allowed_presets of this key leave out triage"}
    assert find(Reference("other"), Stored(), preset(slug="other"), **listed)[0].slug == "other"
    assert refused(Reference("other"), **listed) == "Preset not found: other"


def test_slugs_are_told_apart_by_case() -> None:
    assert refused(Reference("Triage"), preset()) == "Preset not found: Triage"


@pytest.mark.parametrize("pin", [None, "1", "production"])
def test_a_disabled_preset_says_so(pin: str | None) -> None:
    assert refused(Reference("triage", pin), preset("disabled")) == "Preset triage is disabled"


def test_storage_that_is_away_is_unavailable_and_never_another_version() -> None:
    with pytest.raises(GatewayError) as caught:
        find(Reference("triage", "1"), Stored(away=True), preset())
    assert (caught.value.type, caught.value.retry_after_s) == ("unavailable", 1)


def test_management_may_know_a_disabled_preset() -> None:
    assert known("triage", key(), snapshot(preset("disabled"))).status == "disabled"


@pytest.mark.parametrize(("pin", "number"), [(None, 7), ("designated", 7), ("latest", 9), ("0", 0), ("12", 12)])
def test_a_pin_stands_for_a_number_whether_there_is_such_a_version_or_not(pin: str | None, number: int) -> None:
    assert version_number(preset(), pin) == number


def test_designation_moves_the_name_and_not_the_pin() -> None:
    rolled_back = structs.replace(preset(), designated=version(2))
    assert version_number(rolled_back, None) == 2
    assert version_number(rolled_back, "7") == 7

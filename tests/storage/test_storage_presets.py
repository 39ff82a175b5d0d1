"""Presets and versions: numbers, times, statuses, pages, and what many at once leave behind."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from setpoint.errors import RequestError
from setpoint.records import Preset, Version
from setpoint.storage import presets

if TYPE_CHECKING:
    from setpoint.storage.database import Database
    from setpoint.storage.workspaces import Owner

LARGEST = 2**63 - 1


def all_versions(database: Database, preset_id: str) -> list[Version]:
    with database.read() as connection:
        return presets.list_versions(connection, preset_id, offset=0, limit=1000)[0]


def page(database: Database, owner: Owner, offset: int, limit: int) -> tuple[list[Preset], int]:
    with database.read() as connection:
        return presets.list_presets(connection, owner.workspace_id, offset=offset, limit=limit)


def find(database: Database, owner: Owner, slug: str) -> Preset | None:
    with database.read() as connection:
        return presets.get(connection, owner.workspace_id, slug)


def test_first_version_makes_the_preset(
    database: Database, owner: Owner, capture: Callable[..., Preset], now: datetime
) -> None:
    preset = capture("triage", config=b'{"temperature":0.20}', system_prompt=b'"You \\ud800 \xc3\xbc"')
    assert (preset.slug, preset.name, preset.description, preset.status) == ("triage", "triage", None, "active")
    assert (preset.workspace_id, preset.creator_user_id) == (owner.workspace_id, owner.user_id)
    assert (preset.created_at, preset.updated_at, preset.status_updated_at) == (now, now, None)
    assert preset.latest_version == 1
    version = preset.designated
    assert (version.version, version.preset_id, version.creator_id) == (1, preset.id, owner.user_id)
    assert (version.config, version.system_prompt) == (b'{"temperature":0.20}', b'"You \\ud800 \xc3\xbc"')
    assert find(database, owner, "triage") == preset


def test_next_version_replaces_the_whole_configuration(capture: Callable[..., Preset], database: Database) -> None:
    first = capture("a", config=b'{"top_p":1}', system_prompt=b'"x"')
    second = capture("a", config=b"{}")
    assert (second.id, second.designated.version, second.latest_version) == (first.id, 2, 2)
    assert (second.designated.config, second.designated.system_prompt) == (b"{}", None)
    assert all_versions(database, first.id) == [first.designated, second.designated]


def test_slugs_differ_by_case_and_by_workspace(database: Database, capture: Callable[..., Preset]) -> None:
    assert capture("a").id != capture("A").id
    with database.read() as connection:
        assert presets.get(connection, "another", "a") is None
        assert presets.list_presets(connection, "another", offset=0, limit=10) == ([], 0)
    with pytest.raises(RequestError) as caught:
        capture("a", workspace_id="gone")
    assert caught.value.type == "not_found"


def test_number_after_a_rollback_is_new(capture: Callable[..., Preset], database: Database, now: datetime) -> None:
    preset = capture("a")
    capture("a")
    with database.write() as connection:
        back = presets.designate(connection, preset.id, 1, now=now)
    assert (back.designated, back.latest_version) == (preset.designated, 2)
    assert capture("a").designated.version == 3


def test_only_versions_of_the_preset_can_be_designated(
    capture: Callable[..., Preset], database: Database, owner: Owner, now: datetime
) -> None:
    preset, other = capture("a"), capture("b")
    capture("b")
    for number in (0, -1, 2, LARGEST, LARGEST + 1, 10**30):
        with pytest.raises(RequestError) as caught, database.write() as connection:
            presets.designate(connection, preset.id, number, now=now)
        assert caught.value.type == "not_found"
    with database.read() as connection:
        assert presets.get_version(connection, preset.id, 1) == preset.designated
        assert presets.get_version(connection, preset.id, 2) is None
        assert presets.get_version(connection, preset.id, 10**30) is None
        assert presets.get_version(connection, other.id, 2) is not None
    assert find(database, owner, "a") == preset


def test_status_decides_about_new_versions(capture: Callable[..., Preset], database: Database, now: datetime) -> None:
    preset = capture("a")
    with database.write() as connection:
        disabled = presets.update(connection, preset.id, status="disabled", now=now)
    assert disabled.status_updated_at == disabled.updated_at > preset.updated_at
    still = capture("a")
    assert (still.status, still.designated.version) == ("disabled", 2)
    assert still.status_updated_at == disabled.status_updated_at
    with database.write() as connection:
        archived = presets.archive(connection, preset.id, now=now)
    with pytest.raises(RequestError) as caught:
        capture("a")
    assert (caught.value.type, caught.value.message) == ("conflict", "Preset a is archived")
    assert len(all_versions(database, preset.id)) == archived.latest_version == 2
    with database.write() as connection:
        presets.update(connection, preset.id, status="active", now=now)
    assert capture("a").designated.version == 3


def test_update_changes_what_is_given_and_nothing_else(
    capture: Callable[..., Preset], database: Database, now: datetime
) -> None:
    preset = capture("a")
    with database.write() as connection:
        named = presets.update(connection, preset.id, name="Ä name", description="what it is for", now=now)
        assert (named.name, named.description, named.status) == ("Ä name", "what it is for", "active")
        assert named.status_updated_at is None
        emptied = presets.update(connection, preset.id, description=None, now=now)
        assert (emptied.name, emptied.description) == ("Ä name", None)
        assert presets.update(connection, preset.id, name="Ä name", status="active", now=now) == emptied
        assert presets.designate(connection, preset.id, 1, now=now) == emptied


def test_unknown_preset_is_not_found(database: Database, owner: Owner, now: datetime) -> None:
    assert find(database, owner, "a") is None
    with pytest.raises(RequestError) as caught, database.write() as connection:
        presets.archive(connection, "no such id", now=now)
    assert caught.value.type == "not_found"


def test_name_that_no_database_can_hold_is_kept_as_its_escape(
    capture: Callable[..., Preset], database: Database, now: datetime
) -> None:
    preset = capture("a")
    with database.write() as connection:
        assert presets.update(connection, preset.id, name="a\0b\ud800ü", now=now).name == "a\\x00b\\ud800ü"


def test_updated_at_rises_whatever_the_clock_does(
    capture: Callable[..., Preset], database: Database, now: datetime
) -> None:
    seen = [capture("a")]
    seen += [capture("a", now=now + step) for step in (timedelta(0), timedelta(hours=-1), timedelta(microseconds=1))]
    with database.write() as connection:
        seen.append(presets.update(connection, seen[0].id, name="b", now=now - timedelta(days=1)))
        seen.append(presets.designate(connection, seen[0].id, 1, now=now))
        seen.append(presets.archive(connection, seen[0].id, now=now))
    times = [preset.updated_at for preset in seen]
    assert all(earlier < later for earlier, later in itertools.pairwise(times))
    assert times[1] - times[0] == timedelta(microseconds=1)
    created = [version.created_at for version in all_versions(database, seen[0].id)]
    assert created == times[:4]


def test_walking_the_pages_shows_each_preset_once_last_changed_first(
    capture: Callable[..., Preset], database: Database, owner: Owner, now: datetime
) -> None:
    slugs = [f"p{number}" for number in range(25)]
    for slug in slugs:
        capture(slug)
    capture("p3", now=now + timedelta(seconds=1))
    walked: list[str] = []
    for offset in range(0, 35, 7):
        found, total = page(database, owner, offset, 7)
        assert total == 25
        walked += [preset.slug for preset in found]
    assert walked == ["p3", *(slug for slug in reversed(slugs) if slug != "p3")]


def test_pages_past_the_end_are_empty(capture: Callable[..., Preset], database: Database, owner: Owner) -> None:
    preset = capture("a")
    assert page(database, owner, LARGEST, 100) == ([], 1)
    with database.read() as connection:
        assert presets.list_versions(connection, preset.id, offset=LARGEST, limit=100) == ([], 1)
        assert presets.list_versions(connection, preset.id, offset=0, limit=1) == ([preset.designated], 1)


def test_versions_are_listed_in_the_order_of_their_numbers(capture: Callable[..., Preset], database: Database) -> None:
    preset = [capture("a") for _ in range(12)][-1]
    with database.read() as connection:
        found, total = presets.list_versions(connection, preset.id, offset=8, limit=3)
    assert ([version.version for version in found], total) == ([9, 10, 11], 12)


def test_many_captures_of_one_slug_at_once_number_without_gap(
    capture: Callable[..., Preset], database: Database, owner: Owner
) -> None:
    many = 64
    start = threading.Barrier(many)

    def save(number: int) -> Preset:
        start.wait()
        return capture("a", config=b'{"seed":%d}' % number)

    with ThreadPoolExecutor(many) as threads:
        answers = list(threads.map(save, range(many)))
    assert sorted(answer.designated.version for answer in answers) == list(range(1, many + 1))
    assert len({answer.id for answer in answers}) == 1
    stored = all_versions(database, answers[0].id)
    assert {version.version: version for version in stored} == {
        answer.designated.version: answer.designated for answer in answers
    }
    assert max(answers, key=lambda answer: answer.designated.version) == find(database, owner, "a")


Done = tuple[str, Preset]


def check_order(done: list[Done]) -> None:
    """Every outcome is what one after the other would have given, in the order of the revisions."""
    latest, designated, status = 1, 1, "active"
    # A designation that changes nothing answers with the preset as it was: it stands behind the write it has seen.
    for action, preset in sorted(done, key=lambda one: (one[1].revision, one[0] == "designate")):
        match action:
            case "capture":
                assert status == "active"
                latest += 1
                designated = latest
            case "designate":
                designated = 1
            case _:
                status = "archived"
        assert (preset.latest_version, preset.designated.version, preset.status) == (latest, designated, status)


def test_capture_archive_and_designate_at_once_have_an_order(
    capture: Callable[..., Preset], database: Database, owner: Owner, now: datetime
) -> None:
    many = 16

    def act(number: int, first: Preset, start: threading.Barrier) -> Done | None:
        start.wait()
        if number % 4:
            try:
                return "capture", capture(first.slug)
            except RequestError as error:
                if error.type != "conflict":
                    raise
                return None
        with database.write() as connection:
            if number == 0:
                return "archive", presets.archive(connection, first.id, now=now)
            return "designate", presets.designate(connection, first.id, 1, now=now)

    for slug in ("a", "b", "c", "d"):
        first = capture(slug)
        start = threading.Barrier(many)
        with ThreadPoolExecutor(many) as threads:
            outcomes = [future.result() for future in [threads.submit(act, n, first, start) for n in range(many)]]
        done = [outcome for outcome in outcomes if outcome is not None]
        check_order(done)
        end = find(database, owner, slug)
        assert end is not None
        assert end == max((preset for _, preset in done), key=lambda preset: preset.revision)
        assert end.latest_version == 1 + sum(action == "capture" for action, _ in done)
        assert [v.version for v in all_versions(database, first.id)] == list(range(1, end.latest_version + 1))

"""The preset operations over HTTP: objects with every key, lists in order, versions by every kind of reference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from api.api_support import SKINS, USER, create, data_of, fresh, get, refused
from support.http import call

if TYPE_CHECKING:
    from support.processes import Gateway, StartGateway

PRESET_KEYS = {
    *("id", "creator_user_id", "workspace_id", "name", "slug", "description", "status", "status_updated_at"),
    *("created_at", "updated_at", "designated_version_id"),
}
VERSION_KEYS = {"id", "preset_id", "creator_id", "version", "system_prompt", "config", "created_at", "updated_at"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

BODY: dict[str, Any] = {"model": "sim/solo", "messages": [{"role": "system", "content": "Be short."}, USER]}


# --- objects -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skin", SKINS)
def test_a_creation_answers_200_with_every_key_of_the_preset_and_its_version(
    shared_gateway: Gateway, skin: str
) -> None:
    slug = fresh()
    answer = shared_gateway.call("POST", f"/presets/{slug}/{skin}", {"model": "sim/solo", "temperature": 0.5})
    assert (answer.status, set(answer.json())) == (200, {"data", "receipt"})
    preset = answer.json()["data"]
    assert set(preset) == PRESET_KEYS | {"designated_version"}
    version = preset["designated_version"]
    assert set(version) == VERSION_KEYS
    assert (preset["name"], preset["slug"], preset["description"], preset["status"]) == (slug, slug, None, "active")
    assert preset["status_updated_at"] is None
    assert all(UUID.fullmatch(preset[name]) for name in ("id", "workspace_id", "designated_version_id"))
    assert re.fullmatch(r"user_\w{27}", preset["creator_user_id"])
    assert version["creator_id"] == preset["creator_user_id"]
    assert (version["id"], version["preset_id"]) == (preset["designated_version_id"], preset["id"])
    assert (version["version"], version["system_prompt"]) == (1, None)
    assert version["config"] == {"model": "sim/solo", "temperature": 0.5}
    assert MOMENT.fullmatch(preset["created_at"])
    moments = {preset["created_at"], preset["updated_at"], version["created_at"], version["updated_at"]}
    assert len(moments) == 1


def test_an_update_answers_200_and_designates_the_next_version(shared_gateway: Gateway) -> None:
    slug = fresh()
    first = create(shared_gateway, slug, BODY)
    second = create(shared_gateway, slug, {"model": "sim/model"})
    assert second["id"] == first["id"]
    assert second["designated_version"]["version"] == 2
    assert second["designated_version_id"] == second["designated_version"]["id"] != first["designated_version_id"]
    assert second["created_at"] == first["created_at"] < second["updated_at"]
    assert second["designated_version"]["created_at"] == second["updated_at"]


def test_what_was_created_can_be_read_at_once_and_is_the_same(shared_gateway: Gateway) -> None:
    made = create(shared_gateway, slug := fresh(), BODY)
    assert get(shared_gateway, slug) == made
    version = made["designated_version"]
    assert data_of(shared_gateway.call("GET", f"/presets/{slug}/versions/1")) == version
    listed = shared_gateway.call("GET", f"/presets/{slug}/versions").json()
    assert listed == {"data": [version], "total_count": 1}


def test_a_new_version_keeps_nothing_of_the_old_one(shared_gateway: Gateway) -> None:
    slug = fresh()
    create(shared_gateway, slug, {**BODY, "temperature": 1, "top_p": 0.5})
    made = create(shared_gateway, slug, {"seed": 7})
    assert made["designated_version"]["config"] == {"seed": 7}
    assert made["designated_version"]["system_prompt"] is None


def test_every_creation_makes_a_version_even_when_nothing_changed(shared_gateway: Gateway) -> None:
    slug = fresh()
    versions = [create(shared_gateway, slug, BODY)["designated_version"] for _ in range(3)]
    assert [version["version"] for version in versions] == [1, 2, 3]
    assert len({version["id"] for version in versions}) == 3


def test_the_same_answers_stand_under_the_short_base_path(shared_gateway: Gateway) -> None:
    made = create(shared_gateway, slug := fresh(), BODY)
    short = call("GET", f"{shared_gateway.origin}/v1/presets/{slug}", key=shared_gateway.key)
    assert data_of(short) == made


# --- lists ---------------------------------------------------------------------------------------------------


def test_the_list_has_the_plain_objects_with_the_last_changed_first(shared_gateway: Gateway) -> None:
    slugs = [fresh() for _ in range(3)]
    for slug in slugs:
        create(shared_gateway, slug, BODY)
    changed = create(shared_gateway, slugs[0], {"seed": 1})
    listed = shared_gateway.call("GET", "/presets").json()
    assert set(listed) == {"data", "total_count"}
    assert [row["slug"] for row in listed["data"][:3]] == [slugs[0], slugs[2], slugs[1]]
    assert all(set(row) == PRESET_KEYS for row in listed["data"])
    del changed["designated_version"]
    assert listed["data"][0] == changed


def test_presets_of_every_status_are_listed(shared_gateway: Gateway) -> None:
    slugs = [fresh() for _ in range(3)]
    for slug, status in zip(slugs, ("active", "disabled", "archived"), strict=True):
        create(shared_gateway, slug, BODY)
        data_of(shared_gateway.call("PATCH", f"/presets/{slug}", {"status": status}))
    rows = shared_gateway.call("GET", "/presets?limit=3").json()["data"]
    assert [row["status"] for row in rows] == ["archived", "disabled", "active"]


def test_walking_pages_shows_each_preset_once(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    assert gateway.call("GET", "/presets").json() == {"data": [], "total_count": 0}
    slugs = [fresh() for _ in range(51)]
    for slug in slugs:
        create(gateway, slug, {})
    expected = slugs[::-1]

    def page(query: str) -> list[str]:
        listed = gateway.call("GET", f"/presets{query}").json()
        assert listed["total_count"] == 51
        return [row["slug"] for row in listed["data"]]

    assert page("") == expected[:50], "the default is a page of 50"
    assert page("?offset=0&limit=100") == expected
    assert page("?limit=20") + page("?offset=20&limit=20") + page("?offset=40&limit=20") == expected
    assert page("?offset=50&limit=1") == [slugs[0]]
    assert page("?offset=51") == page("?offset=9223372036854775807") == []


def test_versions_are_listed_from_the_first_in_pages(shared_gateway: Gateway) -> None:
    slug = fresh()
    for number in range(52):
        create(shared_gateway, slug, {"seed": number})

    def page(query: str) -> list[int]:
        listed = shared_gateway.call("GET", f"/presets/{slug}/versions{query}").json()
        assert (set(listed), listed["total_count"]) == ({"data", "total_count"}, 52)
        assert all(set(row) == VERSION_KEYS and row["config"] == {"seed": row["version"] - 1} for row in listed["data"])
        return [row["version"] for row in listed["data"]]

    assert page("") == list(range(1, 51))
    assert page("?limit=100") == list(range(1, 53))
    assert page("?offset=50&limit=1") == [51]
    assert page("?offset=52&limit=5") == []


@pytest.mark.parametrize("path", ["/presets", "/presets/{slug}/versions"])
@pytest.mark.parametrize(
    "query",
    [
        *("offset=-1", "offset=x", "offset=1.5", "offset=", "offset=%2B1", "offset=1e3", "offset=9223372036854775808"),
        *("offset=%D9%A1", "offset=0x1", f"offset={'9' * 5_000}", "offset=null"),
        *("limit=0", "limit=101", "limit=-1", "limit=all", "limit=", "limit=9223372036854775808", "limit=1_0"),
    ],
)
def test_an_offset_or_limit_that_is_none_or_out_of_bounds_is_refused(
    shared_gateway: Gateway, path: str, query: str
) -> None:
    slug = "paged"
    create(shared_gateway, slug, {})
    message = refused(shared_gateway.call("GET", f"{path.format(slug=slug)}?{query}"), 400)
    assert message.startswith(query.partition("=")[0] + ": ")


# --- one version ---------------------------------------------------------------------------------------------


def test_a_version_is_found_by_its_number_and_by_two_words(shared_gateway: Gateway) -> None:
    slug = fresh()
    for seed in (1, 2, 3):
        create(shared_gateway, slug, {"seed": seed})
    data_of(shared_gateway.call("POST", f"/presets/{slug}/versions/2/designate", {}))

    def seed_of(ref: str) -> int:
        return data_of(shared_gateway.call("GET", f"/presets/{slug}/versions/{ref}"))["config"]["seed"]

    assert [seed_of(ref) for ref in ("1", "2", "3", "latest", "designated")] == [1, 2, 3, 3, 2]


@pytest.mark.parametrize(
    "ref", ["0", "2", "9223372036854775807", "9223372036854775808", "1" + "0" * 40, "production", "a", "v1_x-2"]
)
@pytest.mark.parametrize("operation", ["GET {}", "POST {}/designate"])
def test_an_unknown_version_is_a_404_that_names_it(shared_gateway: Gateway, ref: str, operation: str) -> None:
    create(shared_gateway, slug := fresh(), {})
    method, _, path = operation.format(f"/presets/{slug}/versions/{ref}").partition(" ")
    assert ref in refused(shared_gateway.call(method, path, None if method == "GET" else {}), 404)
    assert get(shared_gateway, slug)["designated_version"]["version"] == 1


@pytest.mark.parametrize(
    "ref",
    ["007", "01", "00", "-1", "+1", "1.0", "1e0", "V1", "1a", "", " 1", "\u0661", "Latest", "a" * 65, "x y", "%00"],
)
def test_what_is_no_reference_to_a_version_is_refused(shared_gateway: Gateway, ref: str) -> None:
    create(shared_gateway, slug := fresh(), {})
    path = f"/presets/{slug}/versions/{quote(ref, safe='%')}"
    assert refused(shared_gateway.call("GET", path), 400).startswith("version: ")


# --- errors --------------------------------------------------------------------------------------------------

ON_ONE = [
    ("GET", "/presets/{}"),
    ("PATCH", "/presets/{}"),
    ("DELETE", "/presets/{}"),
    ("GET", "/presets/{}/versions"),
    ("GET", "/presets/{}/versions/1"),
    ("POST", "/presets/{}/versions/1/designate"),
]
CREATIONS = [("POST", "/presets/{}/" + skin) for skin in SKINS]


@pytest.mark.parametrize(("method", "path"), [("GET", "/presets"), *ON_ONE, *CREATIONS])
def test_nobody_does_anything_without_a_key(shared_gateway: Gateway, method: str, path: str) -> None:
    made = create(shared_gateway, slug := fresh(), {})
    url = shared_gateway.url + path.format(slug)
    assert refused(call(method, url), 401) == "Missing Authentication header"
    assert refused(call(method, url, headers={"Authorization": "Basic eDp5"}), 401) == "Missing Authentication header"
    assert refused(call(method, url, key="sk-sp-v1-" + "0" * 64), 401) == "Invalid credentials"
    assert get(shared_gateway, slug) == made


@pytest.mark.parametrize(("method", "path"), ON_ONE)
def test_a_preset_that_is_not_there_is_a_404(shared_gateway: Gateway, method: str, path: str) -> None:
    refused(shared_gateway.call(method, path.format("nobody-made-this"), None if method == "GET" else {}), 404)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/presets", {"GET"}),
        ("/presets/x", {"GET", "PATCH", "DELETE"}),
        ("/presets/x/chat/completions", {"POST"}),
        ("/presets/x/messages", {"POST"}),
        ("/presets/x/responses", {"POST"}),
        ("/presets/x/versions", {"GET"}),
        ("/presets/x/versions/1", {"GET"}),
        ("/presets/x/versions/1/designate", {"POST"}),
    ],
)
def test_a_method_that_a_path_has_not_is_a_405_that_says_which_it_has(
    shared_gateway: Gateway, path: str, allowed: set[str]
) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
        answer = shared_gateway.call(method, path)
        assert method in refused(answer, 405)
        assert set((answer.header("allow") or "").split(", ")) == allowed

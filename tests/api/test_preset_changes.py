"""Our own operations on presets: rename, describe, status, archive, designate; and what a status means elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import create, data_of, fresh, get, new_key, refused

if TYPE_CHECKING:
    from support.processes import Gateway


def patch(gateway: Gateway, slug: str, **members: Any) -> dict[str, Any]:
    return data_of(gateway.call("PATCH", f"/presets/{slug}", members))


def designate(gateway: Gateway, slug: str, ref: str) -> dict[str, Any]:
    return data_of(gateway.call("POST", f"/presets/{slug}/versions/{ref}/designate", {}))


def test_name_and_description_change_alone(shared_gateway: Gateway) -> None:
    made = create(shared_gateway, slug := fresh(), {"seed": 1})
    named = patch(shared_gateway, slug, name="Triage of parcels \u00e9\U0001f4e6")
    assert named == {**made, "name": "Triage of parcels \u00e9\U0001f4e6", "updated_at": named["updated_at"]}
    described = patch(shared_gateway, slug, description="first line\nsecond line")
    assert described == {**named, "description": "first line\nsecond line", "updated_at": described["updated_at"]}
    cleared = patch(shared_gateway, slug, description=None)
    assert cleared["description"] is None
    assert get(shared_gateway, slug) == cleared
    assert made["updated_at"] < named["updated_at"] < described["updated_at"] < cleared["updated_at"]


def test_a_status_change_is_dated_and_nothing_else_moves_that_date(shared_gateway: Gateway) -> None:
    create(shared_gateway, slug := fresh(), {})
    disabled = patch(shared_gateway, slug, status="disabled")
    assert disabled["status_updated_at"] == disabled["updated_at"]
    again = patch(shared_gateway, slug, status="disabled")
    assert again == disabled, "what is so already changes nothing"
    renamed = patch(shared_gateway, slug, name="other")
    assert renamed["status_updated_at"] == disabled["status_updated_at"] < renamed["updated_at"]
    active = patch(shared_gateway, slug, status="active")
    assert active["status_updated_at"] == active["updated_at"] > renamed["updated_at"]


def test_updated_at_rises_with_every_change_however_fast_they_come(shared_gateway: Gateway) -> None:
    create(shared_gateway, slug := fresh(), {})
    moments = [get(shared_gateway, slug)["updated_at"]]
    for number in range(10):
        moments.append(create(shared_gateway, slug, {"seed": number})["updated_at"])
        moments.append(patch(shared_gateway, slug, name=f"n{number}")["updated_at"])
        moments.append(designate(shared_gateway, slug, "1")["updated_at"])
    assert moments == sorted(set(moments))


def test_a_disabled_preset_takes_versions_and_stays_disabled(shared_gateway: Gateway) -> None:
    create(shared_gateway, slug := fresh(), {})
    disabled = patch(shared_gateway, slug, status="disabled")
    made = create(shared_gateway, slug, {"seed": 2})
    assert (made["status"], made["designated_version"]["version"]) == ("disabled", 2)
    assert made["status_updated_at"] == disabled["status_updated_at"]


def test_an_archived_preset_can_be_read_and_takes_no_versions(shared_gateway: Gateway) -> None:
    create(shared_gateway, slug := fresh(), {"seed": 1})
    archived = data_of(shared_gateway.call("DELETE", f"/presets/{slug}"))
    assert archived["status"] == "archived"
    assert archived["status_updated_at"] == archived["updated_at"]
    for skin in ("chat/completions", "messages", "responses"):
        assert slug in refused(shared_gateway.call("POST", f"/presets/{slug}/{skin}", {}), 409)
    assert get(shared_gateway, slug) == archived
    assert shared_gateway.call("GET", f"/presets/{slug}/versions").json()["total_count"] == 1
    assert shared_gateway.call("GET", "/presets").json()["data"][0]["slug"] == slug
    assert data_of(shared_gateway.call("DELETE", f"/presets/{slug}")) == archived, "twice is once"


def test_an_archived_preset_can_be_brought_back(shared_gateway: Gateway) -> None:
    create(shared_gateway, slug := fresh(), {})
    patch(shared_gateway, slug, status="archived")
    assert patch(shared_gateway, slug, status="active")["status"] == "active"
    assert create(shared_gateway, slug, {})["designated_version"]["version"] == 2


def test_a_rollback_is_one_pointer(shared_gateway: Gateway) -> None:
    slug = fresh()
    versions = [create(shared_gateway, slug, {"seed": seed})["designated_version"] for seed in (1, 2, 3)]
    before = get(shared_gateway, slug)
    moved = designate(shared_gateway, slug, "1")
    assert moved["designated_version"] == versions[0]
    assert moved["designated_version_id"] == versions[0]["id"]
    assert moved["updated_at"] > before["updated_at"]
    assert get(shared_gateway, slug) == moved
    assert designate(shared_gateway, slug, "1") == moved, "what is so already changes nothing"
    assert designate(shared_gateway, slug, "latest")["designated_version"] == versions[2]
    assert designate(shared_gateway, slug, "designated")["designated_version"] == versions[2]
    assert shared_gateway.call("GET", f"/presets/{slug}/versions").json()["data"] == versions
    designate(shared_gateway, slug, "2")
    assert create(shared_gateway, slug, {"seed": 4})["designated_version"]["version"] == 4, "no number is used again"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"status": "deleted"}, "status"),
        ({"status": None}, "status"),
        ({"status": ["active"]}, "status"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "\u001b[31mred"}, "name"),
        ({"description": 5}, "description"),
        ({"description": "x" * 2_001}, "description"),
        ({"slug": "other"}, "slug"),
        ({"designated_version_id": "x"}, "designated_version_id"),
        ({"name": "fine", "config": {}}, "config"),
    ],
)
def test_what_a_preset_cannot_become_is_refused_whole(shared_gateway: Gateway, body: Any, path: str) -> None:
    made = create(shared_gateway, slug := fresh(), {})
    assert refused(shared_gateway.call("PATCH", f"/presets/{slug}", body), 400).startswith(f"{path}: ")
    assert get(shared_gateway, slug) == made


def test_a_change_of_nothing_changes_nothing(shared_gateway: Gateway) -> None:
    made = create(shared_gateway, slug := fresh(), {})
    assert patch(shared_gateway, slug) == made
    for body in (b"", b"[]", b'"active"', b"{", b"null"):
        refused(shared_gateway.call("PATCH", f"/presets/{slug}", body=body), 400)
    assert get(shared_gateway, slug) == made


@pytest.mark.parametrize("call", ["PATCH {}", "DELETE {}", "POST {}/versions/1/designate", "POST {}/messages"])
def test_a_precondition_that_would_not_be_checked_is_refused(shared_gateway: Gateway, call: str) -> None:
    made = create(shared_gateway, slug := fresh(), {})
    create(shared_gateway, slug, {})
    now = get(shared_gateway, slug)
    method, _, path = call.format(f"/presets/{slug}").partition(" ")
    answer = shared_gateway.call(method, path, {}, headers={"If-Match": f'"{made["designated_version_id"]}"'})
    assert refused(answer, 400).startswith("If-Match: ")
    assert answer.json()["error"]["metadata"]["reason"] == "unsupported"
    assert get(shared_gateway, slug) == now


def test_who_may_change_a_preset_is_a_matter_of_the_role(shared_gateway: Gateway) -> None:
    made = create(shared_gateway, slug := fresh(), {})
    caller, reader, editor = (new_key(shared_gateway, role=role)[0] for role in ("caller", "read_only", "editor"))
    for key, role in ((caller, "caller"), (reader, "read_only")):
        assert role in refused(shared_gateway.call("PATCH", f"/presets/{slug}", {"name": "n"}, key=key), 403)
        assert role in refused(shared_gateway.call("DELETE", f"/presets/{slug}", key=key), 403)
        assert role in refused(shared_gateway.call("POST", f"/presets/{slug}/versions/1/designate", {}, key=key), 403)
    unread = shared_gateway.call("POST", f"/presets/{slug}/messages", body=b"{", key=reader)
    assert "read_only" in refused(unread, 403), "the role is looked at before the body"
    assert get(shared_gateway, slug) == made
    assert data_of(shared_gateway.call("GET", f"/presets/{slug}", key=reader)) == made
    assert data_of(shared_gateway.call("POST", f"/presets/{slug}/messages", {}, key=caller))["id"] == made["id"]
    assert data_of(shared_gateway.call("PATCH", f"/presets/{slug}", {"name": "n"}, key=editor))["name"] == "n"


def test_designating_takes_no_members(shared_gateway: Gateway) -> None:
    create(shared_gateway, slug := fresh(), {})
    path = f"/presets/{slug}/versions/1/designate"
    assert shared_gateway.call("POST", path).status == 200
    assert refused(shared_gateway.call("POST", path, {"version": 2}), 400).startswith("version: ")
    refused(shared_gateway.call("POST", path, body=b"zz"), 400)


def test_a_capture_takes_nothing_from_a_disabled_preset_but_from_itself(shared_gateway: Gateway) -> None:
    create(shared_gateway, slug := fresh(), {"model": "sim/solo", "seed": 5})
    patch(shared_gateway, slug, status="disabled")
    body = {"model": f"@preset/{slug}"}
    assert "disabled" in refused(shared_gateway.call("POST", f"/presets/{fresh()}/chat/completions", body), 404)
    again = create(shared_gateway, slug, body)
    assert (again["status"], again["designated_version"]["config"]) == ("disabled", {"model": "sim/solo", "seed": 5})

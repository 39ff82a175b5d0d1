"""Workspaces over HTTP: made, found by id and slug, changed, deleted; their budgets; and who may see what."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, fresh, new_key, new_workspace, refused

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway, StartGateway

FIELDS = {
    *("id", "slug", "name", "description", "default_text_model", "default_image_model", "default_provider_sort"),
    *("default_guardrail_id", "disabled_server_tools", "include_byok_in_budgets"),
    *("is_observability_broadcast_enabled", "is_observability_io_logging_enabled", "io_logging_sampling_rate"),
    *("io_logging_api_key_ids", "is_data_discount_logging_enabled", "created_by", "created_at", "updated_at"),
}
BUDGET_FIELDS = {"id", "workspace_id", "limit_usd", "reset_interval", "created_at", "updated_at"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def of(gateway: Gateway, ref: str, **more: Any) -> dict[str, Any]:
    return data_of(gateway.call("GET", f"/workspaces/{ref}", **more))


def put(gateway: Gateway, ref: str, interval: str, limit: Any, **more: Any) -> Answer:
    return gateway.call("PUT", f"/workspaces/{ref}/budgets/{interval}", {"limit_usd": limit, **more})


def home_of(gateway: Gateway) -> str:
    return data_of(gateway.call("GET", "/key"))["workspace_id"]


# --- making and finding --------------------------------------------------------------------------------------


def test_a_workspace_is_made_and_found_by_its_id_and_by_its_slug(shared_gateway: Gateway) -> None:
    slug = fresh("team")
    answer = shared_gateway.call("POST", "/workspaces", {"name": "The team \u00e9", "slug": slug})
    assert answer.status == 201
    assert set(answer.json()) == {"data"}
    made = answer.json()["data"]
    assert set(made) == FIELDS
    assert UUID.fullmatch(made["id"])
    assert UUID.fullmatch(made["default_guardrail_id"])
    assert made == {
        **dict.fromkeys(FIELDS),
        **{name: made[name] for name in ("id", "default_guardrail_id", "created_at", "updated_at")},
        "slug": slug,
        "name": "The team \u00e9",
        "disabled_server_tools": [],
        "include_byok_in_budgets": True,
        "is_observability_broadcast_enabled": False,
        "is_observability_io_logging_enabled": False,
        "io_logging_sampling_rate": 1,
        "is_data_discount_logging_enabled": False,
        "created_by": data_of(shared_gateway.call("GET", "/key"))["creator_user_id"],
    }
    assert of(shared_gateway, made["id"]) == of(shared_gateway, slug) == made
    assert made["default_guardrail_id"] != of(shared_gateway, "default")["default_guardrail_id"]


def test_the_list_has_all_of_them_page_by_page_the_oldest_first(shared_gateway: Gateway) -> None:
    made = [new_workspace(shared_gateway) for _ in range(3)]
    answer = shared_gateway.call("GET", "/workspaces?limit=100")
    rows = data_of(answer)
    assert set(answer.json()) == {"data", "total_count"}
    assert answer.json()["total_count"] == len(rows)
    assert (rows[0]["slug"], rows[0]["id"]) == ("default", home_of(shared_gateway))
    assert [row["id"] for row in rows[-3:]] == made
    for limit in (1, 2):
        walked: list[Any] = []
        for offset in range(0, len(rows), limit):
            page = shared_gateway.call("GET", f"/workspaces?offset={offset}&limit={limit}")
            assert page.json()["total_count"] == len(rows)
            walked += data_of(page)
        assert walked == rows
    for query in ("offset=-1", "limit=0", "limit=101", "limit=x"):
        refused(shared_gateway.call("GET", f"/workspaces?{query}"), 400)


SAID: dict[str, Any] = {
    "name": "all of it",
    "description": "What for:\n1. this",
    "default_text_model": "sim/solo",
    "default_provider_sort": "throughput",
    "is_observability_io_logging_enabled": True,
    "io_logging_sampling_rate": 0.25,
}
ALWAYS: dict[str, Any] = {
    "default_image_model": None,
    "is_observability_broadcast_enabled": False,
    "is_data_discount_logging_enabled": False,
    "disabled_server_tools": [],
}


def test_every_member_is_taken_at_the_making_changed_and_cleared(shared_gateway: Gateway) -> None:
    said = {**SAID, "slug": fresh("said")}
    made = of(shared_gateway, new_workspace(shared_gateway, **said, **ALWAYS))
    assert {name: made[name] for name in said} == said
    path = f"/workspaces/{new_workspace(shared_gateway)}"

    def change(**members: Any) -> dict[str, Any]:
        return data_of(shared_gateway.call("PATCH", path, members))

    before = change()
    for name, content in {**SAID, "slug": fresh("said")}.items():
        after = change(**{name: content})
        assert after == {**before, name: content, "updated_at": after["updated_at"]}
        assert after["updated_at"] > before["updated_at"]
        before = after
    assert change(**ALWAYS, name=None, slug=None, io_logging_sampling_rate=None) == before
    assert change(**SAID) == before, "what says what is so changes nothing"
    cleared = dict.fromkeys(("description", "default_text_model", "default_provider_sort", "io_logging_api_key_ids"))
    after = change(**cleared)
    assert after == {**before, **cleared, "updated_at": after["updated_at"]}


def test_the_keys_whose_content_is_kept_are_keys_of_the_workspace(shared_gateway: Gateway) -> None:
    there, elsewhere = new_workspace(shared_gateway), new_workspace(shared_gateway)
    hashes = [new_key(shared_gateway, workspace_id=one)[1]["hash"] for one in (there, elsewhere)]
    path = f"/workspaces/{there}"
    listed = {"io_logging_api_key_ids": hashes[:1]}
    assert data_of(shared_gateway.call("PATCH", path, listed))["io_logging_api_key_ids"] == hashes[:1]
    for wrong in (hashes, [hashes[0], "0" * 64]):
        message = refused(shared_gateway.call("PATCH", path, {"io_logging_api_key_ids": wrong}), 400)
        assert message == "io_logging_api_key_ids[1]: is no key's of this workspace"
    message = refused(shared_gateway.call("POST", "/workspaces", {"name": "a", "slug": fresh("a"), **listed}), 400)
    assert message.startswith("io_logging_api_key_ids[0]: ")
    none = {
        "io_logging_api_key_ids": None
    }  # the OpenRouter SDK lists the workspaces of this gateway, and reads no hash
    assert data_of(shared_gateway.call("PATCH", path, none))["io_logging_api_key_ids"] is None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"slug": "a"}, "name"),
        ({"name": "a"}, "slug"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"slug": ""}, "slug"),
        ({"slug": "A"}, "slug"),
        ({"slug": "a--b"}, "slug"),
        ({"slug": "-a"}, "slug"),
        ({"slug": "a-"}, "slug"),
        ({"slug": "a_b"}, "slug"),
        ({"slug": "a\n"}, "slug"),
        ({"slug": "x" * 51}, "slug"),
        ({"slug": 7}, "slug"),
        ({"description": "x" * 501}, "description"),
        ({"description": 5}, "description"),
        ({"default_text_model": ""}, "default_text_model"),
        ({"default_text_model": "@preset/x"}, "default_text_model"),
        ({"default_text_model": "x" * 1_000}, "default_text_model"),
        ({"default_text_model": ["m"]}, "default_text_model"),
        ({"default_provider_sort": "quality"}, "default_provider_sort"),
        ({"default_provider_sort": {"by": "price"}}, "default_provider_sort"),
        ({"is_observability_io_logging_enabled": 1}, "is_observability_io_logging_enabled"),
        ({"io_logging_sampling_rate": 0}, "io_logging_sampling_rate"),
        ({"io_logging_sampling_rate": 1.01}, "io_logging_sampling_rate"),
        ({"io_logging_sampling_rate": "1"}, "io_logging_sampling_rate"),
        ({"io_logging_sampling_rate": True}, "io_logging_sampling_rate"),
        ({"io_logging_api_key_ids": []}, "io_logging_api_key_ids"),
        ({"io_logging_api_key_ids": [7]}, "io_logging_api_key_ids[0]"),
        ({"include_byok_in_budgets": False}, "include_byok_in_budgets"),
        ({"default_guardrail_id": "x"}, "default_guardrail_id"),
        ({"id": "x"}, "id"),
        ({"x" * 100: 1}, "x" * 64 + "\u2026"),
    ],
)
def test_a_wrong_workspace_is_refused_and_not_made(shared_gateway: Gateway, body: Any, path: str) -> None:
    whole = body if path in ("name", "slug") and path not in body else {"name": "a", "slug": fresh("wrong"), **body}
    before = shared_gateway.call("GET", "/workspaces").json()["total_count"]
    assert refused(shared_gateway.call("POST", "/workspaces", whole), 400).startswith(f"{path}: ")
    assert shared_gateway.call("GET", "/workspaces").json()["total_count"] == before
    if path in body:
        assert refused(shared_gateway.call("PATCH", "/workspaces/default", body), 400).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("default_image_model", "sim/solo"),
        ("is_observability_broadcast_enabled", True),
        ("is_data_discount_logging_enabled", True),
        ("disabled_server_tools", ["openrouter:web_search"]),
    ],
)
def test_what_nothing_here_would_follow_is_refused_and_never_kept(
    shared_gateway: Gateway, name: str, content: Any
) -> None:
    for method, path, more in (
        ("POST", "/workspaces", {"name": "a", "slug": fresh("a")}),
        ("PATCH", "/workspaces/default", {}),
    ):
        answer = shared_gateway.call(method, path, {**more, name: content})
        assert refused(answer, 400) == f"{name}: is not supported yet"
        assert answer.json()["error"]["metadata"]["reason"] == "unsupported"
    assert of(shared_gateway, "default")[name] == ALWAYS[name]


def test_a_slug_is_one_workspaces_alone_until_it_gives_it_up(shared_gateway: Gateway) -> None:
    slug, other = fresh("taken"), fresh("free")
    first = new_workspace(shared_gateway, slug=slug)
    second = new_workspace(shared_gateway)
    refused(shared_gateway.call("POST", "/workspaces", {"name": "a", "slug": slug}), 409)
    refused(shared_gateway.call("PATCH", f"/workspaces/{second}", {"slug": slug, "name": "b"}), 409)
    assert of(shared_gateway, second)["name"] != "b"
    data_of(shared_gateway.call("PATCH", f"/workspaces/{first}", {"slug": other}))
    refused(shared_gateway.call("GET", f"/workspaces/{slug}"), 404)
    data_of(shared_gateway.call("PATCH", f"/workspaces/{second}", {"slug": slug}))
    assert of(shared_gateway, slug)["id"] == second
    # An id comes before a slug that is written like it.
    third = new_workspace(shared_gateway, slug=first)
    assert of(shared_gateway, first)["id"] == first != third


@pytest.mark.parametrize("ref", ["nobodys", "0" * 64, "%00", "%ff", "%ed%a0%80", "..", "Default", "a%2Fb", "a" * 9_000])
def test_a_workspace_that_is_not_there_is_a_404(shared_gateway: Gateway, ref: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"name": "a"}), ("DELETE", None)):
        refused(shared_gateway.call(method, f"/workspaces/{ref}", body), 404)
    refused(shared_gateway.call("GET", f"/workspaces/{ref}/budgets"), 404)
    refused(put(shared_gateway, ref, "daily", 1), 404)


# --- the end of a workspace ----------------------------------------------------------------------------------


def test_a_workspace_with_keys_that_work_cannot_be_deleted_and_the_default_one_never(shared_gateway: Gateway) -> None:
    slug = fresh("ending")
    workspace = new_workspace(shared_gateway, slug=slug)
    path = f"/workspaces/{workspace}"
    first, told = new_key(shared_gateway, workspace_id=workspace, role="admin")
    new_key(shared_gateway, workspace_id=workspace, expires_at="2020-01-01T00:00:00Z")
    _, another = new_key(shared_gateway, workspace_id=workspace)
    assert "2 active keys" in refused(shared_gateway.call("DELETE", path), 409)
    assert shared_gateway.call("DELETE", f"/keys/{another['hash']}").status == 200
    assert "one active key" in refused(shared_gateway.call("DELETE", path, key=first), 409)
    data_of(shared_gateway.call("PATCH", f"/keys/{told['hash']}", {"disabled": True}))
    assert put(shared_gateway, slug, "daily", 5).status == 200

    assert shared_gateway.call("DELETE", f"/workspaces/{slug}").json() == {"deleted": True}
    for gone in (path, f"/workspaces/{slug}", f"/workspaces/:{workspace}", f"{path}/budgets/daily"):
        refused(shared_gateway.call("GET", gone), 404)
    refused(shared_gateway.call("DELETE", path), 404)
    refused(shared_gateway.call("GET", f"/keys?workspace_id={workspace}"), 404)
    refused(shared_gateway.call("POST", "/keys", {"name": "a", "workspace_id": workspace}), 404)
    # Its disabled key went with it, and is nobody's to enable.
    refused(shared_gateway.call("PATCH", f"/keys/{told['hash']}", {"disabled": False}), 404)
    refused(shared_gateway.call("GET", "/key", key=first), 401)
    assert workspace not in [row["id"] for row in data_of(shared_gateway.call("GET", "/workspaces?limit=100"))]
    assert new_workspace(shared_gateway, slug=slug) != workspace
    assert data_of(shared_gateway.call("GET", f"/workspaces/{slug}/budgets")) == []

    message = refused(shared_gateway.call("DELETE", "/workspaces/default"), 409)
    assert message == "The default workspace cannot be deleted"


# --- budgets -------------------------------------------------------------------------------------------------


def test_a_budget_is_put_found_listed_and_deleted(shared_gateway: Gateway) -> None:
    workspace = new_workspace(shared_gateway)
    path = f"/workspaces/{workspace}/budgets"
    assert shared_gateway.call("GET", path).json() == {"data": [], "include_byok_in_budgets": True}
    refused(shared_gateway.call("GET", f"{path}/weekly"), 404)
    assert shared_gateway.call("DELETE", f"{path}/weekly").json() == {"deleted": True}
    answer = put(shared_gateway, workspace, "weekly", 100)
    made = data_of(answer)
    assert set(made) == BUDGET_FIELDS
    assert (made["limit_usd"], made["reset_interval"], made["workspace_id"]) == (100, "weekly", workspace)
    assert made["created_at"] == made["updated_at"]
    changed = data_of(put(shared_gateway, workspace, "weekly", 99.5))
    assert changed == {**made, "limit_usd": 99.5, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > made["updated_at"]
    assert data_of(put(shared_gateway, workspace, "weekly", 99.50)) == changed
    ever = data_of(put(shared_gateway, workspace, "lifetime", 1_000))
    assert ever["reset_interval"] is None
    day = data_of(put(shared_gateway, workspace, "daily", 20))
    month = data_of(put(shared_gateway, workspace, "monthly", 400))
    assert data_of(shared_gateway.call("GET", path)) == [ever, month, changed, day]
    assert data_of(shared_gateway.call("GET", f"{path}/lifetime")) == ever
    assert shared_gateway.call("DELETE", f"{path}/weekly").json() == {"deleted": True}
    assert data_of(shared_gateway.call("GET", path)) == [ever, month, day]


def test_whether_own_provider_keys_count_is_said_of_all_budgets_of_a_workspace(shared_gateway: Gateway) -> None:
    workspace = new_workspace(shared_gateway)
    assert put(shared_gateway, workspace, "daily", 5).json()["include_byok_in_budgets"] is True
    answer = put(shared_gateway, workspace, "weekly", 10, include_byok_in_budgets=False)
    assert answer.json()["include_byok_in_budgets"] is False
    assert put(shared_gateway, workspace, "daily", 6).json()["include_byok_in_budgets"] is False
    assert of(shared_gateway, workspace)["include_byok_in_budgets"] is False


def test_a_longer_time_may_cost_more_than_a_shorter_one(shared_gateway: Gateway) -> None:
    workspace = new_workspace(shared_gateway)
    for interval, limit in (("monthly", 1_500), ("weekly", 400), ("daily", 0.005)):
        assert put(shared_gateway, workspace, interval, limit).status == 200
    for interval, limit, message in (
        ("weekly", 1_500, "the weekly budget must be less than the monthly budget, which is $1,500.00"),
        ("daily", 400, "the daily budget must be less than the weekly budget, which is $400.00"),
        ("daily", 2_000, "the daily budget must be less than the monthly budget, which is $1,500.00"),
        ("weekly", 0.005, "the weekly budget must be more than the daily budget, which is $0.005"),
        ("lifetime", 1_500, "the lifetime budget must be more than the monthly budget, which is $1,500.00"),
    ):
        assert refused(put(shared_gateway, workspace, interval, limit), 400) == f"limit_usd: {message}"
    assert put(shared_gateway, workspace, "weekly", 399.99).status == 200
    assert put(shared_gateway, workspace, "lifetime", 1_500.01).status == 200
    assert shared_gateway.call("DELETE", f"/workspaces/{workspace}/budgets/monthly").status == 200
    assert put(shared_gateway, workspace, "weekly", 1_500).status == 200


@pytest.mark.parametrize("limit", [0, -1, "5", True, None, [5], {}, 10**9, 1e300])
def test_a_wrong_budget_is_refused_and_not_kept(shared_gateway: Gateway, limit: Any) -> None:
    workspace = new_workspace(shared_gateway)
    assert refused(put(shared_gateway, workspace, "daily", limit), 400).startswith("limit_usd: ")
    assert data_of(shared_gateway.call("GET", f"/workspaces/{workspace}/budgets")) == []


def test_a_budget_has_no_other_members(shared_gateway: Gateway) -> None:
    path = f"/workspaces/{new_workspace(shared_gateway)}/budgets/daily"
    for body, name in (({}, "limit_usd"), ({"limit_usd": 5, "reset_interval": "daily"}, "reset_interval")):
        assert refused(shared_gateway.call("PUT", path, body), 400).startswith(f"{name}: ")
    for body in (b"[]", b'"x"', b"5", b"{"):
        refused(shared_gateway.call("PUT", path, body=body), 400)
    refused(shared_gateway.call("GET", path), 404)


def test_a_budget_is_the_number_that_was_written(shared_gateway: Gateway) -> None:
    path = f"/workspaces/{new_workspace(shared_gateway)}/budgets/daily"
    for digits in ("0.1", "1e-9", "999999999.999999", "0.1000000000000000055511151231257827"):
        answer = shared_gateway.call("PUT", path, body=b'{"limit_usd":' + digits.encode() + b"}")
        [said] = re.findall(rb'"limit_usd":([^,}]+)', answer.body)
        assert Decimal(said.decode()) == Decimal(digits)


@pytest.mark.parametrize("interval", ["hourly", "Daily", "ever", "", "%ff", "daily%20"])
def test_a_budget_of_another_interval_is_a_404(shared_gateway: Gateway, interval: str) -> None:
    for method, body in (("GET", None), ("PUT", {"limit_usd": 5}), ("DELETE", None)):
        refused(shared_gateway.call(method, f"/workspaces/default/budgets/{interval}", body), 404)


# --- whose it is ---------------------------------------------------------------------------------------------


def test_who_manages_one_workspace_knows_of_no_other(shared_gateway: Gateway) -> None:
    slug = fresh("mine")
    mine, others = new_workspace(shared_gateway, slug=slug), new_workspace(shared_gateway)
    assert put(shared_gateway, others, "daily", 5).status == 200
    key, _ = new_key(shared_gateway, workspace_id=mine, role="admin")
    for reader in (key, new_key(shared_gateway, workspace_id=mine, role="read_only")[0]):
        answer = shared_gateway.call("GET", "/workspaces", key=reader)
        assert ([row["id"] for row in data_of(answer)], answer.json()["total_count"]) == ([mine], 1)
        assert shared_gateway.call("GET", "/workspaces?offset=1", key=reader).json()["data"] == []
        assert of(shared_gateway, slug, key=reader) == of(shared_gateway, mine)
    assert data_of(shared_gateway.call("PATCH", f"/workspaces/{slug}", {"name": "we"}, key=key))["name"] == "we"
    path = f"/workspaces/{mine}/budgets/daily"
    assert shared_gateway.call("PUT", path, {"limit_usd": 5}, key=key).status == 200
    assert shared_gateway.call("DELETE", path, key=key).status == 200

    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "theirs"}),
        ("PATCH", "", {"slug": "theirs"}),
        ("DELETE", "", None),
        ("GET", "/budgets", None),
        ("GET", "/budgets/daily", None),
        ("PUT", "/budgets/daily", {"limit_usd": 1}),
        ("DELETE", "/budgets/daily", None),
    ):
        unknown = shared_gateway.call(method, f"/workspaces/nobodys{tail}", body, key=key)
        refused(unknown, 404)
        for ref in (others, "default", home_of(shared_gateway)):
            assert shared_gateway.call(method, f"/workspaces/{ref}{tail}", body, key=key).body == unknown.body
    assert data_of(shared_gateway.call("GET", f"/workspaces/{others}/budgets/daily"))["limit_usd"] == 5


def test_who_manages_one_workspace_makes_none_and_cannot_try_out_slugs(shared_gateway: Gateway) -> None:
    slug = fresh("mine")
    key, _ = new_key(shared_gateway, workspace_id=new_workspace(shared_gateway, slug=slug), role="admin")
    for taken in ("default", fresh("free")):
        refused(shared_gateway.call("POST", "/workspaces", {"name": "a", "slug": taken}, key=key), 403)
        refused(shared_gateway.call("PATCH", f"/workspaces/{slug}", {"slug": taken}, key=key), 403)
    same = {"slug": slug, "name": "the same"}
    assert data_of(shared_gateway.call("PATCH", f"/workspaces/{slug}", same, key=key))["name"] == "the same"
    reader, _ = new_key(shared_gateway, role="read_only")
    assert [row["slug"] for row in data_of(shared_gateway.call("GET", "/workspaces", key=reader))] == ["default"]
    refused(shared_gateway.call("GET", f"/workspaces/{slug}", key=reader), 404)


def test_provider_keys_of_another_workspace_and_of_all_are_not_there_for_who_manages_one(
    shared_gateway: Gateway,
) -> None:
    mine, others = new_workspace(shared_gateway), new_workspace(shared_gateway)
    key, told = new_key(shared_gateway, workspace_id=mine, role="admin")
    _, elsewhere = new_key(shared_gateway)

    def add(asker: str | None = None, **members: Any) -> dict[str, Any]:
        body = {"provider": "sim", "key": "sk-added-0123456789", **members}
        answer = shared_gateway.call("POST", "/byok", body, key=asker)
        assert answer.status == 201, answer.body
        return answer.json()["data"]

    def listed(asker: str | None = None, query: str = "") -> list[str]:
        return [row["id"] for row in data_of(shared_gateway.call("GET", f"/byok{query}", key=asker))]

    written = [row["id"] for row in data_of(shared_gateway.call("GET", "/byok")) if row["source"] == "configuration"]
    assert written
    theirs, everyones = add(workspace_id=others), add()
    own, given = add(key), add(workspace_id=mine)
    assert [row["workspace_id"] for row in (theirs, everyones, own, given)] == [others, None, mine, mine]
    try:
        assert sorted(listed(key)) == sorted([own["id"], given["id"]])
        assert {theirs["id"], own["id"]}.isdisjoint(listed())
        assert set(listed(query=f"?workspace_id={others}")) == {*written, everyones["id"], theirs["id"]}
        for method, body in (("GET", None), ("PATCH", {"name": "a"}), ("DELETE", None)):
            unknown = shared_gateway.call(method, "/byok/nobodys", body, key=key)
            refused(unknown, 404)
            for hidden in (theirs["id"], everyones["id"], *written):
                assert shared_gateway.call(method, f"/byok/{hidden}", body, key=key).body == unknown.body
        for wrong in (others, home_of(shared_gateway), "nobodys"):
            refused(shared_gateway.call("GET", f"/byok?workspace_id={wrong}", key=key), 404)
            body = {"provider": "sim", "key": "sk-added-0123456789", "workspace_id": wrong}
            refused(shared_gateway.call("POST", "/byok", body, key=key), 404)
        listing = {"allowed_api_key_hashes": [elsewhere["hash"]]}
        for asker in (key, None):
            message = refused(shared_gateway.call("PATCH", f"/byok/{own['id']}", listing, key=asker), 400)
            assert message == "allowed_api_key_hashes[0]: is no key's"
        assert data_of(shared_gateway.call("PATCH", f"/byok/{everyones['id']}", listing))
        allowed = {"allowed_api_key_hashes": [told["hash"]], "name": "for one"}
        assert data_of(shared_gateway.call("PATCH", f"/byok/{theirs['id']}", {"name": "b"}))["name"] == "b"
        assert data_of(shared_gateway.call("PATCH", f"/byok/{own['id']}", allowed, key=key))["name"] == "for one"
    finally:
        for row in (theirs, everyones, own, given):
            shared_gateway.call("DELETE", f"/byok/{row['id']}")


def test_what_a_workspace_brings_to_a_provider_changes_nothing_for_another(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    bare = {"bare": {"dialect": "chat", "base_url": simulator.url("/c/v1")}}
    gateway = start_gateway(providers=bare, models=None)
    workspace = new_workspace(gateway)
    key, _ = new_key(gateway, workspace_id=workspace, role="admin")
    for provider in ("bare", "openai"):
        added = {"provider": provider, "key": "sk-added-0123456789", "workspace_id": workspace}
        assert gateway.call("POST", "/byok", added).status == 201

    def carried(asker: str | None) -> list[str | None]:
        simulator.forget_requests()
        assert ask(gateway, {"model": "bare/m"}, key=asker).status == 200
        return [one.header("authorization") for one in simulator.requests()]

    assert (carried(key), carried(None)) == (["Bearer sk-added-0123456789"], [None])
    asked = {"model": "openai/gpt-4o"}
    told = data_of(gateway.call("POST", "/explain/chat/completions", {"messages": [USER], **asked}, key=key))
    assert [one["tag"] for one in told["endpoints"]] == ["openai"]
    refused(ask(gateway, asked), 400)


def test_a_preset_of_the_same_name_is_another_in_each_workspace(shared_gateway: Gateway) -> None:
    slug = fresh()
    key, _ = new_key(shared_gateway, workspace_id=new_workspace(shared_gateway), role="editor")
    create(shared_gateway, slug, {"model": "sim/solo"})
    refused(shared_gateway.call("GET", f"/presets/{slug}", key=key), 404)
    refused(ask(shared_gateway, {"model": f"@preset/{slug}"}, key=key), 404)
    theirs = shared_gateway.call("POST", f"/presets/{slug}/chat/completions", {"model": "other/solo"}, key=key)
    assert data_of(theirs)["designated_version"]["version"] == 1
    assert ask(shared_gateway, {"model": f"@preset/{slug}"}, key=key).json()["model"] == "other/solo"
    assert ask(shared_gateway, {"model": f"@preset/{slug}"}).json()["model"] == "sim/solo"

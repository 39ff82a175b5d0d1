"""Who may do what: every route there is, as every kind of caller of two workspaces, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import new_key, new_workspace
from setpoint.server.router import BASES
from support.http import call
from support.table import route_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.server.router import Route
    from support.processes import Gateway

SPEAKING: dict[str, dict[str, Any]] = {
    "admin": {"role": "admin"},
    "editor": {"role": "editor"},
    "caller": {},
    "reader": {"role": "read_only"},
}
CALLERS = {**SPEAKING, **{f"silent {name}": {**role, "inference": False} for name, role in SPEAKING.items()}}
"""Each kind of caller, with what its key is made of. There is one of each in two workspaces."""

ADMINS = {"admin", "silent admin"}
READERS = {*ADMINS, "reader", "silent reader"}
EDITORS = {*ADMINS, "editor", "silent editor"}
CAPTURERS = {*EDITORS, "caller", "silent caller"}
VOICES = {"admin", "editor", "caller"}
ALL = set(CALLERS)

WHO = {
    "POST /chat/completions": (VOICES, 400),
    "POST /messages": (VOICES, 400),
    "POST /messages/count_tokens": (VOICES, 400),
    "POST /responses": (VOICES, 400),
    "POST /explain/chat/completions": (CAPTURERS, 400),
    "POST /explain/messages": (CAPTURERS, 400),
    "POST /explain/responses": (CAPTURERS, 400),
    "GET /presets": (ALL, 200),
    "GET /presets/{slug}": (ALL, 200),
    "PATCH /presets/{slug}": (EDITORS, 400),
    "DELETE /presets/{slug}": (EDITORS, 404),
    "POST /presets/{slug}/chat/completions": (CAPTURERS, 400),
    "POST /presets/{slug}/messages": (CAPTURERS, 400),
    "POST /presets/{slug}/responses": (CAPTURERS, 400),
    "GET /presets/{slug}/versions": (ALL, 200),
    "GET /presets/{slug}/versions/{version}": (ALL, 200),
    "POST /presets/{slug}/versions/{version}/designate": (EDITORS, 400),
    "GET /key": (ALL, 200),
    "GET /keys": (READERS, 200),
    "POST /keys": (ADMINS, 400),
    "GET /keys/{hash}": (READERS, 200),
    "PATCH /keys/{hash}": (ADMINS, 400),
    "DELETE /keys/{hash}": (ADMINS, 404),
    "GET /byok": (READERS, 200),
    "POST /byok": (ADMINS, 400),
    "GET /byok/{id}": (READERS, 404),
    "PATCH /byok/{id}": (ADMINS, 400),
    "DELETE /byok/{id}": (ADMINS, 404),
    "GET /workspaces": (READERS, 200),
    "POST /workspaces": (ADMINS, 400),
    "GET /workspaces/{workspace}": (READERS, 200),
    "PATCH /workspaces/{workspace}": (ADMINS, 400),
    "DELETE /workspaces/{workspace}": (ADMINS, 404),
    "GET /workspaces/{workspace}/budgets": (READERS, 200),
    "GET /workspaces/{workspace}/budgets/{interval}": (READERS, 404),
    "PUT /workspaces/{workspace}/budgets/{interval}": (ADMINS, 400),
    "DELETE /workspaces/{workspace}/budgets/{interval}": (ADMINS, 404),
    "GET /generation": (ALL, 404),
    "GET /generation/content": (ADMINS, 404),
    "GET /generations": (ALL, 200),
    "GET /activity": (READERS, 200),
    "GET /credits": (READERS, 200),
    "GET /ledger/verify": (ADMINS, 200),
    "GET /models": (ALL, 200),
    "GET /models/count": (ALL, 200),
    "GET /models/user": (ALL, 200),
    "GET /models/{author}/{slug}/endpoints": (ALL, 404),
    "GET /model/{author}/{slug}": (ALL, 404),
    "GET /endpoints/zdr": (ALL, 200),
    "GET /providers": (ALL, 200),
    "GET /metrics": (READERS, 200),
}
"""Route to the callers that it lets in, and what these get for a body that is no JSON. The others get a 403."""

AT_HOME = {"POST /workspaces"}
"""Those that let in keys of the default workspace alone."""

SILENT = {"GET /health", "GET /ready", "HEAD /", "HEAD /api", "HEAD "}
OPEN = {*SILENT, "GET /openapi.json", "GET /docs"}
"""Those that let everybody in, without a key; the silent ones say nothing but that somebody is there."""

TABLE = {f"{route.method} {route.path}": route for route in route_table()}


class Place:
    """A workspace with a preset, a key of each kind, and the paths of what is in it."""

    def __init__(self, gateway: Gateway, workspace: str) -> None:
        made = {name: new_key(gateway, name=name, workspace_id=workspace, **kind) for name, kind in CALLERS.items()}
        self.keys = {name: plain for name, (plain, _) in made.items()}
        self._there = {"slug": "for-roles", "version": "1", "hash": made["caller"][1]["hash"], "workspace": workspace}
        gateway.call("POST", "/presets/for-roles/chat/completions", {"model": "sim/solo"}, key=self.keys["caller"])

    def addresses(self, route: Route) -> Iterator[str]:
        """Every path that the route stands under: of what is there, unless the route deletes it."""
        nothing = {"slug": "no-slug", "version": "9", "hash": "0" * 64, "workspace": "nobodys", "interval": "daily"}
        named = nothing if route.method == "DELETE" else nothing | self._there
        path = route.path.format(author="nobody", id="nobodys", **named)
        for base in BASES if route.based else ("",):
            yield base + path + ("?id=gen-1-x" if path.startswith("/generation/") or path == "/generation" else "")


@pytest.fixture(scope="module")
def places(shared_gateway: Gateway) -> dict[str, Place]:
    home = shared_gateway.call("GET", "/key").json()["data"]["workspace_id"]
    away = new_workspace(shared_gateway)
    return {"home": Place(shared_gateway, home), "away": Place(shared_gateway, away)}


def test_every_route_has_its_row_here() -> None:
    """A new route fails this until somebody says who may call it."""
    assert set(TABLE) == WHO.keys() | OPEN
    assert {name for name, route in TABLE.items() if route.access == "open"} == OPEN


@pytest.mark.parametrize("name", WHO)
def test_a_role_may_do_what_is_its_own_in_its_workspace_and_nothing_else(
    shared_gateway: Gateway, places: dict[str, Place], name: str
) -> None:
    route, (let_in, status) = TABLE[name], WHO[name]
    for where, place in places.items():
        for caller, key in place.keys.items():
            for path in place.addresses(route):
                answer = call(route.method, shared_gateway.origin + path, body=b"?", key=key)
                is_let_in = caller in let_in and (where == "home" or name not in AT_HOME)
                assert answer.status == (status if is_let_in else 403), (
                    where,
                    caller,
                    path,
                    answer.status,
                    answer.body,
                )
                if not is_let_in:
                    error = answer.json()["error"]
                    assert error.get("error_type", error.get("metadata", {}).get("error_type")) == "permission_denied"


@pytest.mark.parametrize("name", WHO)
def test_without_a_valid_key_every_route_is_closed(
    shared_gateway: Gateway, places: dict[str, Place], dead: dict[str, str], name: str
) -> None:
    for path in places["home"].addresses(TABLE[name]):
        url = shared_gateway.origin + path
        for kind, key in dead.items():
            answer = call(TABLE[name].method, url, body=b"?", key=key or None)
            assert answer.status == 401, (kind, answer.status, answer.body)


@pytest.fixture(scope="module")
def dead(shared_gateway: Gateway) -> dict[str, str]:
    """What opens nothing, of a key that could do everything."""
    plain, told = new_key(shared_gateway, role="admin")
    shared_gateway.call("DELETE", f"/keys/{told['hash']}")
    resting, row = new_key(shared_gateway, role="admin")
    shared_gateway.call("PATCH", f"/keys/{row['hash']}", {"disabled": True})
    ended, _ = new_key(shared_gateway, role="admin", expires_at="2020-01-01T00:00:00Z")
    unknown = {"none": "", "unknown": "sk-sp-v1-" + "0" * 64, "a hash": row["hash"], "null": "null", "a role": "admin"}
    return {"deleted": plain, "disabled": resting, "expired": ended, **unknown}


@pytest.mark.parametrize("name", sorted(SILENT))
def test_the_open_routes_tell_nothing_and_need_no_key(
    shared_gateway: Gateway, places: dict[str, Place], name: str
) -> None:
    for path in places["home"].addresses(TABLE[name]):
        answer = call(TABLE[name].method, shared_gateway.origin + (path or "/"))
        assert answer.status == 200
        assert answer.body in (b"", b'{"status":"ok"}', b'{"status":"ready"}')


@pytest.mark.parametrize("name", [name for name in WHO if name.startswith("GET")])
def test_asking_for_the_head_alone_needs_the_same_key(
    shared_gateway: Gateway, places: dict[str, Place], name: str
) -> None:
    let_in, status = WHO[name]
    home = places["home"]
    for path in home.addresses(TABLE[name]):
        url = shared_gateway.origin + path
        assert call("HEAD", url).status == 401
        for caller, key in home.keys.items():
            answer = call("HEAD", url, key=key)
            assert answer.status == (status if caller in let_in else 403)
            assert answer.body == b""

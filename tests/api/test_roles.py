"""Who may do what: every route there is, as every kind of caller there is, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.api_support import create, new_key
from setpoint.server.router import BASES
from support.http import call
from support.table import route_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.server.router import Route
    from support.processes import Gateway

ALL = {"admin", "manager", "editor", "caller", "silent caller", "read_only"}
MANAGERS = {"admin", "manager"}
EDITORS = {*MANAGERS, "editor"}
CAPTURERS = {*EDITORS, "caller", "silent caller"}

MAY = {
    "POST /chat/completions": {"admin", "editor", "caller"},
    "POST /messages": {"admin", "editor", "caller"},
    "POST /messages/count_tokens": {"admin", "editor", "caller"},
    "POST /responses": {"admin", "editor", "caller"},
    "POST /explain/chat/completions": CAPTURERS,
    "POST /explain/messages": CAPTURERS,
    "POST /explain/responses": CAPTURERS,
    "GET /presets": ALL,
    "GET /presets/{slug}": ALL,
    "PATCH /presets/{slug}": EDITORS,
    "DELETE /presets/{slug}": EDITORS,
    "POST /presets/{slug}/chat/completions": CAPTURERS,
    "POST /presets/{slug}/messages": CAPTURERS,
    "POST /presets/{slug}/responses": CAPTURERS,
    "GET /presets/{slug}/versions": ALL,
    "GET /presets/{slug}/versions/{version}": ALL,
    "POST /presets/{slug}/versions/{version}/designate": EDITORS,
    "GET /key": ALL,
    "GET /keys": {*MANAGERS, "read_only"},
    "POST /keys": MANAGERS,
    "GET /keys/{hash}": {*MANAGERS, "read_only"},
    "PATCH /keys/{hash}": MANAGERS,
    "DELETE /keys/{hash}": MANAGERS,
    "GET /byok": {*MANAGERS, "read_only"},
    "POST /byok": MANAGERS,
    "GET /byok/{id}": {*MANAGERS, "read_only"},
    "PATCH /byok/{id}": MANAGERS,
    "DELETE /byok/{id}": MANAGERS,
    "GET /workspaces": {*MANAGERS, "read_only"},
    "POST /workspaces": MANAGERS,
    "GET /workspaces/{workspace}": {*MANAGERS, "read_only"},
    "PATCH /workspaces/{workspace}": MANAGERS,
    "DELETE /workspaces/{workspace}": MANAGERS,
    "GET /workspaces/{workspace}/budgets": {*MANAGERS, "read_only"},
    "GET /workspaces/{workspace}/budgets/{interval}": {*MANAGERS, "read_only"},
    "PUT /workspaces/{workspace}/budgets/{interval}": MANAGERS,
    "DELETE /workspaces/{workspace}/budgets/{interval}": MANAGERS,
    "GET /generation": ALL,
    "GET /generations": ALL,
    "GET /activity": {*MANAGERS, "read_only"},
    "GET /credits": {*MANAGERS, "read_only"},
    "GET /ledger/verify": MANAGERS,
    "GET /models": ALL,
    "GET /models/count": ALL,
    "GET /models/user": ALL,
    "GET /models/{author}/{slug}/endpoints": ALL,
    "GET /model/{author}/{slug}": ALL,
    "GET /endpoints/zdr": ALL,
    "GET /providers": ALL,
    "GET /metrics": {*MANAGERS, "read_only"},
}
"""Route to the callers that it lets in. Routes that are not here let everybody in, without a key."""

SILENT = {"GET /health", "GET /ready", "HEAD /", "HEAD /api", "HEAD "}
OPEN = {*SILENT, "GET /openapi.json"}

CALLERS = {
    "admin": {"role": "admin"},
    "manager": {"role": "admin", "inference": False},
    "editor": {"role": "editor"},
    "caller": {},
    "silent caller": {"role": "caller", "inference": False},
    "read_only": {"role": "read_only"},
}

TABLE = {f"{route.method} {route.path}": route for route in route_table()}


HOME = {"workspace": "nobodys", "interval": "daily"}


def addresses(route: Route) -> Iterator[str]:
    """Every path that the route stands under, for things that exist where reading them is harmless."""
    path = route.path.format(slug="for-roles", author="nobody", version="1", hash="0" * 64, id="nobodys", **HOME)
    for base in BASES if route.based else ("",):
        yield base + path + ("?id=gen-1-x" if path == "/generation" else "")


@pytest.fixture(scope="module")
def keys(shared_gateway: Gateway) -> dict[str, str]:
    create(shared_gateway, "for-roles", {"model": "sim/solo"})
    return {name: new_key(shared_gateway, name=name, **members)[0] for name, members in CALLERS.items()}


def test_every_route_has_its_row_here() -> None:
    """A new route fails this until somebody says who may call it."""
    assert set(TABLE) == MAY.keys() | OPEN
    assert {name for name, route in TABLE.items() if route.access == "open"} == OPEN


@pytest.mark.parametrize("name", MAY)
@pytest.mark.parametrize("caller", CALLERS)
def test_a_role_may_do_what_is_its_own_and_nothing_else(
    shared_gateway: Gateway, keys: dict[str, str], name: str, caller: str
) -> None:
    for path in addresses(TABLE[name]):
        answer = call(TABLE[name].method, shared_gateway.origin + path, body=b"?", key=keys[caller])
        if caller in MAY[name]:
            assert answer.status not in (401, 403, 405, 500), (answer.status, answer.body)
        else:
            assert answer.status == 403, (answer.status, answer.body)
            error = answer.json()["error"]
            assert error.get("error_type", error.get("metadata", {}).get("error_type")) == "permission_denied"


@pytest.mark.parametrize("name", MAY)
def test_without_a_valid_key_every_route_is_closed(shared_gateway: Gateway, name: str) -> None:
    plain, told = new_key(shared_gateway, role="admin")
    shared_gateway.call("DELETE", f"/keys/{told['hash']}")
    for path in addresses(TABLE[name]):
        url = shared_gateway.origin + path
        for key in (None, plain, told["hash"], "sk-sp-v1-" + "0" * 64, "null", "admin"):
            answer = call(TABLE[name].method, url, body=b"?", key=key)
            assert answer.status == 401, (answer.status, answer.body)


@pytest.mark.parametrize("name", sorted(SILENT))
def test_the_open_routes_tell_nothing_and_need_no_key(shared_gateway: Gateway, name: str) -> None:
    for path in addresses(TABLE[name]):
        answer = call(TABLE[name].method, shared_gateway.origin + (path or "/"))
        assert answer.status == 200
        assert answer.body in (b"", b'{"status":"ok"}', b'{"status":"ready"}')


@pytest.mark.parametrize("name", [name for name in MAY if name.startswith("GET")])
def test_asking_for_the_head_alone_needs_the_same_key(shared_gateway: Gateway, keys: dict[str, str], name: str) -> None:
    for path in addresses(TABLE[name]):
        url = shared_gateway.origin + path
        assert call("HEAD", url).status == 401
        for caller, key in keys.items():
            answer = call("HEAD", url, key=key)
            assert (answer.status == 403) is (caller not in MAY[name])
            assert answer.body == b""

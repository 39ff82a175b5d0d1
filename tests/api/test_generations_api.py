"""The list of records: newest first, page by page, by whatever it is filtered, for those who may see them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from api.api_support import ask, create, data_of, fresh, new_key, new_workspace, refused
from simulator.script import ok, status
from support.waiting import until
from support.workers import Worker, each_worker

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway


def listed(gateway: Gateway, by: str | None = None, **query: Any) -> dict[str, Any]:
    """One page, as this key sees it."""
    answer = gateway.call("GET", f"/generations?{urlencode(query)}", key=by)
    assert answer.status == 200, answer.body
    content = answer.json()
    assert set(content) == {"data", "next_cursor"}
    return content


def ids_of(gateway: Gateway, by: str | None = None, **query: Any) -> list[str]:
    """The ids of all pages, as this key sees them."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = listed(gateway, by, **query, **cursor)
        found += [one["id"] for one in page["data"]]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def answered(gateway: Gateway, by: str, body: dict[str, Any]) -> str:
    """The id of one request, whatever came of it."""
    return ask(gateway, body, key=by).header("x-generation-id") or ""


def test_the_list_has_the_newest_first_and_every_record_once(shared_gateway: Gateway, simulator: Simulator) -> None:
    del simulator
    plain, told = new_key(shared_gateway)
    asked = [answered(shared_gateway, plain, {"model": "sim/solo"}) for _ in range(7)][::-1]
    until(lambda: len(listed(shared_gateway, plain)["data"]) == 7)
    assert ids_of(shared_gateway, plain, limit=3) == asked
    assert ids_of(shared_gateway, key=told["hash"], limit=2) == asked
    page = listed(shared_gateway, plain, limit=7)
    assert page["next_cursor"] is None, "a page that is full, with nothing behind it, is the last"
    for one in page["data"]:
        assert data_of(shared_gateway.call("GET", f"/generation?id={one['id']}")) == one


def test_the_list_is_filtered_by_what_records_say(shared_gateway: Gateway, simulator: Simulator) -> None:
    plain, told = new_key(shared_gateway)
    create(shared_gateway, slug := fresh(), {"model": "sim/solo", "temperature": 0})
    create(shared_gateway, slug, {"model": "sim/solo", "temperature": 1})
    simulator.script(ok(), ok(), ok(), status(400))
    first = answered(shared_gateway, plain, {"model": f"@preset/{slug}@1"})
    second = answered(shared_gateway, plain, {"model": f"@preset/{slug}"})
    bare = answered(shared_gateway, plain, {"model": "other/solo"})
    failed = answered(shared_gateway, plain, {"model": "sim/solo"})
    mine = {"key": told["hash"]}
    until(lambda: len(ids_of(shared_gateway, **mine)) == 4)
    assert ids_of(shared_gateway, **mine, preset=slug) == [second, first]
    assert ids_of(shared_gateway, **mine, preset=slug, version=1) == [first]
    assert ids_of(shared_gateway, **mine, model="other/solo") == [bare]
    assert ids_of(shared_gateway, **mine, provider="sim", status="completed") == [second, first]
    assert ids_of(shared_gateway, **mine, status="failed") == [failed]
    assert ids_of(shared_gateway, **mine, status="cancelled") == []
    came = {one["id"]: one["created_at"] for one in listed(shared_gateway, **mine)["data"]}
    assert ids_of(shared_gateway, **mine, **{"from": came[second], "to": came[failed]}) == [bare, second]
    today = datetime.fromisoformat(came[first]).date()
    since, until_ = today.isoformat(), (today + timedelta(days=1)).isoformat()
    assert first in ids_of(shared_gateway, **mine, **{"from": since, "to": until_})
    assert first not in ids_of(shared_gateway, **mine, to=since)


def test_who_sees_which_records(shared_gateway: Gateway, simulator: Simulator) -> None:
    del simulator
    keys = {name: new_key(shared_gateway, role=name) for name in ("caller", "editor", "admin", "read_only")}
    mine = answered(shared_gateway, keys["caller"][0], {"model": "sim/solo"})
    editors = answered(shared_gateway, keys["editor"][0], {"model": "sim/solo"})
    until(lambda: {mine, editors} <= set(ids_of(shared_gateway)))
    for name, (plain, _) in keys.items():
        seen = set(ids_of(shared_gateway, plain)) & {mine, editors}
        assert seen == {"caller": {mine}, "editor": {editors}}.get(name, {mine, editors})
    another = keys["editor"][1]["hash"]
    assert ids_of(shared_gateway, keys["caller"][0], key=another) == []
    assert ids_of(shared_gateway, keys["caller"][0], key=keys["caller"][1]["hash"]) == [mine]
    elsewhere, _ = new_key(shared_gateway, role="admin", workspace_id=new_workspace(shared_gateway))
    assert ids_of(shared_gateway, elsewhere) == ids_of(shared_gateway, elsewhere, key=another) == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=MQ%3D%3D", "cursor"),
        ("cursor=" + "9" * 400, "cursor"),
        ("status=done", "status"),
        ("version=1", "version"),
        ("preset=a&version=0", "version"),
        ("preset=a&version=latest", "version"),
        ("preset=", "preset"),
        ("from=yesterday", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-02-03T10:00:00", "from"),
        ("to=2026-02-03T10:00:00%2B02:00", "to"),
        ("to=2026-02-03T25:00:00Z", "to"),
        ("modell=a", "modell"),
        ("offset=3", "offset"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(shared_gateway: Gateway, query: str, named: str) -> None:
    assert refused(shared_gateway.call("GET", f"/generations?{query}"), 400).startswith(f"{named}: ")


def test_filters_may_be_any_text(shared_gateway: Gateway) -> None:
    for text in ("' OR 1=1 --", "\0", "%", "é" * 500, "\ud800"):
        said = quote(text, errors="replace")
        for name in ("model", "preset", "provider", "key"):
            answer = shared_gateway.call("GET", f"/generations?{name}={said}")
            assert (answer.status, answer.json()) == (200, {"data": [], "next_cursor": None})


def test_what_one_worker_answered_is_soon_in_the_list_of_the_other(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    del simulator
    gateway = start_gateway(arguments=("--workers", "2"))
    asked = {"model": "sim/solo", "messages": [{"role": "user", "content": "hi"}]}

    def is_listed(by: Worker, id_: str | None) -> bool:
        return id_ in [one["id"] for one in by.call("GET", "/generations").json()["data"]]

    with each_worker(gateway) as (one, other):
        for worker, sibling in ((one, other), (other, one)):
            id_ = worker.call("POST", "/chat/completions", asked).header("x-generation-id")
            until(partial(is_listed, sibling, id_), 10)


def test_an_old_record_is_deleted_and_what_it_cost_stays(start_gateway: StartGateway, simulator: Simulator) -> None:
    simulator.script(ok(tokens=(1_000, 500)))
    gateway = start_gateway(settings={"record_days": 1e-5}, arguments=("--workers", "2"))
    id_ = answered(gateway, gateway.key, {"model": "sim/solo"})
    until(lambda: gateway.call("GET", f"/generation?id={id_}").status == 404)
    assert listed(gateway)["data"] == []
    assert data_of(gateway.call("GET", "/key"))["usage"] == 0.002
    assert data_of(gateway.call("GET", "/ledger/verify"))["ok"]

"""Two workspaces of one server with two workers: neither knows of the other, whatever it asks and guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct

from api.api_support import USER, data_of, new_key, new_workspace, refused
from simulator.script import ok, status
from support.processes import Gateway, config_file, simulated
from support.waiting import until
from support.workers import Worker, each_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.http import Answer

CACHING = {"pricing": {"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0.0000001"}}
BODIES: dict[str, dict[str, Any]] = {"PATCH": {"name": "ours"}, "PUT": {"limit_usd": 1}, "POST": {}}
SECRET = "sk-added-0123456789"


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two workers, and a model of which two endpoints keep what was said."""
    tables = simulated(simulator_process)
    first, second = ({"provider": one, "model": "upstream-model", **CACHING} for one in ("sim", "other"))
    tables["models"]["sim/keeps"] = {"endpoints": [first, {**second, "weight": 0}]}
    folder = tmp_path_factory.mktemp("gateway")
    started = Gateway(folder, config=config_file(folder, **tables), arguments=["--workers", "2"])
    yield started
    assert started.stop() == 0, started.log_text()


@pytest.fixture(scope="module")
def workers(gateway: Gateway) -> Iterator[list[Worker]]:
    with each_worker(gateway) as both:
        yield both


class Space(Struct, frozen=True):
    """A workspace with a key of each kind, and what there is in it."""

    id: str
    slug: str
    admin: str
    caller: str
    reader: str
    hash: str


def space(gateway: Gateway, slug: str, **members: Any) -> Space:
    """A new one. Its caller's key is the one whose hash is known."""
    made = new_workspace(gateway, slug=slug, **members)
    admin, caller, reader = (
        new_key(gateway, role=role, workspace_id=made) for role in ("admin", "caller", "read_only")
    )
    return Space(made, slug, admin[0], caller[0], reader[0], caller[1]["hash"])


def asked(by: Gateway | Worker, key: str, **fields: Any) -> Answer:
    body = {"model": "sim/solo", "messages": [USER], "max_tokens": 20, **fields}
    return by.call("POST", "/chat/completions", body, key=key)


def test_nothing_of_one_workspace_is_there_for_another(gateway: Gateway, workers: list[Worker]) -> None:
    mine, theirs = space(gateway, "mine"), space(gateway, "theirs")
    for owner in (mine, theirs):
        made = gateway.call("POST", "/presets/same/chat/completions", {"model": "sim/solo"}, key=owner.caller)
        assert data_of(made)["designated_version"]["version"] == 1
    preset = data_of(gateway.call("GET", "/presets/same", key=theirs.caller))
    data_of(gateway.call("POST", "/presets/only-theirs/messages", {"model": "sim/solo"}, key=theirs.caller))
    data_of(gateway.call("PUT", f"/workspaces/{theirs.id}/budgets/daily", {"limit_usd": 5}, key=theirs.admin))
    added = gateway.call("POST", "/byok", {"provider": "sim", "key": SECRET}, key=theirs.admin).json()["data"]
    answer = asked(gateway, theirs.caller, session_id="secret-session", user="secret-user", model="@preset/same")
    record = answer.header("x-generation-id") or ""
    until(lambda: gateway.call("GET", f"/generations?key={theirs.hash}", key=theirs.admin).json()["data"])

    secrets = [
        theirs.id,
        theirs.hash,
        added["id"],
        record,
        preset["id"],
        "only-theirs",
        "secret-session",
        "secret-user",
    ]
    lists = ("/presets", "/keys?include_disabled=true", "/byok", "/workspaces", "/generations", "/activity", "/key")
    for worker in workers:
        for path in lists:
            for reader in (mine.admin, mine.reader):
                shown = worker.call("GET", path, key=reader)
                data_of(shown)
                assert [one for one in secrets if one in shown.body.decode()] == [], path
        assert theirs.id in worker.call("GET", "/workspaces", key=theirs.reader).body.decode()
        for method, path, guessed, unknown in guesses(theirs, added["id"], record, preset["id"]):
            told = worker.call(method, path.format(guessed), BODIES.get(method), key=mine.admin)
            nobody = worker.call(method, path.format(unknown), BODIES.get(method), key=mine.admin)
            refused(nobody, 404)
            assert told.body.replace(guessed.encode(), unknown.encode()) == nobody.body, path
        for model in ("@preset/only-theirs", "sim/solo@preset/only-theirs"):
            assert "only-theirs" in refused(asked(worker, mine.caller, model=model), 404)
        assert data_of(worker.call("GET", f"/generations?key={theirs.hash}", key=mine.admin)) == []
    # And nothing of it has changed.
    assert data_of(gateway.call("GET", f"/keys/{theirs.hash}", key=theirs.admin))["name"] == "a key"
    assert data_of(gateway.call("GET", f"/byok/{added['id']}", key=theirs.admin)) == added
    assert data_of(gateway.call("GET", "/presets/same", key=theirs.caller)) == preset
    assert data_of(gateway.call("GET", f"/workspaces/{theirs.slug}/budgets/daily", key=theirs.admin))["limit_usd"] == 5


def guesses(theirs: Space, added: str, record: str, preset: str) -> Iterator[tuple[str, str, str, str]]:
    """Everything of theirs that an address can name: the method, the address, its name, and the name of nobody."""
    for method in ("GET", "PATCH", "DELETE"):
        yield method, "/keys/{}", theirs.hash, "0" * 64
        yield method, "/byok/{}", added, "0" * 36
        for ref in (theirs.id, theirs.slug):
            yield method, "/workspaces/{}", ref, "nobody"
    for method in ("GET", "PUT", "DELETE"):
        yield method, "/workspaces/{}/budgets/daily", theirs.id, "0" * 36
    for path in ("/presets/{}", "/presets/{}/versions", "/presets/{}/versions/1"):
        yield "GET", path, "only-theirs", "only-nobody"
        yield "GET", path, preset, "0" * 36
    yield "PATCH", "/presets/{}", "only-theirs", "only-nobody"
    yield "DELETE", "/presets/{}", "only-theirs", "only-nobody"
    yield "POST", "/presets/{}/versions/1/designate", "only-theirs", "only-nobody"
    yield "GET", "/generation?id={}", record, record[:-20] + "0" * 20
    for path in ("/keys", "/byok", "/activity", "/ledger/verify"):
        yield "GET", path + "?workspace_id={}", theirs.id, "0" * 36


def test_conversations_of_the_same_name_are_two_in_two_workspaces(
    gateway: Gateway, workers: list[Worker], simulator: Simulator
) -> None:
    mine, theirs = space(gateway, "talks"), space(gateway, "talks-too")
    worker = workers[0]

    def reached(key: str) -> list[str]:
        simulator.forget_requests()
        assert asked(worker, key, model="sim/keeps", session_id="one").status == 200
        return [one.path.split("/")[1] for one in simulator.requests()]

    simulator.script(status(400, {"error": {"message": "no", "code": "unsupported_parameter"}}), prefix="/a")
    assert reached(mine.caller) == ["a", "b"]
    simulator.script(ok(), prefix="/a")
    assert reached(mine.caller) == ["b"], "it goes on where it was answered"
    assert reached(theirs.caller) == ["a"], "which nobody else's does"


def test_a_budget_is_its_workspaces_alone_on_every_worker(gateway: Gateway, workers: list[Worker]) -> None:
    mine, theirs = space(gateway, "poor"), space(gateway, "rich")
    for interval, limit in (("daily", 0.000001), ("monthly", 0.000002)):
        assert workers[0].call("PUT", f"/workspaces/poor/budgets/{interval}", {"limit_usd": limit}).status == 200
    for worker in workers:
        message = refused(asked(worker, mine.caller), 403)
        assert message == "Workspace monthly budget of $0.000002 exceeded. Contact your org admin."
        assert asked(worker, theirs.caller).status == 200
        assert asked(worker, gateway.key).status == 200
    for interval in ("monthly", "daily"):
        assert workers[1].call("DELETE", f"/workspaces/poor/budgets/{interval}").status == 200
    for worker in workers:
        assert asked(worker, mine.caller).status == 200


def test_prompts_are_kept_of_the_workspace_and_the_keys_that_have_them_kept(
    gateway: Gateway, workers: list[Worker]
) -> None:
    mine, theirs = space(gateway, "kept"), space(gateway, "not-kept")
    changes = {"is_observability_io_logging_enabled": True, "io_logging_api_key_ids": [mine.hash]}
    assert workers[0].call("PATCH", "/workspaces/kept", changes, key=mine.admin).status == 200
    for worker in workers:
        ids = {key: asked(worker, key).header("x-generation-id") for key in (mine.caller, mine.admin, theirs.caller)}
        content = data_of(worker.call("GET", f"/generation/content?id={ids[mine.caller]}", key=mine.admin))
        assert content["input"] == {"messages": [USER]}
        for other in (mine.admin, theirs.caller):
            for reader in (mine.admin, theirs.admin):
                refused(worker.call("GET", f"/generation/content?id={ids[other]}", key=reader), 404)
        refused(worker.call("GET", f"/generation/content?id={ids[mine.caller]}", key=theirs.admin), 404)
        refused(worker.call("GET", f"/generation/content?id={ids[mine.caller]}", key=mine.reader), 403)
    assert workers[0].call("PATCH", "/workspaces/kept", {"io_logging_api_key_ids": None}, key=mine.admin).status == 200
    for worker in workers:
        id_ = asked(worker, mine.admin).header("x-generation-id")
        assert data_of(worker.call("GET", f"/generation/content?id={id_}", key=mine.admin))["output"]


def test_what_a_workspace_says_for_its_requests_holds_from_the_next_one_on(
    gateway: Gateway, workers: list[Worker]
) -> None:
    mine, theirs = space(gateway, "says"), space(gateway, "says-not")
    unsaid = {"messages": [USER]}
    for model in ("sim/solo", "other/solo"):
        changes = {"default_text_model": model, "default_provider_sort": "price"}
        assert workers[0].call("PATCH", "/workspaces/says", changes, key=mine.admin).status == 200
        for worker in workers:
            answer = worker.call("POST", "/chat/completions", unsaid, key=mine.caller)
            assert (answer.status, answer.json()["model"]) == (200, model)
            told = data_of(worker.call("POST", "/explain/chat/completions", unsaid, key=mine.caller))
            assert (told["origin"]["/model"], told["origin"]["/provider/sort"]) == ("default", "default")
            assert [one["reason"] for one in told["endpoints"]] == ["price"]
            refused(worker.call("POST", "/chat/completions", unsaid, key=theirs.caller), 400)

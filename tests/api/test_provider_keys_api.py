"""Provider keys over HTTP: added, carried by the next request, changed, deleted; those of the file only to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, new_key, refused
from simulator.script import ok, status
from support.processes import UPSTREAM_KEY, Gateway, config_file, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import StartGateway

ROW = {
    *("id", "provider", "label", "name", "disabled", "is_fallback", "sort_order", "workspace_id", "created_at"),
    *("allowed_models", "allowed_api_key_hashes", "allowed_user_ids", "declared_region", "declared_zdr"),
    *("is_byok_only", "is_required", "usable", "source"),
}
SECRET = "sk-added-0123456789abcdef"


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a provider that has a key (`sim`) and one that has none (`bare`), for the tests of this file."""
    folder = tmp_path_factory.mktemp("gateway")
    tables = simulated(simulator_process)
    del tables["models"]["sim/model"], tables["models"]["other/solo"]
    tables["providers"]["bare"] = {"dialect": "chat", "base_url": simulator_process.url("/c/v1")}
    started = Gateway(folder, config=config_file(folder, **tables))
    yield started
    assert started.stop() == 0, started.log_text()


@pytest.fixture(autouse=True)
def nothing_added(gateway: Gateway) -> Iterator[None]:
    """Each test leaves nothing behind."""
    yield
    for row in data_of(gateway.call("GET", "/byok")):
        if row["source"] == "api":
            assert gateway.call("DELETE", f"/byok/{row['id']}").json() == {"deleted": True}


def add(gateway: Gateway, provider: str = "bare", key: str = SECRET, **members: Any) -> dict[str, Any]:
    answer = gateway.call("POST", "/byok", {"provider": provider, "key": key, **members})
    assert answer.status == 201, answer.body
    return answer.json()["data"]


def change(gateway: Gateway, row: dict[str, Any], **members: Any) -> dict[str, Any]:
    return data_of(gateway.call("PATCH", f"/byok/{row['id']}", members))


def carried(gateway: Gateway, simulator: Simulator, model: str = "bare/m", **more: Any) -> list[str | None]:
    """The credentials that a request of this model goes upstream with, in order."""
    simulator.forget_requests()
    ask(gateway, {"model": model}, **more)
    return [one.header("authorization") for one in simulator.requests()]


# --- adding and seeing ---------------------------------------------------------------------------------------


def test_a_key_that_is_added_goes_with_the_next_request(gateway: Gateway, simulator: Simulator) -> None:
    assert carried(gateway, simulator) == [None]
    row = add(gateway, name="For the app \u00e9")
    assert set(row) == ROW
    assert (row["provider"], row["name"], row["label"]) == ("bare", "For the app \u00e9", "sk-...def")
    assert (row["disabled"], row["usable"], row["source"], row["workspace_id"]) == (False, True, "api", None)
    assert [row[one] for one in ROW if one.startswith(("allowed_", "declared_"))] == [None] * 5
    assert carried(gateway, simulator) == [f"Bearer {SECRET}"]
    assert data_of(gateway.call("GET", f"/byok/{row['id']}")) == row


def test_the_files_keys_are_listed_first_and_can_be_changed_in_the_file_only(gateway: Gateway) -> None:
    row = add(gateway, "sim")
    answer = gateway.call("GET", "/byok")
    rows = data_of(answer)
    assert answer.json()["total_count"] == len(rows) == 3
    assert [one["source"] for one in rows] == ["configuration", "configuration", "api"]
    assert set(rows[0]) == ROW
    assert (rows[0]["provider"], rows[0]["sort_order"], rows[2]["sort_order"]) == ("sim", 0, 1)
    assert UPSTREAM_KEY not in answer.body.decode()
    assert rows[2] == row
    assert data_of(gateway.call("GET", f"/byok/{rows[0]['id']}"))["label"] == rows[0]["label"]
    for method in ("PATCH", "DELETE"):
        message = refused(gateway.call(method, f"/byok/{rows[0]['id']}", {"disabled": True}), 409)
        assert "configuration" in message
        refused(gateway.call(method, "/byok/nobodys", {"disabled": True}), 404)
    for key_id in ("nobodys", "%ff", "%00", "%ed%a0%80", "..", "a%2Fb", "x" * 5000):
        refused(gateway.call("GET", f"/byok/{key_id}"), 404)
        refused(gateway.call("DELETE", f"/byok/{key_id}"), 404)


def test_the_list_is_paged_over_both_kinds(gateway: Gateway) -> None:
    added = [add(gateway, provider, f"sk-{number}-0123456789") for provider in ("bare", "sim") for number in range(2)]
    everything = data_of(gateway.call("GET", "/byok"))
    assert [one["id"] for one in everything[2:]] == [one["id"] for one in added]
    for limit in (1, 2, 4):
        seen: list[Any] = []
        for offset in range(0, 8, limit):
            seen += data_of(gateway.call("GET", f"/byok?offset={offset}&limit={limit}"))
        assert seen == everything
    of_sim = data_of(gateway.call("GET", "/byok?provider=sim"))
    assert [one["provider"] for one in of_sim] == ["sim"] * 3
    assert data_of(gateway.call("GET", "/byok?provider=nobody")) == []
    refused(gateway.call("GET", "/byok?limit=101"), 400)
    refused(gateway.call("GET", "/byok?workspace_id=another"), 404)
    own = data_of(gateway.call("GET", "/key"))["workspace_id"]
    assert len(data_of(gateway.call("GET", f"/byok?workspace_id={own}"))) == 6


def test_added_keys_stand_behind_the_files_and_fallbacks_behind_all(gateway: Gateway, simulator: Simulator) -> None:
    add(gateway, "sim", "sk-fallback-0123", is_fallback=True)
    add(gateway, "sim", "sk-first-0123456")
    simulator.script(status(429), status(429), ok(), prefix="/a")
    keys = [UPSTREAM_KEY, "sk-first-0123456", "sk-fallback-0123"]
    assert carried(gateway, simulator, "sim/solo") == [f"Bearer {key}" for key in keys]


# --- changing ------------------------------------------------------------------------------------------------


def test_a_key_rotates_in_place(gateway: Gateway, simulator: Simulator) -> None:
    row = add(gateway, name="n")
    rotated = change(gateway, row, key="another-0123456789abcdef")
    assert rotated == row | {"label": "ano...def"}
    assert carried(gateway, simulator) == ["Bearer another-0123456789abcdef"]


def test_a_key_rests_and_comes_back(gateway: Gateway, simulator: Simulator) -> None:
    row = add(gateway)
    assert change(gateway, row, disabled=True)["usable"] is False
    assert carried(gateway, simulator) == [None]
    assert change(gateway, row, disabled=False)["usable"] is True
    assert carried(gateway, simulator) == [f"Bearer {SECRET}"]


def test_a_deleted_key_is_gone(gateway: Gateway, simulator: Simulator) -> None:
    row = add(gateway)
    assert gateway.call("DELETE", f"/byok/{row['id']}").json() == {"deleted": True}
    refused(gateway.call("GET", f"/byok/{row['id']}"), 404)
    refused(gateway.call("DELETE", f"/byok/{row['id']}"), 404)
    assert carried(gateway, simulator) == [None]


def test_what_is_not_said_stays_and_null_clears(gateway: Gateway) -> None:
    row = add(gateway, name="n", allowed_models=["bare/m"], declared_region="us", is_required=True)
    assert change(gateway, row) == row
    assert change(gateway, row, name=None, allowed_models=None, declared_region=None, is_required=None) == row | {
        "name": None,
        "allowed_models": None,
        "declared_region": None,
    }


# --- whom it is for ------------------------------------------------------------------------------------------


def test_a_key_is_for_some_models_some_keys_and_some_users(gateway: Gateway, simulator: Simulator) -> None:
    plain, told = new_key(gateway)
    row = add(gateway, allowed_models=["bare/m"])
    assert carried(gateway, simulator, "bare/m") == [f"Bearer {SECRET}"]
    assert carried(gateway, simulator, "bare/n") == [], "nobody goes to a provider that has keys without one"
    asked = {"model": "bare/n", "models": ["bare/n", "sim/solo"], "messages": [USER]}
    explained = data_of(gateway.call("POST", "/explain/chat/completions", asked))
    assert [one["provider"] for one in explained["endpoints"]] == ["sim"]
    assert explained["excluded"] == [
        {"provider": "bare", "model": "bare/n", "tag": "bare", "reason": "key_not_allowed"}
    ]
    change(gateway, row, allowed_models=None, allowed_api_key_hashes=[told["hash"]])
    assert carried(gateway, simulator, key=plain) == [f"Bearer {SECRET}"]
    assert carried(gateway, simulator) == []
    change(gateway, row, allowed_api_key_hashes=None, allowed_user_ids=["user_nobody"])
    assert carried(gateway, simulator) == []
    change(gateway, row, allowed_user_ids=[told["creator_user_id"]])
    assert carried(gateway, simulator) == [f"Bearer {SECRET}"]
    own = data_of(gateway.call("GET", "/key"))["workspace_id"]
    assert add(gateway, "sim", workspace_id=own)["workspace_id"] == own


def test_a_key_that_is_declared_to_retain_nothing_is_the_way_of_requests_that_insist_on_it(
    gateway: Gateway, simulator: Simulator
) -> None:
    insisting = {"model": "bare/m", "messages": [USER], "provider": {"zdr": True}}

    def insisted() -> list[str | None]:
        simulator.forget_requests()
        told, answer = gateway.call("POST", "/explain/chat/completions", insisting), ask(gateway, insisting)
        if answer.status == 200:
            assert (data_of(told)["excluded"], [one["tag"] for one in data_of(told)["endpoints"]]) == ([], ["bare"])
        else:
            assert refused(told, 404) == refused(answer, 404)
            assert answer.json()["error"]["availability"]["excluded_by"] == ["data_policy:zdr"]
        return [one.header("authorization") for one in simulator.requests()]

    assert insisted() == []
    plain = add(gateway, key="sk-plain-0123456789")
    assert insisted() == []
    row = add(gateway, declared_zdr=True)
    assert row["declared_zdr"] is True
    assert insisted() == [f"Bearer {SECRET}"]
    assert carried(gateway, simulator) == ["Bearer sk-plain-0123456789"]
    simulator.script(status(429), prefix="/c")
    simulator.forget_requests()
    assert ask(gateway, insisting).status == 429
    assert len(simulator.requests()) == 1, "no other key stands in for it"
    simulator.clear()
    assert change(gateway, row, declared_zdr=False)["declared_zdr"] is False
    assert insisted() == []
    assert change(gateway, plain, declared_zdr=True)["declared_zdr"] is True
    assert insisted() == ["Bearer sk-plain-0123456789"]
    asked = insisting | {"models": ["sim/solo"]}
    explained = data_of(gateway.call("POST", "/explain/chat/completions", asked))
    assert {"provider": "sim", "model": "sim/solo", "tag": "sim", "reason": "zdr"} in explained["excluded"]
    assert change(gateway, plain, declared_zdr=None)["declared_zdr"] is None


def test_a_known_provider_is_there_from_its_first_key_on(gateway: Gateway) -> None:
    """Nothing is sent: the request itself rules the provider out."""

    def asked() -> Answer:
        return ask(gateway, {"model": "openai/gpt-4o", "provider": {"only": ["nobody"]}})

    assert "is not a valid model ID" in refused(asked(), 400)
    row = add(gateway, "openai")
    assert "it is served by openai" in refused(asked(), 404)
    change(gateway, row, disabled=True)
    refused(asked(), 400)
    assert change(gateway, row, disabled=False)["usable"] is True
    refused(asked(), 404)


# --- workers, secrets, the start -----------------------------------------------------------------------------


def started(start: StartGateway, simulator: Simulator, **options: Any) -> Gateway:
    """A gateway of which the only provider has no key."""
    bare = {"bare": {"dialect": "chat", "base_url": simulator.url("/c/v1")}}
    return start(providers=bare, models=None, **options)


def test_every_worker_carries_what_was_changed_from_the_next_request_on(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = started(start_gateway, simulator, arguments=["--workers", "2"])
    row = add(gateway)
    for number in range(6):
        key = f"sk-{number}-0123456789abcdef"
        change(gateway, row, key=key)
        for _ in range(4):  # each on a connection of its own, which any worker may take
            assert carried(gateway, simulator) == [f"Bearer {key}"]
    gateway.call("DELETE", f"/byok/{row['id']}")
    for _ in range(6):
        assert carried(gateway, simulator) == [None]


def test_what_another_secret_has_sealed_stays_closed_and_stops_nothing(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = started(start_gateway, simulator, environment={"SETPOINT_SECRET_KEY": "the-first-secret"})
    row = add(gateway)
    assert gateway.stop() == 0
    gateway = started(
        start_gateway,
        simulator,
        data_dir=gateway.data_dir,
        environment={"SETPOINT_SECRET_KEY": "the-second-secret"},
    )
    assert data_of(gateway.call("GET", "/byok")) == [row | {"usable": False}]
    assert carried(gateway, simulator) == [None]
    assert gateway.settled_log_text().count("another secret key has sealed are not used: 1 of them") == 1
    assert change(gateway, row, name="n") == row | {"usable": False, "name": "n"}
    assert change(gateway, row, key=SECRET) == row | {"name": "n"}
    assert carried(gateway, simulator) == [f"Bearer {SECRET}"]


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"key": None}, "key: is required"),
        ({"provider": None}, "provider: is required"),
        ({"provider": "nobody"}, "provider: is none"),
        ({"provider": "setpoint"}, "provider: is none"),
        ({"provider": "azure"}, "provider: is none"),
        ({"provider": ["bare"]}, "provider: must be"),
        ({"provider": "http://evil.test"}, "provider: is none"),
        ({"provider": "bare/../sim"}, "provider: is none"),
        ({"provider": "bare#"}, "provider: is none"),
        ({"key": ""}, "key: must be"),
        ({"key": 7}, "key: must be"),
        ({"key": "two\nlines"}, "key: must be"),
        ({"key": "sk-\u00e9"}, "key: must be"),
        ({"key": "k" * 4001}, "key: must be"),
        ({"name": ""}, "name: must be"),
        ({"name": "n" * 256}, "name: must be"),
        ({"disabled": "yes"}, "disabled: must be"),
        ({"is_fallback": True, "is_byok_only": True}, "is_byok_only: cannot be"),
        ({"allowed_models": []}, "allowed_models: must be"),
        ({"allowed_models": ["a b"]}, "allowed_models[0]: is none"),
        ({"allowed_api_key_hashes": []}, "allowed_api_key_hashes: must be"),
        ({"allowed_api_key_hashes": ["x"]}, "allowed_api_key_hashes[0]: is none"),
        ({"allowed_api_key_hashes": ["0" * 64]}, "allowed_api_key_hashes[0]: is no key's"),
        ({"allowed_api_key_hashes": ["0" * 64] * 101}, "allowed_api_key_hashes: must be"),
        ({"allowed_user_ids": [7]}, "allowed_user_ids[0]: is none"),
        ({"declared_region": "mars"}, "declared_region: must be"),
        ({"declared_zdr": "yes"}, "declared_zdr: must be"),
        ({"base_url": "http://evil.test"}, "base_url: is not a member"),
        ({"m" * 10_000: 1}, f"{'m' * 64}\u2026: is not a member"),
        ({"allowed_models": ["m" * 513]}, "allowed_models[0]: is none"),
        ({"allowed_user_ids": [""]}, "allowed_user_ids[0]: is none"),
        ({"sort_order": 1}, "sort_order: is not a member"),
    ],
)
def test_what_is_wrong_is_said_without_the_key(gateway: Gateway, members: dict[str, Any], said: str) -> None:
    answer = gateway.call("POST", "/byok", {"provider": "bare", "key": SECRET, **members})
    assert refused(answer, 400).startswith(said)
    assert SECRET[6:-4] not in answer.body.decode()
    assert data_of(gateway.call("GET", "/byok?provider=bare")) == []


@pytest.mark.parametrize(
    ("method", "path", "member"),
    [("POST", "/byok", "key"), ("POST", "/keys", "name"), ("PATCH", "/presets/{preset}", "name")],
)
def test_a_number_that_cannot_be_read_is_named(gateway: Gateway, method: str, path: str, member: str) -> None:
    create(gateway, "numbered", {"model": "sim/solo"})
    body = b'{"provider": "bare", "%s": %s}' if method == "POST" and path == "/byok" else b'{"%s": %s}'
    answer = gateway.call(method, path.format(preset="numbered"), body=body % (member.encode(), b"9" * 5_000))
    assert refused(answer, 400).startswith(f"{member}: cannot be read")


def test_a_change_is_checked_as_a_whole(gateway: Gateway) -> None:
    row = add(gateway, is_fallback=True)
    for wrong in ({"is_byok_only": True}, {"provider": "sim"}, {"workspace_id": "w"}, {"key": ""}, {"usable": True}):
        refused(gateway.call("PATCH", f"/byok/{row['id']}", wrong), 400)
    assert change(gateway, row, is_fallback=False, is_byok_only=True)["is_byok_only"] is True
    refused(gateway.call("PATCH", f"/byok/{row['id']}", {"is_fallback": True}), 400)
    refused(gateway.call("POST", "/byok", {"provider": "bare", "key": SECRET, "workspace_id": "another"}), 404)

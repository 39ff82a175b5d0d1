"""What keys with lists may read, capture and call: presets, models and providers, over HTTP in three skins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openrouter import OpenRouter

from api.api_support import ask, create, data_of, fresh, new_key, refused, sent
from api.skins_support import ROUTES, SKINS, error_of, least

if TYPE_CHECKING:
    from setpoint.records import Dialect
    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway


def bounded(gateway: Gateway, **lists: Any) -> str:
    return new_key(gateway, **lists)[0]


# --- presets -------------------------------------------------------------------------------------------------


@pytest.fixture
def mine(shared_gateway: Gateway) -> str:
    slug = fresh("mine")
    create(shared_gateway, slug, {"model": "sim/solo", "temperature": 0.5})
    return slug


@pytest.fixture
def theirs(shared_gateway: Gateway) -> str:
    slug = fresh("theirs")
    create(shared_gateway, slug, {"model": "sim/solo"})
    return slug


def test_presets_outside_the_list_are_not_listed(shared_gateway: Gateway, mine: str, theirs: str) -> None:
    key = bounded(shared_gateway, allowed_presets=[mine, "not-there"])
    page = shared_gateway.call("GET", "/presets", key=key).json()
    assert ([row["slug"] for row in page["data"]], page["total_count"]) == ([mine], 1)
    assert shared_gateway.call("GET", "/presets?offset=1", key=key).json() == {"data": [], "total_count": 1}
    everything = shared_gateway.call("GET", "/presets?limit=100").json()
    assert {mine, theirs} <= {row["slug"] for row in everything["data"]}
    assert everything["total_count"] > 1


@pytest.mark.parametrize("role", ["caller", "editor", "read_only", "admin"])
def test_a_path_outside_the_list_is_refused_before_a_body_is_read_whether_it_leads_anywhere(
    shared_gateway: Gateway, mine: str, theirs: str, role: str
) -> None:
    key = bounded(shared_gateway, role=role, allowed_presets=[mine])
    changes = [("PATCH", ""), ("DELETE", ""), ("POST", "/versions/1/designate")] if role in ("editor", "admin") else []
    captures = [("POST", route) for route in ROUTES.values()] if role != "read_only" else []
    reads = [("GET", ""), ("GET", "/versions"), ("GET", "/versions/1")]
    for method, rest in (*reads, *changes, *captures):
        answers = [
            shared_gateway.call(method, f"/presets/{slug}{rest}", body=b"?" if method != "GET" else None, key=key)
            for slug in (theirs, "nowhere")
        ]
        told = [refused(answer, 403) for answer in answers]
        assert told == [f"The allowed_presets of this key leave out {slug}" for slug in (theirs, "nowhere")]
    for _, rest in reads:
        assert shared_gateway.call("GET", f"/presets/{mine}{rest}", key=key).status == 200
    assert data_of(shared_gateway.call("GET", f"/presets/{theirs}"))["designated_version"]["version"] == 1


def test_a_slug_of_the_list_may_be_made(shared_gateway: Gateway) -> None:
    slug = fresh("new")
    key = bounded(shared_gateway, allowed_presets=[slug])
    made = shared_gateway.call("POST", f"/presets/{slug}/chat/completions", {"model": "sim/solo"}, key=key)
    assert data_of(made)["slug"] == slug


def test_what_a_capture_is_made_of_must_be_in_the_list(shared_gateway: Gateway, mine: str, theirs: str) -> None:
    key = bounded(shared_gateway, allowed_presets=[mine])

    def capture(reference: str) -> Answer:
        body = {"model": f"@preset/{reference}"}
        return shared_gateway.call("POST", f"/presets/{mine}/chat/completions", body, key=key)

    assert "leave out" in refused(capture(theirs), 403)
    assert "leave out" in refused(capture("nowhere"), 403)
    assert data_of(capture(mine))["designated_version"]["version"] == 2


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("place", ["", "/explain"])
def test_a_reference_outside_the_list_is_refused_in_every_skin_and_form(
    shared_gateway: Gateway, simulator: Simulator, mine: str, theirs: str, skin: Dialect, place: str
) -> None:
    key = bounded(shared_gateway, allowed_presets=[mine])

    def call(**fields: Any) -> Answer:
        body = {**least(skin, **fields), "max_tokens" if skin != "responses" else "max_output_tokens": 20}
        return shared_gateway.call("POST", place + ROUTES[skin], body, key=key)

    forms: list[dict[str, Any]] = [
        {"model": f"@preset/{theirs}"},
        {"model": f"@preset/{theirs}@1"},
        {"model": f"sim/solo@preset/{theirs}"},
        {"model": "sim/solo", "preset": theirs},
        {"model": "@preset/nowhere"},
    ]
    for form in forms:
        answer = call(**form)
        told, message = error_of(skin, answer)
        assert (answer.status, told, "leave out" in message) == (403, "permission_denied", True)
    assert simulator.requests() == []
    assert call(model=f"@preset/{mine}").status == 200
    assert call(model="sim/solo").status == 200  # no preset, no list


def test_the_count_of_tokens_asks_the_lists_too(shared_gateway: Gateway, mine: str, theirs: str) -> None:
    key = bounded(shared_gateway, allowed_presets=[mine], allowed_models=["sim/solo"])

    def count(model: str) -> Answer:
        return shared_gateway.call("POST", "/messages/count_tokens", least("messages", model=model), key=key)

    for model in (f"@preset/{theirs}", "other/solo"):
        answer = count(model)
        assert (answer.status, error_of("messages", answer)[0]) == (403, "permission_denied")
    assert count(f"@preset/{mine}").status == 200


# --- models and providers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("skin", SKINS)
def test_a_model_outside_the_list_is_refused_and_named_and_nothing_is_sent(
    shared_gateway: Gateway, simulator: Simulator, skin: Dialect
) -> None:
    key = bounded(shared_gateway, allowed_models=["sim/solo"])
    body = {**least(skin, model="other/solo"), "max_tokens" if skin != "responses" else "max_output_tokens": 20}
    answer = shared_gateway.call("POST", ROUTES[skin], body, key=key)
    told, message = error_of(skin, answer)
    assert (answer.status, told) == (403, "permission_denied")
    assert "other/solo" in message
    assert simulator.requests() == []
    assert shared_gateway.call("POST", ROUTES[skin], {**body, "model": "sim/solo"}, key=key).status == 200


def test_a_preset_does_not_lead_beyond_the_lists(shared_gateway: Gateway, mine: str) -> None:
    key = bounded(shared_gateway, allowed_models=["other/solo"])
    assert "sim/solo" in refused(ask(shared_gateway, {"model": f"@preset/{mine}"}, key=key), 403)


def test_a_fallback_goes_where_the_key_may(shared_gateway: Gateway, simulator: Simulator) -> None:
    key = bounded(shared_gateway, allowed_models=["other/solo"])
    answer = ask(shared_gateway, {"model": "sim/solo", "models": ["other/solo"]}, key=key)
    assert (answer.status, answer.json()["model"]) == (200, "other/solo")
    assert sent(simulator)["model"] == "upstream-model"


def test_a_provider_outside_the_list_is_left_out_and_the_explanation_and_the_record_say_so(
    shared_gateway: Gateway, simulator: Simulator
) -> None:
    key = bounded(shared_gateway, allowed_providers=["other"])
    excluded = {"provider": "sim", "model": "sim/model", "tag": "sim", "reason": "key_not_allowed"}
    body = least("chat", model="sim/model")
    told = data_of(shared_gateway.call("POST", "/explain/chat/completions", body, key=key))
    assert ([one["tag"] for one in told["endpoints"]], told["excluded"]) == (["other"], [excluded])
    answers = [ask(shared_gateway, {"model": "sim/model"}, key=key) for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    assert {received.path for received in simulator.requests()} == {"/b/v1/chat/completions"}
    record = data_of(shared_gateway.call("GET", f"/generation?id={answers[-1].json()['id']}", key=key))
    assert record["excluded"] == [excluded]
    refused(ask(shared_gateway, {"model": "sim/solo"}, key=key), 403)
    told = shared_gateway.call("POST", "/explain/chat/completions", least("chat", model="sim/solo"), key=key)
    refused(told, 403)


def test_lists_change_with_the_key_and_hold_from_the_next_request_on(shared_gateway: Gateway, mine: str) -> None:
    key, told = new_key(shared_gateway)
    path, body = f"/keys/{told['hash']}", {"model": f"@preset/{mine}"}
    for lists in ({"allowed_presets": ["x"]}, {"allowed_models": ["x"]}, {"allowed_providers": ["x"]}):
        data_of(shared_gateway.call("PATCH", path, lists))
        refused(ask(shared_gateway, body, key=key), 403)
        data_of(shared_gateway.call("PATCH", path, dict.fromkeys(lists)))
        assert ask(shared_gateway, body, key=key).status == 200


def test_a_key_can_ask_which_models_it_may_use(shared_gateway: Gateway) -> None:
    def ids(path: str, key: str | None = None) -> list[str]:
        page = shared_gateway.call("GET", path, key=key).json()
        assert page["total_count"] == len(page["data"])
        return [model["id"] for model in page["data"]]

    everything = ids("/models")
    for lists, expected in (
        ({}, everything),
        ({"allowed_models": ["other/solo", "setpoint/echo"]}, ["other/solo", "setpoint/echo"]),
        ({"allowed_providers": ["sim"]}, ["sim/model", "sim/solo"]),
        ({"allowed_models": ["sim/model", "sim/solo"], "allowed_providers": ["other"]}, ["sim/model"]),
        ({"allowed_models": ["nowhere"]}, []),
    ):
        key = bounded(shared_gateway, **lists)
        assert ids("/models/user", key) == expected
        assert ids("/models", key) == everything
        for model in everything:
            status = ask(shared_gateway, {"model": model}, key=key).status
            assert status == (200 if model in expected else 403)
    assert ids("/models/user?q=solo") == ["sim/solo", "other/solo"]
    key = bounded(shared_gateway, allowed_models=["sim/solo"])
    with OpenRouter(api_key=key, server_url=shared_gateway.url) as client:
        listed = client.models.list_for_user(security={"bearer": key})
        assert listed is not None
        assert [model.id for model in listed.result.data] == ["sim/solo"]

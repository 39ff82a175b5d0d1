"""What is explained before is what is recorded after: on all skins, for a conversation, whichever worker is asked.

Every call is a connection of its own, so that the two workers share them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import create, data_of, fresh
from api.skins_support import PRICE, ROUTES, SKINS, least, three_dialects
from simulator.script import status
from support.processes import Gateway, config_file
from support.workers import Worker, each_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.records import Dialect
    from simulator.client import Simulator

ALIKE = ("endpoints", "excluded", "not_honoured", "system_prompt_from")
SESSIONS = 6


@pytest.fixture(scope="module")
def two_workers(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With `at/many`: five endpoints that are equal but for their names, and one that is never the first.

    And with `at/kept`: three that are equal, where conversations go on.
    """
    folder = tmp_path_factory.mktemp("gateway")
    tables = three_dialects(simulator_process)
    offers = [
        {"provider": slug, "tag": f"{slug}/{number}", "pricing": PRICE}
        for number, slug in enumerate(("chat", "messages", "responses", "chat", "messages"))
    ]
    kept = [{"provider": slug, "pricing": {**PRICE, "input_cache_read": "0.0000001"}} for slug in SKINS]
    tables["models"]["at/kept"] = {"endpoints": kept}
    tables["models"]["at/many"] = {"endpoints": [*offers, {"provider": "two", "pricing": PRICE, "weight": 0}]}
    started = Gateway(folder, config=config_file(folder, **tables, settings={"workers": 2}))
    yield started
    assert started.stop() == 0, started.log_text()


def explained(gateway: Gateway | Worker, skin: Dialect, **fields: Any) -> dict[str, Any]:
    told = data_of(gateway.call("POST", f"/explain{ROUTES[skin]}", least(skin, **fields)))
    for place, endpoint in enumerate(told["endpoints"], 1):
        assert endpoint.pop("position") == place
    return told


def recorded(gateway: Gateway | Worker, skin: Dialect, **fields: Any) -> dict[str, Any]:
    answer = gateway.call("POST", ROUTES[skin], least(skin, **fields))
    assert answer.status == 200, answer.body
    return data_of(gateway.call("GET", f"/generation?id={answer.header('x-generation-id')}"))


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("skin", SKINS)
def test_before_and_after_agree_for_a_conversation_on_every_worker(two_workers: Gateway, skin: Dialect) -> None:
    slug = fresh("agreed")
    create(
        two_workers,
        slug,
        {"model": "at/many", "top_k": 3, "min_p": 0.1, "messages": [{"role": "system", "content": "Brief."}]},
    )
    chosen: set[str] = set()
    for number in range(SESSIONS):
        fields = {
            "model": f"@preset/{slug}",
            "session_id": f"{skin}-{number}",
            "max_tokens" if skin != "responses" else "max_output_tokens": 9,
            "seed" if skin != "chat" else "top_a": 0,
            "provider": {"ignore": ["messages/1", "nobody"], "made_up": 1},
        }
        before = [explained(two_workers, skin, **fields) for _ in range(4)]
        after = recorded(two_workers, skin, **fields)
        assert all(told == before[0] for told in before), "the workers agree"
        assert {name: after[name] for name in ALIKE} == {name: before[0][name] for name in ALIKE}
        assert {one["reason"] for one in after["excluded"]} == {"ignored", "unknown_provider"}
        assert (after["preset_slug"], after["preset_version"]) == (slug, 1)
        first = before[0]["endpoints"][0]
        chosen.add(first["tag"])
        assert (after["model"], after["provider_responses"][0]["endpoint_id"]) == ("at/many", f"{first['tag']}/many")
        assert after["unsaid"] == before[0]["unsaid"][f"{first['tag']}/at/many"]
        cost = before[0]["estimated_cost"]
        assert float(cost["min"]) <= float(cost["max"])
    assert len(chosen) > 1, "each conversation has a draw of its own"


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("skin", SKINS)
def test_a_name_of_nobody_that_is_no_text_is_shown_as_its_escape(two_workers: Gateway, skin: Dialect) -> None:
    fields = {"model": "at/chat", "provider": {"only": ["\ud800", "chat"], "\udfff": 1}}
    for told in (explained(two_workers, skin, **fields), recorded(two_workers, skin, **fields)):
        assert [(one["provider"], one["reason"]) for one in told["excluded"]] == [("\\ud800", "unknown_provider")]
        assert told["not_honoured"] == ["/provider/\\udfff"]


@pytest.mark.usefixtures("simulator")
def test_an_endpoint_that_cannot_be_told_the_request_is_left_out_before_and_after(two_workers: Gateway) -> None:
    """What nothing but the words of an endpoint keeps from it is seen on the way there."""
    heard = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    fields = {
        "model": "at/messages",
        "models": ["at/chat"],
        "messages": [{"role": "user", "content": [heard]}],
        "session_id": "heard",
    }
    before, after = explained(two_workers, "chat", **fields), recorded(two_workers, "chat", **fields)
    assert {name: after[name] for name in ALIKE} == {name: before[name] for name in ALIKE}
    assert [one["model"] for one in after["endpoints"]] == ["at/chat"]
    assert [(one["model"], one["reason"]) for one in after["excluded"]] == [("at/messages", "dialect")]
    assert list(before["refused"]) == ["messages/at/messages"]


def test_a_fallback_is_recorded_with_the_endpoints_that_were_explained(
    two_workers: Gateway, simulator: Simulator
) -> None:
    fields = {"model": "at/chat", "models": ["at/messages"], "session_id": "falling back"}
    before = explained(two_workers, "chat", **fields)
    simulator.script(status(500), prefix="/c")
    after = recorded(two_workers, "chat", **fields)
    assert [one["model"] for one in before["endpoints"]] == ["at/chat", "at/messages"]
    assert {name: after[name] for name in ALIKE} == {name: before[name] for name in ALIKE}
    assert (after["model"], after["unsaid"]) == ("at/messages", before["unsaid"]["messages/at/messages"])
    assert [one["status"] for one in after["provider_responses"]] == [500, 200]


@pytest.mark.parametrize("skin", SKINS)
def test_each_worker_explains_where_it_would_send_a_conversation_that_one_of_them_has_answered(
    two_workers: Gateway, simulator: Simulator, skin: Dialect
) -> None:
    fields = {"model": "at/kept", "session_id": f"kept {skin}"}

    def first(worker: Worker) -> tuple[str, str]:
        """Where it would send the next turn, and why; there the turn goes, and its record says the same."""
        before = explained(worker, skin, **fields)
        after = recorded(worker, skin, **fields)
        assert {name: after[name] for name in ALIKE} == {name: before[name] for name in ALIKE}
        slug, reason = before["endpoints"][0]["provider"], before["endpoints"][0]["reason"]
        assert after["provider_responses"][0]["endpoint_id"] == f"{slug}/kept"
        return slug, reason

    with each_worker(two_workers) as (one, other):
        slug, reason = first(one)
        assert reason == "drawn"
        assert first(one) == (slug, "sticky")
        assert explained(other, skin, **fields)["endpoints"][0] == {
            "provider": slug, "model": "at/kept", "tag": slug, "reason": "drawn",
        }, "it has not heard of the conversation, and leads to the same endpoint"  # fmt: skip
        simulator.script(status(500), prefix=f"/{slug[0]}")
        moved = recorded(one, skin, **fields)["provider_responses"]
        assert [attempt["status"] for attempt in moved] == [500, 200]
        simulator.clear()
        went = moved[1]["endpoint_id"].partition("/")[0]
        assert went != slug
        assert first(one) == (went, "sticky")
        assert first(other) == (slug, "drawn"), "what one has seen to fail, the other has not"

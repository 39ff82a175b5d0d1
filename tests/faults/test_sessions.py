"""A conversation goes on where it was answered, as long as that may have kept what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import MESSAGES, PRICE, Front, endpoint, front_of_gateway, serving
from simulator.answers import completion
from simulator.script import body, ok, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway

CACHING = {**PRICE, "input_cache_read": "0.0000001"}
FURTHER = [{"role": "assistant", "content": "No."}, {"role": "user", "content": "Why?"}]


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    caching = [endpoint("alpha", pricing=CACHING), endpoint("beta", pricing=CACHING, weight=0)]
    with serving(tmp_path_factory, simulator_process, more_models={"keeps/it": {"endpoints": caching}}) as gateway:
        yield gateway


front = front_of_gateway


def moved(front: Front, model: str, **fields: Any) -> str:
    """Where the second turn of a conversation goes whose first was answered by beta, since alpha failed."""
    front.simulator.script(status(400, {"error": {"message": "no", "code": "unsupported_parameter"}}), prefix="/a")
    first = front.ask(model, **fields)
    assert first.status == 200
    assert front.reached() == ["alpha", "beta"]
    front.simulator.script(ok(), prefix="/a")
    front.simulator.forget_requests()
    fields["messages"] = [*fields.get("messages", MESSAGES), *FURTHER]
    answer = front.ask(model, **fields)
    assert answer.status == 200
    (slug,) = front.reached()
    return slug


NAMES: dict[str, dict[str, Any]] = {
    "session_id": {"session_id": "one"},
    "prompt_cache_key": {"prompt_cache_key": "two"},
    "x-session-id": {"headers": {"X-Session-Id": "three"}},
    "thread-id": {"headers": {"thread-id": "four"}},
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_named_conversation_goes_on_where_it_was_answered(front: Front, name: dict[str, Any], streamed: bool) -> None:
    fields: dict[str, Any] = {**name, "stream": streamed}
    if "headers" in name:
        fields["headers"] = {one: f"{text} {streamed}" for one, text in name["headers"].items()}
    else:
        fields |= {one: f"{text} {streamed}" for one, text in name.items()}
    assert moved(front, "keeps/it", **fields) == "beta"


def test_one_without_a_name_goes_on_there_when_something_was_cached(front: Front) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    answer = completion("Hi", (9, 2)) | {"usage": {**usage, "prompt_tokens_details": {"cached_tokens": 8}}}
    front.simulator.script(body(answer), prefix="/b")
    assert moved(front, "keeps/it") == "beta"


def test_one_without_a_name_of_which_nothing_was_cached_goes_its_usual_way(front: Front) -> None:
    assert moved(front, "keeps/it", user="somebody", messages=[{"role": "user", "content": "Another"}]) == "alpha"


def test_where_nothing_is_cheaper_again_a_conversation_goes_its_usual_way(front: Front) -> None:
    assert moved(front, "pair/model", session_id="six") == "alpha"


def test_an_order_of_the_callers_comes_before_all(front: Front) -> None:
    assert moved(front, "keeps/it", session_id="seven") == "beta"
    front.simulator.forget_requests()
    front.ask("keeps/it", session_id="seven", provider={"order": ["alpha"]})
    assert front.reached() == ["alpha"]


def test_the_record_says_why_it_went_there(front: Front) -> None:
    assert moved(front, "keeps/it", session_id="eight") == "beta"
    first, _ = front.record(front.ask("keeps/it", session_id="eight"))["endpoints"]
    assert (first["tag"], first["reason"]) == ("beta", "sticky")

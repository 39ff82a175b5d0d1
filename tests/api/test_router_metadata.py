"""Router metadata: told to whoever asks for it, beside answers and errors, and to nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.script import ok, status, stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway

ASKED = {"X-OpenRouter-Metadata": "Enabled"}
REQUIRED = {"requested", "strategy", "region", "summary", "attempt", "is_byok", "endpoints"}


def ask(gateway: Gateway, model: str = "sim/model", headers: Mapping[str, str] = ASKED, **fields: Any) -> Answer:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return gateway.call("POST", "/chat/completions", body, headers=headers)


def test_an_answer_says_which_endpoint_gave_it(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(ok())
    told = ask(shared_gateway).json()["openrouter_metadata"]
    assert told.keys() >= REQUIRED
    assert (told["requested"], told["strategy"], told["region"], told["attempt"]) == ("sim/model", "direct", None, 1)
    assert told["endpoints"]["total"] == 2
    assert [one["selected"] for one in told["endpoints"]["available"]] == [True, False]
    assert [one["status"] for one in told["attempts"]] == [200]


def test_a_fallback_shows_every_try(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(status(500), prefix="/a")
    simulator.script(ok(), prefix="/b")
    told = ask(shared_gateway, "sim/solo", models=["other/solo"]).json()["openrouter_metadata"]
    assert (told["strategy"], told["attempt"]) == ("fallback", 2)
    assert [one["status"] for one in told["attempts"]] == [500, 200]
    assert [one["selected"] for one in told["endpoints"]["available"]] == [False, True]


def test_a_stream_has_it_in_its_last_chunk_only(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(stream(["Hi"]))
    frames = ask(shared_gateway, stream=True).frames()
    chunks = [frame.json() for frame in frames[:-1]]
    assert frames[-1].data == "[DONE]"
    assert ["openrouter_metadata" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1]["choices"] == []
    assert "usage" in chunks[-1]


def test_an_error_has_it_beside_the_error_and_selects_nothing(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(status(500))
    answer = ask(shared_gateway)
    told = answer.json()["openrouter_metadata"]
    assert answer.status == 502
    assert [one["status"] for one in told["attempts"]] == [500, 500]
    assert [one["selected"] for one in told["endpoints"]["available"]] == [False, False]


def test_an_error_inside_a_stream_has_it_and_selects_nothing(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(stream(["Hi"], finish=None, done=False))
    *_, last, _done = ask(shared_gateway, stream=True).frames()
    told = last.json()["openrouter_metadata"]
    assert "error" in last.json()
    assert [one["selected"] for one in told["endpoints"]["available"]] == [False] * told["endpoints"]["total"]


def test_what_fails_before_routing_has_none(shared_gateway: Gateway) -> None:
    assert ask(shared_gateway, "nobody/nothing").json()["openrouter_metadata"] is None


@pytest.mark.parametrize("headers", [{}, {"X-OpenRouter-Metadata": "disabled"}, {"X-OpenRouter-Metadata": "1"}])
def test_whoever_does_not_ask_is_not_told(
    shared_gateway: Gateway, simulator: Simulator, headers: dict[str, str]
) -> None:
    simulator.script(ok())
    assert "openrouter_metadata" not in ask(shared_gateway, headers=headers).json()


def test_the_older_name_of_the_header_counts_too(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(ok())
    answer = ask(shared_gateway, headers={"X-OpenRouter-Experimental-Metadata": "enabled"})
    assert answer.json()["openrouter_metadata"]["attempt"] == 1

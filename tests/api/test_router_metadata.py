"""Router metadata: told to whoever asks for it, beside answers and errors, and to nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.script import ok, status, stream
from support.processes import Gateway, config_file, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulator.client import Simulator
    from support.http import Answer

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


@pytest.fixture(scope="module")
def named(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With a model of two other names at one provider, and another model at the other."""
    folder = tmp_path_factory.mktemp("gateway")
    tables = simulated(simulator_process)
    tables["models"]["sim/solo"]["aliases"] = ["team/small", "~sim/solo-latest"]
    gateway = Gateway(folder, config=config_file(folder, **tables))
    yield gateway
    assert gateway.stop() == 0, gateway.log_text()


@pytest.mark.parametrize(
    ("model", "strategy"),
    [
        ("sim/solo", "direct"),
        ("sim/solo:nitro", "direct"),
        ("team/small", "alias"),
        ("~sim/solo-latest", "latest"),
        ("~sim/solo-latest:floor", "latest"),
    ],
)
def test_it_says_how_the_model_was_found(named: Gateway, simulator: Simulator, model: str, strategy: str) -> None:
    told = ask(named, model, models=["other/solo"]).json()["openrouter_metadata"]
    assert (told["requested"], told["strategy"]) == (model, strategy)
    simulator.script(status(400), prefix="/a")
    told = ask(named, model, models=["other/solo"]).json()["openrouter_metadata"]
    assert (told["requested"], told["strategy"]) == (model, "fallback")
    simulator.script(status(400))
    told = ask(named, model, models=["other/solo"]).json()["openrouter_metadata"]
    assert (told["requested"], told["strategy"]) == (model, strategy), "nobody has answered"


def test_a_model_that_only_stands_in_is_a_fallback_also_where_it_comes_first(
    named: Gateway, simulator: Simulator
) -> None:
    simulator.script(ok())
    told = ask(named, "other/solo", models=["sim/solo"], provider={"sort": {"by": "price", "partition": "none"}})
    assert told.json()["model"] == "sim/solo"
    assert told.json()["openrouter_metadata"]["strategy"] == "fallback"


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

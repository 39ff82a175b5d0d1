"""What a model does not have, over HTTP: the nearest goes upstream and is named; what has no nearest is a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import Front, endpoint, error_of, front_of_gateway, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway

REASONING = {"mandatory": True, "supported_efforts": ["low", "medium"]}


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    more: dict[str, Any] = {
        "acme/sage-2": {"aliases": ["~acme/sage-latest"], "reasoning": REASONING, "endpoints": [endpoint("alpha")]},
        "acme/short": {"endpoints": [endpoint("alpha", max_output_tokens=50)]},
    }
    with serving(tmp_path_factory, simulator_process, more_models=more) as gateway:
        yield gateway


front = front_of_gateway


def test_an_effort_that_the_model_lacks_is_named_and_its_nearest_sent(front: Front) -> None:
    answer = front.ask("acme/sage-2", reasoning_effort="max")
    assert (answer.status, answer.header("x-setpoint-unsaid")) == (200, "/reasoning_effort")
    assert front.upstream().json()["reasoning_effort"] == "medium"
    assert front.record(answer)["unsaid"] == ["/reasoning_effort"]


def test_it_is_no_reason_to_pass_an_endpoint_over(front: Front) -> None:
    answer = front.ask("acme/sage-2", reasoning_effort="max", provider={"require_parameters": True})
    assert answer.status == 200


def test_a_model_that_cannot_do_without_reasoning_refuses_before_anything_is_sent(front: Front) -> None:
    answer = front.ask("acme/sage-2", reasoning={"effort": "none"}, recorded=False)
    assert answer.status == 400
    error = error_of(answer)
    assert error["message"] == "reasoning.effort: the model cannot do without reasoning"
    assert error["metadata"]["reason"] == "unsupported"
    assert front.reached() == []


def test_its_family_reasons_as_little_as_it_can(front: Front) -> None:
    answer = front.ask("~acme/sage-latest", reasoning={"effort": "none"})
    assert (answer.json()["model"], answer.header("x-setpoint-unsaid")) == ("acme/sage-2", "/reasoning/effort")
    assert front.upstream().json()["reasoning"] == {"effort": "low"}


def test_another_model_is_asked_where_the_first_cannot_be_told(front: Front) -> None:
    answer = front.ask("acme/sage-2", models=["solo/beta"], reasoning={"effort": "none"})
    assert (answer.status, front.reached()) == (200, ["beta"])


@pytest.mark.parametrize("named", ["max_tokens", "max_completion_tokens"])
def test_a_limit_above_the_longest_answer_is_cut_to_it_and_named_and_never_an_error(front: Front, named: str) -> None:
    asked: dict[str, Any] = {named: 100, "provider": {"require_parameters": True}}
    answer = front.ask("acme/short", **asked)
    assert (answer.status, answer.header("x-setpoint-unsaid")) == (200, f"/{named}")
    assert front.upstream().json()[named] == 50


def test_a_limit_that_the_endpoint_can_give_stays(front: Front) -> None:
    answer = front.ask("acme/short", max_tokens=50)
    assert answer.header("x-setpoint-unsaid") is None
    assert front.upstream().json()["max_tokens"] == 50

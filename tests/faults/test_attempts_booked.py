"""Every try is booked by itself: what it used and cost as far as its upstream says, also when it gave no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import PRICE, Front, attempts, endpoint, front_of_gateway, serving
from simulator.answers import chunk, completion, data_frame, usage_chunk
from simulator.script import body, cut, hang, ok, sse, status, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway

ERROR = {"message": "out of memory", "code": 502}


front = front_of_gateway


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """As the plain one, with a model that has a price for each image and each search."""
    pieces = endpoint("alpha", pricing={**PRICE, "image": "0.002", "web_search": "0.01"})
    with serving(tmp_path_factory, simulator_process, more_models={"pieces/model": {"endpoints": [pieces]}}) as gateway:
        yield gateway


def booked(record: dict[str, Any]) -> list[tuple[int, int, float | None] | None]:
    """The input and output tokens of each try, and what it cost; None for one of which nothing is known."""
    told: list[tuple[int, int, float | None] | None] = []
    for one in record["provider_responses"]:
        usage = one["usage"]
        assert (usage is None) <= (one["cost"] is None)
        told.append(None if usage is None else (usage["input_tokens"], usage["output_tokens"], one["cost"]))
    return told


COSTLY: dict[str, tuple[Script, bool]] = {
    "an error as a whole answer": (body({"error": ERROR, **usage_chunk((30, 4))}), False),
    "a whole answer that says nothing": (body({**completion("x", (30, 4)), "choices": []}), False),
    "a refusal that has counted": (status(500, {"error": ERROR, **usage_chunk((30, 4))}), False),
    "a refusal of a stream that has counted": (status(500, {"error": ERROR, **usage_chunk((30, 4))}), True),
    "a whole answer to who wants a stream": (body(completion("x", (30, 4))), True),
    "an error before the answer": (
        sse([data_frame({**usage_chunk((30, 4)), "choices": []}), data_frame({"error": ERROR, "choices": []})]),
        True,
    ),
    "a stream that ends before its answer": (sse([data_frame(usage_chunk((30, 4))), b"data: [DONE]\n\n"]), True),
}


@pytest.mark.parametrize(("script", "streamed"), COSTLY.values(), ids=COSTLY)
def test_a_try_that_cost_and_gave_nothing_is_booked_beside_the_one_that_answered(
    front: Front, script: Script, *, streamed: bool
) -> None:
    front.simulator.script(script, prefix="/a")
    front.simulator.script(stream(tokens=(10, 5)) if streamed else ok(tokens=(10, 5)), prefix="/b")
    answer = front.ask("pair/model", stream=streamed)
    assert answer.status == 200
    record = front.record(answer)
    assert [name for name, _, _ in attempts(record)] == ["Alpha", "Beta"]
    assert booked(record) == [(30, 4, 0.000038), (10, 5, 0.00002)]
    # What clients pay is all of it; the tokens are those of the answer.
    assert [record[name] for name in ("total_cost", "usage", "upstream_inference_cost")] == [0.000058] * 3
    assert record["tokens_completion"] == 5
    assert record["zero_completion"] is False


def test_of_a_try_that_is_refused_nothing_is_known(front: Front) -> None:
    front.simulator.script(status(500), prefix="/a")
    front.simulator.script(ok(tokens=(10, 5)), prefix="/b")
    record = front.record(front.ask("pair/model"))
    assert booked(record) == [None, (10, 5, 0.00002)]
    assert record["total_cost"] == 0.00002, "what is refused costs nothing"


def test_a_try_that_was_cut_off_in_its_answer_is_booked_by_our_own_count(front: Front) -> None:
    front.simulator.script(cut(stream(["Hello", " there"]), after=700), prefix="/a")
    record = front.record(front.stream("solo/alpha"))
    [attempt] = record["provider_responses"]
    assert (attempt["usage"]["estimated"], attempt["cost"]) == (True, None)
    assert attempt["usage"]["output_tokens"] == record["tokens_completion"] > 0


def test_a_try_that_the_client_cancels_is_booked_with_what_it_had_counted(front: Front) -> None:
    front.simulator.script(hang(stream(["Hello", " there"]), after=700), prefix="/a")
    streaming = front.open("solo/alpha")
    with streaming:
        next(frame for frame in streaming.frames() if frame.data is not None)
    record = front.record(streaming)
    [attempt] = record["provider_responses"]
    assert (record["status"], attempt["status"]) == ("cancelled", 200)
    assert attempt["usage"]["output_tokens"] == record["tokens_completion"] > 0
    assert record["zero_completion"] is False


@pytest.mark.parametrize(("theirs", "drifts"), [(0.00002, False), (0.5, True)])
def test_what_the_provider_says_that_it_cost_is_kept_beside_ours(front: Front, theirs: float, drifts: bool) -> None:
    usage = {**usage_chunk((10, 5))["usage"], "cost": theirs}
    front.simulator.script(body({**completion("x", (10, 5)), "usage": usage}), prefix="/a")
    record = front.record(front.ask("solo/alpha"))
    [attempt] = record["provider_responses"]
    assert (record["total_cost"], record["provider_cost"], record["cost_drift"]) == (0.00002, theirs, drifts)
    assert (attempt["cost"], attempt["provider_cost"]) == (0.00002, theirs)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_each_image_and_each_search_costs_its_rate(front: Front, streamed: bool) -> None:
    usage = {**usage_chunk((10, 5))["usage"], "server_tool_use_details": {"web_search_requests": 3}}
    whole = {**completion("x", (10, 5)), "usage": usage}
    frames = [data_frame(chunk({"content": "Hi"}, "stop")), data_frame({**usage_chunk((10, 5)), "usage": usage})]
    front.simulator.script(sse([*frames, b"data: [DONE]\n\n"]) if streamed else body(whole), prefix="/a")
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    messages = [
        {"role": "user", "content": [picture, {"type": "text", "text": 'a "type":"image_url" of words'}, picture]}
    ]
    record = front.record(front.ask("pieces/model", stream=streamed, messages=messages))
    # 10 x 0.000001 + 5 x 0.000002 = 0.00002; two images at 0.002, three searches at 0.01
    assert record["total_cost"] == 0.03402
    [attempt] = record["provider_responses"]
    assert (attempt["usage"]["images"], attempt["usage"]["searches"]) == (2, 3)


# --- what was paid for and gave nothing ----------------------------------------------------------------------

ENDINGS: dict[str, tuple[Script, bool, bool]] = {
    "no token and a reason": (ok("", tokens=(10, 0)), False, False),
    "an error with a count and no token": (body({"error": ERROR, **usage_chunk((10, 0))}), False, True),
    "an error without a count": (body({"error": ERROR}), False, False),
    "an error with a count and tokens": (body({"error": ERROR, **usage_chunk((10, 3))}), False, False),
    "an answer that ends with an error": (
        sse([data_frame(chunk({"content": "Hi"})), data_frame({"error": ERROR, "choices": []})]),
        True,
        True,
    ),
    "a stream of usage alone": (sse([data_frame(usage_chunk((10, 0))), b"data: [DONE]\n\n"]), True, True),
}


@pytest.mark.parametrize(("script", "streamed", "is_zero"), ENDINGS.values(), ids=ENDINGS)
def test_what_was_paid_for_and_gave_nothing_is_marked(
    front: Front, script: Script, *, streamed: bool, is_zero: bool
) -> None:
    front.simulator.script(script, prefix="/a")
    assert front.record(front.ask("solo/alpha", stream=streamed))["zero_completion"] is is_zero

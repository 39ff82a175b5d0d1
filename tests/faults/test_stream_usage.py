"""Usage in streams: wherever the upstream puts it, the answer and the record show the same right totals, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import PROMPT, Front, chunks, front_of_gateway, serving
from simulator.answers import chunk, data_frame
from simulator.script import body, sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway

DONE = b"data: [DONE]\n\n"
TEXT = ["Once", " upon", " a time"]
PRICED = (12, 6, 0.000024)
"""Prompt tokens, completion tokens, and what they cost at the endpoint's price."""


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    more = {
        "solo/unpriced": {"endpoints": [{"provider": "alpha", "model": "m"}]},
        "solo/cached": {
            "endpoints": [
                {
                    "provider": "alpha",
                    "model": "m",
                    "pricing": {"prompt": "0.00001", "completion": "0.00002", "input_cache_read": "0.000001"},
                }
            ]
        },
    }
    with serving(tmp_path_factory, simulator_process, more_models=more) as gateway:
        yield gateway


front = front_of_gateway


def used(completion: int, prompt: int = 12, **more: Any) -> dict[str, Any]:
    """A usage object of an upstream."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"usage": {**counts, **more}}


def written(*contents: dict[str, Any] | bytes) -> list[bytes]:
    """Events of these contents."""
    return [it if isinstance(it, bytes) else data_frame(it) for it in contents]


PIECES = [chunk({"content": piece}) for piece in TEXT]
FINISH = chunk({}, "stop")
APART: dict[str, Any] = {**FINISH, "choices": []}
PLACES: dict[str, list[bytes]] = {
    "last-chunk": written(*PIECES, FINISH, {**APART, **used(6)}, DONE),
    "with-the-finish": written(*PIECES, {**FINISH, **used(6)}, DONE),
    "each-chunk": written(*({**it, **used(at * 2)} for at, it in enumerate(PIECES, 1)), {**FINISH, **used(6)}, DONE),
    "each-chunk-but-the-last": written(*({**it, **used(at * 2)} for at, it in enumerate(PIECES, 1)), FINISH, DONE),
    "null-but-in-the-last": written(*({**it, "usage": None} for it in PIECES), FINISH, {**APART, **used(6)}, DONE),
    "null-behind": written(*PIECES, {**FINISH, **used(6)}, {**APART, "usage": None}, DONE),
    "twice": written(*PIECES, {**FINISH, **used(6)}, {**APART, **used(6)}, DONE),
    "twice-and-grown": written(*PIECES, {**FINISH, **used(4)}, {**APART, **used(6)}, DONE),
    "with-the-last-choice-again": written(*PIECES, FINISH, {**FINISH, **used(6)}, DONE),
    "behind-done": written(*PIECES, FINISH, DONE, {**APART, **used(6)}),
    "behind-done-twice": written(*PIECES, FINISH, DONE, {**APART, **used(6)}, DONE),
    "without-done": written(*PIECES, FINISH, {**APART, **used(6)}),
    "no-total": written(*PIECES, FINISH, {**APART, "usage": {"prompt_tokens": 12, "completion_tokens": 6}}, DONE),
}


@pytest.mark.parametrize("frames", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("pause_ms", [0, 5], ids=["at-once", "apart"])
def test_the_totals_are_right_wherever_usage_comes(front: Front, frames: list[bytes], pause_ms: int) -> None:
    front.simulator.script(sse(frames, pause_ms=pause_ms))
    answer = front.stream()
    *others, last = chunks(answer)
    prompt, completion, cost = PRICED
    assert last["choices"] == []
    counts = {name: last["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens", "cost")}
    assert counts == {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 18, "cost": cost}
    assert not [one for one in others if "usage" in one], "usage is told once"
    record = front.record(answer)
    assert (record["tokens_prompt"], record["tokens_completion"], record["total_cost"]) == PRICED
    assert (record["status"], record["usage_estimated"]) == ("completed", False)


def test_usage_that_never_comes_is_estimated_and_has_no_cost(front: Front) -> None:
    front.simulator.script(sse(written(*PIECES, FINISH, DONE)))
    answer = front.stream()
    usage = chunks(answer)[-1]["usage"]
    prompt, completion = -(-len(PROMPT) // 4), -(-len("".join(TEXT)) // 4)
    assert usage["prompt_tokens"] == prompt
    assert usage["completion_tokens"] == completion
    assert usage["total_tokens"] == prompt + completion
    assert usage["cost"] is None
    assert "cost_details" not in usage
    record = front.record(answer)
    assert record["usage_estimated"] is True
    assert (record["tokens_prompt"], record["tokens_completion"]) == (prompt, completion)
    assert (record["total_cost"], record["usage"]) == (None, None)


def test_usage_that_never_comes_in_a_whole_answer_is_estimated_too(front: Front) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Once upon a time"}, "finish_reason": "stop"}
    front.simulator.script(body({"id": "x", "choices": [choice]}))
    answer = front.ask()
    usage = answer.json()["usage"]
    assert (usage["completion_tokens"], usage["cost"]) == (4, None)
    record = front.record(answer)
    assert (record["tokens_completion"], record["usage_estimated"], record["total_cost"]) == (4, True, None)


def test_usage_without_counts_is_no_usage(front: Front) -> None:
    front.simulator.script(sse(written(*PIECES, FINISH, {**APART, "usage": {"queue_time": 0.1}}, DONE)))
    assert front.record(front.stream())["usage_estimated"] is True


def test_an_unknown_price_is_an_unknown_cost(front: Front) -> None:
    front.simulator.script(sse(PLACES["last-chunk"]))
    answer = front.stream("solo/unpriced")
    assert chunks(answer)[-1]["usage"]["cost"] is None
    record = front.record(answer)
    assert (record["tokens_completion"], record["total_cost"], record["usage_estimated"]) == (6, None, False)


def test_what_the_provider_charges_counts_where_we_have_no_price(front: Front) -> None:
    front.simulator.script(sse(written(*PIECES, FINISH, {**APART, **used(6, cost=0.25)}, DONE)))
    for model, cost in (("solo/unpriced", 0.25), ("solo/alpha", PRICED[2])):
        answer = front.stream(model)
        assert chunks(answer)[-1]["usage"]["cost"] == cost
        record = front.record(answer)
        assert (record["total_cost"], record["provider_cost"]) == (cost, 0.25)


def test_details_are_passed_on_and_priced(front: Front) -> None:
    details: dict[str, Any] = {
        "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": None},
        "completion_tokens_details": {"reasoning_tokens": 4, "accepted_prediction_tokens": 1},
        "queue_time": 1.50,
    }
    front.simulator.script(sse(written(*PIECES, FINISH, {**APART, **used(6, **details)}, DONE)))
    answer = front.stream("solo/cached")
    usage = chunks(answer)[-1]["usage"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 10}
    assert usage["completion_tokens_details"] == details["completion_tokens_details"]
    assert usage["queue_time"] == 1.5
    assert usage["cost"] == 0.00015
    assert usage["cost_details"] == {
        "upstream_inference_cost": 0.00015,
        "upstream_inference_prompt_cost": 0.00003,
        "upstream_inference_completions_cost": 0.00012,
    }
    assert usage["is_byok"] is True
    record = front.record(answer)
    assert (record["native_tokens_cached"], record["native_tokens_reasoning"]) == (10, 4)


@pytest.mark.parametrize("count", [-1, 1.5, "12", None, 10**30, True])
def test_a_count_that_is_none_spoils_neither_answer_nor_record(front: Front, count: Any) -> None:
    front.simulator.script(sse(written(*PIECES, FINISH, {**APART, **used(6), "usage": {"prompt_tokens": count}}, DONE)))
    answer = front.stream()
    assert chunks(answer)[-1]["usage"]["prompt_tokens"] >= 0
    assert front.record(answer)["status"] == "completed"

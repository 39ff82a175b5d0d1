"""Upstreams that fall silent, in every skin and from every dialect: clients are kept waiting, and then told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.skins_support import SKINS
from faults.faults_support import attempts
from faults.skins_faults_support import (
    PATHS,
    TEXT,
    SkinsFront,
    heard,
    rest_of,
    skins_front,
    skins_serving,
    spoken,
    written,
)
from simulator import messages, responses
from simulator.script import sse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.records import Dialect
    from simulator.client import Simulator
    from simulator.steps import Script
    from support.http import Answer, Streaming
    from support.processes import Gateway

front = skins_front

COMMIT_MS = 50
LATER_MS = 6 * COMMIT_MS
"""When the status has long gone out."""


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"idle_timeout_s": 0.6, "keep_alive_s": 0.1, "stream_commit_s": COMMIT_MS / 1_000}
    with skins_serving(tmp_path_factory, simulator_process, **settings) as gateway:
        yield gateway


def answers(front: SkinsFront, skin: Dialect, scripts: Mapping[Dialect, Script]) -> dict[Dialect, Answer]:
    """The streams of all these upstreams, which are waited for at the same time."""
    for dialect, script in scripts.items():
        front.simulator.script(script, prefix=PATHS[dialect])
    begun: dict[Dialect, Streaming] = {dialect: front.begin(skin, f"at/{dialect}") for dialect in scripts}
    return {dialect: rest_of(streaming) for dialect, streaming in begun.items()}


BEHIND: dict[Dialect, Dialect] = {"chat": "responses", "messages": "chat", "responses": "messages"}
"""Who answers in place of each."""


@pytest.mark.parametrize("skin", SKINS)
def test_a_stream_that_falls_silent_is_kept_alive_and_then_given_up(front: SkinsFront, skin: Dialect) -> None:
    stalled: dict[Dialect, Script] = {it: sse([b"".join(spoken(it).begun)], end="hang") for it in SKINS}
    for dialect, answer in answers(front, skin, stalled).items():
        told = heard(skin, answer)
        assert told.text == "Once upon"
        assert told.error is not None
        assert told.error.type == "timeout"
        silence = answer.body[answer.body.index(b"upon") :]
        comment, ping = b": OPENROUTER PROCESSING\n\n", b'event: ping\ndata: {"type":"ping"}\n\n'
        waits, other = (ping, comment) if skin == "messages" else (comment, ping)
        assert silence.count(waits) >= 2, "the client hears nothing while it waits"
        assert silence.count(other) == 0
        record = front.record(answer)
        assert (record["status"], record["error_type"], record["usage_estimated"]) == ("failed", "timeout", True)
        assert attempts(record) == [(dialect.title(), 200, "timeout")]
    for index in range(len(SKINS)):
        assert front.simulator.wait_for_disconnect(index).went_away


@pytest.mark.parametrize("skin", SKINS)
def test_a_slow_stream_is_not_cut_while_its_upstream_gives_signs_of_life(front: SkinsFront, skin: Dialect) -> None:
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    slow: dict[Dialect, Script] = {}
    for dialect in SKINS:
        sign = ping if dialect == "messages" else b": tick\n\n"
        opening, words, closing = spoken(dialect)
        slow[dialect] = sse(
            [b"".join([*opening, *words[:2]]), *[sign] * 7, b"".join([*words[2:], *closing])], pause_ms=100
        )
    for dialect, answer in answers(front, skin, slow).items():
        told = heard(skin, answer)
        assert (told.text, told.error) == (TEXT, None)
        assert b"tick" not in answer.body
        assert front.record(answer)["status"] == "completed", dialect


# --- an answer that does not come, and a client that waits already --------------------------------------------


def reported(dialect: Dialect) -> bytes:
    """An event that reports an error."""
    events: dict[Dialect, Mapping[str, object]] = {
        "chat": {"error": {"message": "Overloaded", "code": 500}},
        "messages": messages.error("api_error"),
        "responses": responses.error(),
    }
    return written([events[dialect]])[0]


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("how", ["error", "clean-end", "no-json"])
def test_a_failure_behind_the_status_is_the_first_and_last_event(front: SkinsFront, skin: Dialect, how: str) -> None:
    scripts: dict[Dialect, Script] = {}
    for dialect in SKINS:
        last = {"error": reported(dialect), "clean-end": b": the end\n\n", "no-json": b"data: {]\n\n"}[how]
        scripts[dialect] = sse([b"".join(spoken(dialect).opening), last], pause_ms=LATER_MS)
    for dialect, answer in answers(front, skin, scripts).items():
        assert answer.body.startswith(b": OPENROUTER PROCESSING\n\n")
        told = heard(skin, answer)
        assert told.error is not None
        assert (told.text, told.error.type) == ("", "provider_unavailable")
        types = [frame.event for frame in answer.frames() if frame.data is not None]
        expected = {
            "chat": [None, None],
            "messages": ["error"],
            "responses": ["response.created", "response.failed", None],
        }
        assert types == expected[skin]
        assert front.record(answer)["status"] == "failed", dialect


@pytest.mark.parametrize("skin", SKINS)
def test_the_next_one_answers_behind_the_status_as_if_there_had_been_nobody_else(
    front: SkinsFront, skin: Dialect
) -> None:
    """The first upstream takes its time and fails; what the client sees is a comment, and one whole answer."""
    for dialect in SKINS:
        failing = sse([b"".join(spoken(dialect).opening), reported(dialect)], pause_ms=LATER_MS)
        front.simulator.script(failing, prefix=PATHS[dialect])
        front.simulator.script(sse(spoken(BEHIND[dialect]).whole), prefix=PATHS[BEHIND[dialect]])
        front.simulator.forget_requests()
        answer = rest_of(front.begin(skin, f"{dialect}-{BEHIND[dialect]}/model"))
        assert answer.body.startswith(b": OPENROUTER PROCESSING\n\n")
        told = heard(skin, answer)
        assert (told.text, told.error) == (TEXT, None)
        assert front.reached() == [dialect, BEHIND[dialect]]
        record = front.record(answer)
        assert [name for name, _, _ in attempts(record)] == [dialect.title(), BEHIND[dialect].title()]
        assert record["status"] == "completed"

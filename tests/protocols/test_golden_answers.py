"""Golden answers: what an upstream sends means what its case says, whole and streamed, wherever the bytes are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protocols.golden_support import NOTHING, Case, cases, frames_of, meaning, streamed, with_ids_of
from setpoint.errors import ProviderError
from setpoint.protocols.failures import reported_in
from setpoint.protocols.registry import PROTOCOLS
from setpoint.wire.body import split
from setpoint.wire.sse import Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.records import Dialect

STREAMS = cases("upstream.sse")
WHOLES = cases("upstream.json")
_CUT_EVERYWHERE_BYTES = 4_096


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_a_stream_means_what_its_case_says(case: Case) -> None:
    expected = case.answer()
    said = streamed(PROTOCOLS[case.protocol].reader(), frames_of(case.read("upstream.sse")))
    assert with_ids_of(expected, said) == expected


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_a_stream_is_the_same_wherever_it_is_cut(case: Case) -> None:
    # A reader sees nothing but frames, so equal frames are an equal answer.
    data = case.read("upstream.sse")
    whole = frames_of(data)
    assert _fed(data[at : at + 1] for at in range(len(data))) == whole
    if len(data) < _CUT_EVERYWHERE_BYTES:
        for cut in range(1, len(data)):
            assert _fed((data[:cut], data[cut:])) == whole, f"cut at {cut}"


def _fed(pieces: Iterable[bytes]) -> list[Frame]:
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


@pytest.mark.parametrize("case", WHOLES, ids=str)
def test_a_whole_answer_means_what_its_case_says(case: Case) -> None:
    expected = case.answer()
    body = split(case.read("upstream.json"))
    if (reported := reported_in(body)) is not None:
        assert {**NOTHING, "ended": "failed", "error": reported.code} == expected
        return
    try:
        said = meaning(PROTOCOLS[case.protocol].read_result(body))
    except ProviderError:
        said = {**NOTHING, "ended": "broken", "error": "malformed"}
    assert with_ids_of(expected, said) == expected


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_there_are_answers_of_every_kind(protocol: Dialect) -> None:
    found = [case.answer() for case in STREAMS if case.protocol == protocol]
    assert {said["ended"] for said in found} == {"complete", "failed", "broken"}
    assert {said["finish"] for said in found} >= {"stop", "length", "tool_calls", "content_filter"}

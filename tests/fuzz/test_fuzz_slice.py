"""A slice of what `make fuzz` runs: the same executions, as many as fit into every run of the tests."""

from __future__ import annotations

import pytest

from fuzz.corpus import corpus
from fuzz.run import execute

_SLICES = 8
_EXECUTIONS = 2_500


@pytest.mark.parametrize("part", range(_SLICES))
def test_no_changed_body_or_stream_is_answered_with_anything_but_a_typed_error(part: int) -> None:
    cases = corpus()
    assert cases.requests
    assert cases.answers
    assert cases.streams
    seeds = range(part * _EXECUTIONS, (part + 1) * _EXECUTIONS)
    failures = [failure for seed in seeds if (failure := execute(seed, cases))]
    assert not failures, f"{len(failures)} failures, the first with seed {failures[0].seed}:\n{failures[0].problem}"

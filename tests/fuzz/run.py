"""`make fuzz`: golden bodies and streams, changed a million times, through every pair of protocols.

One execution is one changed input on one way. Prints what it did, and each failure with the seed that makes it again:
`python -m fuzz.run --seed N --executions 1`. Exits with 1 when there was one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
import traceback
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from fuzz.corpus import corpus
from fuzz.mutations import mutated_bytes, mutated_json, mutated_request, mutated_stream
from fuzz.targets import run_answer, run_request, run_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuzz.corpus import Corpus
    from setpoint.records import Dialect

_MOST_FAILURES = 20
_BATCH = 2_000


class Failure(NamedTuple):
    """An execution that broke a promise: its seed, and what happened."""

    seed: int
    problem: str


def execute(seed: int, cases: Corpus) -> Failure | None:
    """One execution. None: it kept all promises."""
    dice = Random(seed)
    try:
        match dice.randrange(3):
            case 0:
                skin, data = dice.choice(cases.requests)
                run_request(_changed_json(data, dice, mutated_request), cast("Dialect", skin), dice)
            case 1:
                dialect, data = dice.choice(cases.answers)
                run_answer(_changed_json(data, dice, mutated_json), cast("Dialect", dialect), dice)
            case _:
                dialect, data = dice.choice(cases.streams)
                changed = mutated_stream(data, dice) if dice.random() < _STRUCTURED else mutated_bytes(data, dice)
                run_stream(changed, cast("Dialect", dialect), dice)
    except Exception:
        return Failure(seed, traceback.format_exc())
    return None


_STRUCTURED = 0.8


def _changed_json(data: bytes, dice: Random, mutated: Callable[[Any, Random], Any]) -> bytes:
    if dice.random() > _STRUCTURED:
        return mutated_bytes(data, dice)
    return json.dumps(mutated(json.loads(data), dice)).encode()


def _batch(seeds: range) -> list[Failure]:
    cases: Any = corpus()
    return [failure for seed in seeds if (failure := execute(seed, cases))]


def main() -> int:
    """Run so many executions, or as many as fit in the time. Returns 0 when every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=1_800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    first, last = options.seed, options.seed + options.executions
    batches = [range(at, min(at + _BATCH, last)) for at in range(first, last, _BATCH)]
    started, done = time.monotonic(), 0
    failures: list[Failure] = []
    with multiprocessing.Pool(options.processes) as pool:
        for seeds, found in zip(batches, pool.imap(_batch, batches), strict=True):
            done += len(seeds)
            failures += found
            if len(failures) >= _MOST_FAILURES or time.monotonic() - started > options.seconds:
                pool.terminate()
                break
    for failure in failures[:_MOST_FAILURES]:
        print(f"--- seed {failure.seed}\n{failure.problem}")
    elapsed = time.monotonic() - started
    print(f"{done:,} executions in {elapsed:.0f} s, {len(failures)} failures, seeds {first} to {first + done - 1}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""The good bodies and streams that the fuzzer starts from: the golden wire cases."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fuzz.targets import DIALECTS

WIRE = Path(__file__).parent.parent / "wire"


class Corpus(NamedTuple):
    """Request bodies, whole answers and streams, each with the protocol it is in."""

    requests: list[tuple[str, bytes]]
    answers: list[tuple[str, bytes]]
    streams: list[tuple[str, bytes]]


def corpus() -> Corpus:
    """All cases there are."""
    found = Corpus([], [], [])
    for dialect in DIALECTS:
        for path in sorted((WIRE / dialect).glob("*/*")):
            match path.name:
                case "request.json":
                    found.requests.append((dialect, path.read_bytes()))
                case "upstream.json":
                    found.answers.append((dialect, path.read_bytes()))
                case "upstream.sse":
                    found.streams.append((dialect, path.read_bytes()))
                case _:
                    pass
    return found

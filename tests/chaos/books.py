"""The books of a gateway, read from its database beside it: what was recorded of each request of a storm."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from chaos.verdicts import counted, never_sent, was_hit
from simulator.orders import read_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from chaos.cases import Case, Expected
    from simulator.client import Received
    from support.load import Heard


class Entry(NamedTuple):
    """One generation as it is recorded. `session_id` is the marker of its request."""

    id: str
    session_id: str
    status: str
    upstream_id: str | None
    tokens: tuple[int | None, int | None]
    attempts: tuple[dict[str, Any], ...]


_ENTRIES = """
SELECT id, session_id, status, upstream_id, usage_input_tokens, usage_output_tokens, attempts FROM generations
"""


def query(data_dir: Path, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
    """What a statement finds in the database of a gateway, whether that runs or not."""
    with closing(sqlite3.connect(f"file:{data_dir / 'setpoint.db'}", uri=True, timeout=10)) as connection:
        return connection.execute(statement, arguments).fetchall()


def entries(data_dir: Path) -> list[Entry]:
    """Every generation that is recorded."""
    rows = query(data_dir, _ENTRIES)
    return [
        Entry(id_, session or "", status, upstream, (given, made), tuple(json.loads(attempts)))
        for id_, session, status, upstream, given, made, attempts in rows
    ]


def disagreements(
    recorded: Iterable[Entry],
    told: Sequence[tuple[Case, Heard]],
    received: Iterable[Received] = (),
    kills: Sequence[float] = (),
) -> list[str]:
    """Where the books say something else than clients and upstreams: each answer has its one entry, counted once.

    `received` is what upstreams got, if that is known; at the times `kills` processes were killed.
    """
    found: list[str] = []
    mine: dict[str, list[Entry]] = {case.order.marker: [] for case, _ in told}
    for entry in recorded:
        if entry.session_id in mine:
            mine[entry.session_id].append(entry)
        else:
            found.append(f"nobody asked for {entry}")
    reached = Counter(order.marker for one in received if (order := read_order(one.body)))
    for case, heard in told:
        marker = case.order.marker
        if wrong := _wrong(case, heard, mine[marker], hit=was_hit(heard, kills)):
            found.append(f"case {case.number}: {wrong}; recorded: {mine[marker]}; heard: {heard}")
        elif heard.end == "whole" and reached and (wrong := _other_attempts(mine[marker], reached[marker])):
            found.append(f"case {case.number}: {wrong}; recorded: {mine[marker]}")
    return found


# How an answer that a kill has cut may be recorded: as that, or as what it was to come to, when its last words were on
# their way.
_CUT: dict[Expected, tuple[str, ...]] = {
    "answer": ("interrupted", "completed"),
    "error": ("interrupted", "failed"),
    "either": ("interrupted", "completed", "failed"),
    "gone": ("interrupted", "completed"),
    "refused": (),
}


def _wrong(case: Case, heard: Heard, mine: Sequence[Entry], *, hit: bool) -> str | None:
    """What is wrong with the entries of one case."""
    if len(mine) > 1:
        return "it is recorded more than once"
    entry = mine[0] if mine else None
    if entry is not None:
        if entry.upstream_id not in (None, case.order.upstream_id):
            return "it is recorded with the answer of another"
        if heard.id not in (None, entry.id):
            return "the client was told another id"
        if entry.status == "interrupted" and not hit:
            return "it is recorded as interrupted, and nothing was killed"
    if heard.end == "cut" and heard.id is not None and (entry is None or entry.status not in _CUT[case.expected]):
        return "its answer was cut by a kill, and is recorded otherwise"
    if heard.end != "whole":
        return None
    if case.expected == "refused":
        return "it was refused, and is recorded" if entry is not None else None
    tokens = counted(case, heard)
    if tokens is not None:
        agrees = entry is not None and (entry.status, entry.tokens) == ("completed", tokens)
        return None if agrees else "it was answered, and is recorded otherwise"
    if entry is None and never_sent(heard):
        return None
    return None if entry is not None and entry.status == "failed" else "it failed, and is recorded otherwise"


def _other_attempts(mine: Sequence[Entry], reached: int) -> str | None:
    """That upstreams were asked more often than is recorded, or less; one that refuses connections counts for none."""
    made = sum(attempt["provider"] != "down" for entry in mine for attempt in entry.attempts)
    return None if made == reached else f"{made} attempts are recorded, and upstreams got {reached}"

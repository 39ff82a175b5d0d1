"""What a storm has cost: the ledger of a gateway held against what its upstreams have counted, try by try."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from api.api_support import data_of
from chaos.books import query
from chaos.cases import PRICE
from chaos.verdicts import was_hit
from setpoint.ids import key_digest
from simulator.orders import read_order
from support.processes import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from chaos.cases import Case
    from chaos.stage import Stage
    from simulator.client import Received
    from support.load import Heard

_PLENTY = 100_000
_RELEASED_S = 100
"""A bound against hanging: ten times what it should take until nobody holds anything."""

_BOOKED = """
SELECT session_id, outcome, l.cost, input_tokens, output_tokens, estimated, reserved
FROM ledger AS l JOIN generations AS g ON g.id = l.generation_id
"""


class Booked(NamedTuple):
    """One try in the ledger: `tokens` in and out, None where nobody has said."""

    outcome: str
    cost: Decimal | None
    tokens: tuple[int, int] | None
    estimated: bool
    reserved: Decimal | None


def limit(stage: Stage) -> None:
    """Have everything be asked with a key that has a limit, which nobody reaches."""
    changed = stage.gateway.call("PATCH", f"/keys/{key_digest(KEY)}", {"limit": _PLENTY})
    assert changed.status == 200, changed.body


def unsettled(stage: Stage) -> list[str]:
    """What is still held when all requests have ended and been booked, and where the books do not close."""
    until = time.monotonic() + _RELEASED_S
    while held := query(stage.data_dir, "SELECT * FROM leases"):
        if time.monotonic() > until:
            return [f"it is held for ever: {row}" for row in held]
        time.sleep(0.05)
    told = data_of(stage.gateway.call("GET", "/ledger/verify"))
    return [] if told["ok"] else [f"the books do not close: {told}"]


def miscounted(
    data_dir: Path, told: Sequence[tuple[Case, Heard]], received: Iterable[Received], kills: Sequence[float]
) -> list[str]:
    """Where the ledger says something else than the upstreams, of the requests of these cases."""
    booked: defaultdict[str, list[Booked]] = defaultdict(list)
    for marker, outcome, cost, given, made, estimated, reserved in query(data_dir, _BOOKED):
        tokens = None if given is None else (given, made)
        booked[marker].append(Booked(outcome, _amount(cost), tokens, bool(estimated), _amount(reserved)))
    reached: Counter[str] = Counter()
    served: set[str] = set()
    for one in received:
        if (order := read_order(one.body)) is not None:
            reached[order.marker] += 1
            fault = dict(order.faults).get(one.path.split("/")[1])
            if (
                one.answered_ms is not None
                and not one.went_away
                and (fault is None or fault.name in ("crumbs", "late"))
            ):
                served.add(order.marker)
    found: list[str] = []
    for case, heard in told:
        marker = case.order.marker
        whole = marker in served and case.manner.stays and heard.end == "whole" and not was_hit(heard, kills)
        if wrong := _wrong(case, booked[marker], reached[marker], whole=whole):
            found.append(f"case {case.number}: {wrong}; booked: {booked[marker]}; heard: {heard}")
    return found


def _wrong(case: Case, mine: Sequence[Booked], reached: int, *, whole: bool) -> str | None:
    """What is wrong with what is booked of a case; `whole`: an upstream has answered it to the end."""
    known = [one for one in mine if one.tokens is not None]  # of others nobody knows whether they have arrived
    exact = [one for one in known if not one.estimated]
    if len(known) > reached:
        return f"more is counted than the upstreams got, which is {reached}"
    if any((one.tokens, one.cost) != (case.order.tokens, _cost(case.order.tokens)) for one in exact):
        return "it is booked otherwise than the upstream has counted"
    if any(one.cost is not None for one in mine if one not in exact):
        return "what nobody has counted has a cost"
    if len(exact) > 1:
        return "it is booked twice"
    if whole and [one.outcome for one in exact] != ["answered"]:
        return "it was answered, and is not booked so"
    return "nothing was set aside for it" if any(one.reserved is None for one in mine) else None


def _cost(tokens: tuple[int, int]) -> Decimal:
    return tokens[0] * Decimal(PRICE["prompt"]) + tokens[1] * Decimal(PRICE["completion"])


def _amount(stored: str | None) -> Decimal | None:
    return None if stored is None else Decimal(stored)

"""Orders: what a request says itself, in its prompt, of how it wants to be answered.

Scripts are played one after the other, whoever asks; with `obeying` as the script thousands of requests at once each
get the answer, the pace and the fault that they ordered, and the answer carries the marker of the order it is for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator import answers
from simulator.dialects import dialect_of
from simulator.script import body, cut, hang, in_pieces, ok, reset, sse, status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.dialects import Dialect
    from simulator.steps import Script

MARKER = re.compile(rb"zq[0-9]{10}qz")
"""What every marker looks like; nothing else does."""

_ORDER = re.compile(rb"\[\[order (\w+) (\d+) (\d+),(\d+) (\d+) (\d+)((?: \w+=\w+@\d+)*)\]\]")


def marker(number: int) -> str:
    """The marker of this number."""
    return f"zq{number:010d}qz"


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and the number that it takes: bytes, milliseconds or a status."""

    name: str
    number: int = 0


@dataclass(frozen=True)
class Order:
    """One answer: so many words that carry the marker, so many tokens, a pause before every word.

    It begins when so many requests have come to the simulator as `gate` says, so that as many are open at once.
    `faults` tells which of the upstreams, by the first name in their path, answer wrongly.
    """

    marker: str
    words: int = 4
    tokens: tuple[int, int] = answers.USAGE
    pause_ms: int = 0
    gate: int = 0
    faults: tuple[tuple[str, Fault], ...] = ()

    @property
    def answer(self) -> str:
        """The text that the answer says."""
        return " ".join(f"{self.marker}.{number}" for number in range(self.words))

    @property
    def upstream_id(self) -> str:
        """The id that the upstream gives its answer."""
        return f"up-{self.marker}"

    def prompt(self) -> str:
        """The order as it stands in a prompt; no character of it is escaped in JSON."""
        faults = "".join(f" {where}={fault.name}@{fault.number}" for where, fault in self.faults)
        tokens = f"{self.tokens[0]},{self.tokens[1]}"
        return f"[[order {self.marker} {self.words} {tokens} {self.pause_ms} {self.gate}{faults}]]"


def read_order(request: bytes) -> Order | None:
    """The order in a request's body; None when there is none."""
    found = _ORDER.search(request)
    if found is None:
        return None
    faults: list[tuple[str, Fault]] = []
    for word in found[7].decode().split():
        where, _, what = word.partition("=")
        name, _, number = what.partition("@")
        faults.append((where, Fault(name, int(number))))
    tokens = (int(found[3]), int(found[4]))
    return Order(found[1].decode(), int(found[2]), tokens, int(found[5]), int(found[6]), tuple(faults))


def script_of(path: str, request: bytes) -> Script:
    """What happens to a request to this path: what it ordered, or the usual answer."""
    order = read_order(request)
    if order is None:
        return ok()
    right = ok(order.answer, tokens=order.tokens, pause_ms=order.pause_ms, id_=order.upstream_id).at_gate(order.gate)
    fault = dict(order.faults).get(path.split("/")[1])
    return right if fault is None else FAULTS[fault.name](right, fault.number, dialect_of(path))


FAULTS: Mapping[str, Callable[[Script, int, Dialect], Script]] = {
    "status": lambda _right, code, dialect: status(code, dialect=dialect),
    "cut": lambda right, count, _dialect: cut(right, after=count),
    "reset": lambda right, count, _dialect: reset(right, after=count),
    "hang": lambda right, count, _dialect: hang(right, after=count),
    "crumbs": lambda right, size, _dialect: in_pieces(right, size=size),
    "late": lambda right, ms, _dialect: right.behind(ms),
    "empty": lambda _right, _number, _dialect: body(b""),
    "html": lambda _right, _number, _dialect: body("<html><h1>502</h1></html>", content_type="text/html"),
    "garbage": lambda _right, _number, _dialect: body(b'{"id": "x", "cho'),
    "noise": lambda _right, _number, _dialect: sse(["data: {]", "event: ?\ndata: 1"]),
}
"""The faults that can be ordered, by name."""

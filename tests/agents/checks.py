"""What must be so after a run: what the agent did, what the upstream heard, what went over the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents.agent import FINAL, NOTE, WRITTEN
from clients.heard import heard
from clients.said import as_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agents.agent import Agent, Place
    from agents.recorder import Exchange
    from clients.said import Said
    from clients.upstreams import Dialect
    from simulator.client import Received


@dataclass(frozen=True)
class Run:
    """One run of an agent against a dialect, as it went."""

    agent: Agent
    dialect: Dialect
    place: Place
    script: Sequence[Said]
    exit_code: int
    output: str
    exchanges: Sequence[Exchange]
    received: Sequence[Received]


def _check_exit(run: Run) -> Iterator[str]:
    if run.exit_code != 0:
        yield f"exit code {run.exit_code}: {run.output[-600:]}"


def _check_text(run: Run) -> Iterator[str]:
    if (text := run.agent.final_text(run.output)) != FINAL:
        yield f"it ended with {text!r}"


def _check_file(run: Run) -> Iterator[str]:
    written = run.place.answer.read_text("utf-8") if run.place.answer.exists() else None
    if written != WRITTEN:
        yield f"the file holds {written!r}"


def _check_requests(run: Run) -> Iterator[str]:
    """As many requests as answers, on both sides: an agent repeats what it did not understand."""
    wanted = len(run.script)
    asked = _asked(run)
    if [one.status for one in asked] != [200] * wanted:
        yield f"the agent's requests ended with {[one.status for one in asked]}: {_errors(asked)}"
    if len(run.received) != wanted:
        yield f"the upstream got {len(run.received)} requests of {wanted}"


def _check_events(run: Run) -> Iterator[str]:
    """Each answer has one event that ends it."""
    for at, exchange in enumerate(_asked(run)):
        names = re.findall(r"^event: (\S+)$", exchange.answer.decode(), re.MULTILINE)
        ends = [name for name in names if name in run.agent.terminal]
        if ends != [run.agent.terminal[0]]:
            yield f"answer {at} ends with {ends}"


def _check_steps(run: Run) -> Iterator[str]:
    """The upstream hears its own thoughts and calls again, in order, and nothing that its vendor does not know."""
    wanted: list[tuple[str, ...]] = []
    for said in run.script[:-1]:
        if said.thought is not None:
            wanted.append(("thought", said.thought.text, said.thought.seal))
        told = said.calls if run.dialect == "responses" else [as_function(call) for call in said.calls]
        wanted += [("call", call.id, call.name, call.arguments) for call in told]
    for received in run.received:
        heard(run.dialect, received.json())
    last = heard(run.dialect, run.received[-1].json())
    steps = [step for step in last if step[0] in ("thought", "call")]
    if steps != wanted:
        yield f"it heard {steps} where {wanted} was said"


def _check_results(run: Run) -> Iterator[str]:
    """Every call has its result, and what was read is in it."""
    last = heard(run.dialect, run.received[-1].json())
    results = {step[1]: step[2] for step in last if step[0] == "result"}
    calls = [call.id for said in run.script for call in said.calls]
    if sorted(results) != sorted(calls):  # tools that run at once end in any order
        yield f"results of {list(results)} for calls {calls}"
    if NOTE not in results.get(calls[0], ""):
        yield f"the first result is {results.get(calls[0])!r}"


def _check_tools(run: Run) -> Iterator[str]:
    """Every tool that is called was offered, under the name that it is called by."""
    offered = _names(run.received[0].json()["tools"])
    for call in (call for said in run.script for call in said.calls):
        name = call.name if run.dialect == "responses" else as_function(call).name
        if name not in offered:
            yield f"{name} is not among {sorted(offered)}"


def _check_beta(run: Run) -> Iterator[str]:
    """What the agent asks of its vendor reaches an upstream of that vendor's dialect, and no other."""
    for name in ("anthropic-beta", "anthropic-version"):
        asked = _asked(run)[0].headers.get(name)
        wanted = asked if run.dialect == run.agent.skin == "messages" else None
        for received in run.received:
            told = received.header(name)
            if run.dialect == "messages" and asked is None and name == "anthropic-version":
                continue  # an upstream of this dialect wants some version, whoever asks
            if told != wanted:
                yield f"{name}: {told!r} instead of {wanted!r}"


def _asked(run: Run) -> list[Exchange]:
    return [one for one in run.exchanges if one.method == "POST" and run.agent.route in one.path]


def _errors(asked: Sequence[Exchange]) -> str:
    return " | ".join(one.answer.decode()[:400] for one in asked if one.status != 200)


def _names(tools: Sequence[dict[str, Any]]) -> set[str]:
    names: set[str] = set()
    for tool in tools:
        names.add(tool.get("name") or tool.get("function", {}).get("name", ""))
        names |= _names(tool.get("tools", []))
    return names


CHECKS: dict[str, Callable[[Run], Iterator[str]]] = {
    "exit": _check_exit,
    "text": _check_text,
    "file": _check_file,
    "requests": _check_requests,
    "events": _check_events,
    "steps": _check_steps,
    "results": _check_results,
    "tools": _check_tools,
    "beta": _check_beta,
}
"""Every check by its name in the table; each yields what is not as it must be."""


def failures(run: Run) -> dict[str, str]:
    """The checks that failed, each with what was there instead."""
    found: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            said = "; ".join(check(run))
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        if said:
            found[name] = said
    return found

"""What an upstream is told of a request, and what it could not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faults.faults_support import MESSAGES

if TYPE_CHECKING:
    from faults.faults_support import Front

PLAIN = {"model": "alpha-model", "messages": MESSAGES}
"""What goes upstream of a request to `alpha` that says nothing more."""


def sent(front: Front, model: str = "solo/alpha", **fields: Any) -> dict[str, Any]:
    """The body that goes upstream for this request."""
    front.simulator.forget_requests()
    answer = front.ask(model, **fields)
    assert answer.status == 200, answer.body
    return front.upstream().json()


def unsaid(front: Front, model: str, **fields: Any) -> list[str]:
    """What the header names, and the record too."""
    answer = front.ask(model, **fields)
    assert answer.status == 200, answer.body
    named = [pointer for pointer in (answer.header("x-setpoint-unsaid") or "").split(",") if pointer]
    assert front.record(answer)["unsaid"] == named
    return named

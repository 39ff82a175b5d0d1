"""Reasoning as a word: what a provider that knows only efforts is told of a budget or of a switch.

And the nearest word that a model knows, where not all of them are known to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.config import EFFORTS
from setpoint.wire.body import NULL, as_text, is_null, value

if TYPE_CHECKING:
    from setpoint.protocols.terms import Terms
    from setpoint.records import ModelReasoning
    from setpoint.wire.body import Body

_TRUE, _FALSE = Raw(b"true"), Raw(b"false")

_SHARES = {"xhigh": 0.95, "high": 0.8, "medium": 0.5, "low": 0.2, "minimal": 0.1}
"""Effort to the share of the output limit that it stands for."""

_MOST_EFFORT = {"max": "xhigh"}
"""A verbosity to the effort that stands for it, where there is no effort of that name."""


def nearest_effort(asked: Body, limit: Raw | None, terms: Terms) -> str | None:
    """The effort nearest to what a canonical `reasoning` asks, None when it asks for nothing of that.

    `limit` is the request's own output limit. What is only switched on takes as much effort as is to be said. Only an
    effort that the model knows is found.
    """
    effort = _nearest_effort(asked, limit, terms)
    return None if effort is None else nearest_known(effort, terms.efforts)


def known_efforts(model: ModelReasoning) -> tuple[str, ...]:
    """The efforts that a model knows, the least first; none when that is not known. To be off is no effort."""
    known = model.supported_efforts or ()
    return tuple(word for word in EFFORTS[1:] if word in known)


def nearest_known(effort: str, known: tuple[str, ...]) -> str:
    """Of the efforts that a model knows the nearest to this one, the lesser of two; this one when none is known."""
    if effort in known or effort not in EFFORTS[1:] or not known:
        return effort
    rank = EFFORTS.index(effort)
    return min(known, key=lambda word: abs(EFFORTS.index(word) - rank))


def _nearest_effort(asked: Body, limit: Raw | None, terms: Terms) -> str | None:
    if asked.get("enabled") == _FALSE:
        return "none"
    if (effort := as_text(asked.get("effort"))) is not None:
        return effort
    budget = asked.get("max_tokens", NULL)
    if is_null(budget):
        return _of_verbosity(terms.verbosity) if asked.get("enabled") == _TRUE else None
    if (tokens := float(value(budget))) <= 0:
        return "none"
    most = terms.max_output_tokens if limit is None else float(value(limit))
    share = tokens / most if most else _SHARES["medium"]
    return min(_SHARES, key=lambda word: abs(_SHARES[word] - share))


def _of_verbosity(verbosity: str | None) -> str:
    word = verbosity or "medium"
    return _MOST_EFFORT.get(word, word)

"""What a request to a chat upstream needs whoever asks: the path, the usage of a stream, one name for the output limit.

And reasoning in the form that the endpoint takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.effort import nearest_effort
from setpoint.wire.body import NULL, as_object, is_null, join, raw

if TYPE_CHECKING:
    from setpoint.protocols.terms import Terms
    from setpoint.wire.body import Body

_REASONING = ("reasoning", "reasoning_effort", "include_reasoning")
_LIMITS = ("max_tokens", "max_completion_tokens")
_TRUE, _FALSE = Raw(b"true"), Raw(b"false")


def path(base_url: str) -> str:
    """What stands behind a provider's base URL."""
    del base_url  # the same behind every one
    return "/chat/completions"


def finish_request(sent: Body, terms: Terms, body: Body) -> tuple[Body, tuple[str, ...]]:
    """The request as it goes out, and the canonical names of what no effort can say (`reasoning.exclude`)."""
    del body  # the same for every skin
    sent, unsaid = _with_reasoning(dict(sent), terms)
    return _with_usage(_with_limit(_with_scores(sent, terms), terms), terms), unsaid


def _with_scores(sent: Body, terms: Terms) -> Body:
    """A number of likely tokens with the switch that chat wants beside it; responses has the number alone."""
    asked = not is_null(sent.get("top_logprobs", NULL)) and is_null(sent.get("logprobs", NULL))
    if asked and (terms.parameters is None or "logprobs" in terms.parameters):
        sent["logprobs"] = _TRUE
    return sent


def _with_limit(sent: Body, terms: Terms) -> Body:
    """The output limit under the name that the endpoint lists, where it lists only the other one."""
    if terms.parameters is None:
        return sent
    listed = [name for name in _LIMITS if name in terms.parameters]
    other = next((name for name in _LIMITS if name not in listed), None)
    if len(listed) != 1 or other not in sent:
        return sent
    [known] = listed
    return {known if name == other else name: content for name, content in sent.items() if name != known}


def _with_usage(sent: Body, terms: Terms) -> Body:
    """A stream always has its usage counted; an answer that is not streamed takes no such options."""
    options = as_object(sent.pop("stream_options", None))
    if terms.stream:
        sent["stream"] = _TRUE
        sent["stream_options"] = Raw(join({**options, "include_usage": _TRUE}))
    return sent


# --- reasoning -----------------------------------------------------------------------------------------------


def _with_reasoning(sent: Body, terms: Terms) -> tuple[Body, tuple[str, ...]]:
    """Reasoning in the form that the endpoint takes: as it came where that is not known."""
    form = terms.reasoning_form
    if terms.parameters is not None:
        form = "object" if "reasoning" in terms.parameters else "effort"
    if form is None or sent.keys().isdisjoint(_REASONING):
        return sent, ()
    if form == "object" and sent.keys().isdisjoint(_REASONING[1:]):  # as it came, byte for byte
        return sent, ()
    asked = _asked(sent)
    for name in _REASONING:
        sent.pop(name, None)
    if form == "object":
        sent["reasoning"] = Raw(join(asked))
        return sent, ()
    effort = nearest_effort(asked, sent.get("max_tokens") or sent.get("max_completion_tokens"), terms)
    if effort is not None:
        sent["reasoning_effort"] = raw(effort)
    kept = {"effort", "enabled", "max_tokens"} if effort is not None else set[str]()
    return sent, tuple(f"reasoning.{name}" for name in asked if name not in kept and not is_null(asked[name]))


def _asked(sent: Body) -> Body:
    """The three spellings of what the request asks of reasoning, as one object."""
    asked = as_object(sent.get("reasoning"))
    if "reasoning_effort" in sent:
        asked["effort"] = sent["reasoning_effort"]
    if sent.get("include_reasoning") == _FALSE:
        asked.setdefault("exclude", _TRUE)
    return asked

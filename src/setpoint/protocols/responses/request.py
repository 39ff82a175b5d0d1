"""What a request to a responses upstream needs whoever asks: where it goes, and that nothing is kept there.

Where another protocol's client asks, also its reasoning in words that every such upstream takes, and sealed reasoning
in the answer, for that is the only kind that can go back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.effort import nearest_effort
from setpoint.protocols.seals import is_wrapped
from setpoint.wire.body import NULL, Body, as_array, as_object, as_text, is_array, is_null, is_string, join, raw

if TYPE_CHECKING:
    from setpoint.protocols.terms import Terms

_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_SEALED = "reasoning.encrypted_content"
_OTHERS_WORDS = ("enabled", "max_tokens")


def path(base_url: str) -> str:
    """What stands behind a provider's base URL."""
    del base_url  # the same behind every one
    return "/responses"


def finish_request(sent: Body, terms: Terms, body: Body) -> tuple[Body, tuple[str, ...]]:
    """The request as it goes out, and the canonical names of what could not be said (`reasoning.max_tokens`)."""
    # An upstream of this protocol keeps what it answers unless it is told not to; here nothing is kept.
    sent = {**sent, "store": _FALSE}
    if terms.stream:
        sent["stream"] = _TRUE
    if not is_null(steps := body.get("max_tool_calls", NULL)):
        sent["max_tool_calls"] = steps
    conversation = sent.get("input", NULL)
    if conversation == body.get("input"):  # as the client wrote it, so the rest is too
        sent["input"] = _without_others_seals(conversation)
        return sent, ()
    return _with_reasoning(sent, terms)


def _without_others_seals(conversation: Raw) -> Raw:
    """A history without the reasoning that another dialect's model sealed: it goes back to its maker only."""
    if not is_array(conversation) or b"encrypted_content" not in bytes(conversation):
        return conversation
    entries = as_array(conversation)
    kept = [entry for entry in entries if not _is_others(as_object(entry))]
    return conversation if len(kept) == len(entries) else raw(kept)


def _is_others(item: Body) -> bool:
    seal = item.get("encrypted_content", NULL)
    return as_text(item.get("type")) == "reasoning" and is_string(seal) and is_wrapped(seal)


def _with_reasoning(sent: Body, terms: Terms) -> tuple[Body, tuple[str, ...]]:
    """Reasoning in this protocol's own words, unless the provider is known to take the others as well."""
    if is_null(sent.get("reasoning", NULL)):
        return sent, ()
    asked = as_object(sent["reasoning"])
    unsaid: tuple[str, ...] = ()
    if terms.reasoning_form != "object" and any(word in asked for word in _OTHERS_WORDS):
        effort = nearest_effort(asked, sent.get("max_output_tokens"), terms)
        if effort is None and not is_null(asked.get("max_tokens", NULL)):
            unsaid = ("reasoning.max_tokens",)
        asked = {word: said for word, said in asked.items() if word not in _OTHERS_WORDS}
        if effort is not None:
            asked["effort"] = raw(effort)
        sent = {**sent, "reasoning": Raw(join(asked))}
    if as_text(asked.get("effort")) != "none" and asked.get("enabled") != _FALSE:
        sent = {**sent, "include": _with_sealed(sent.get("include"))}
    return sent, unsaid


def _with_sealed(include: Raw | None) -> Raw:
    listed = as_array(include)
    return raw([*listed, _SEALED]) if raw(_SEALED) not in listed else raw(listed)

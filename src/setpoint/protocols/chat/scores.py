"""The log probabilities of an answer that came in another dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.wire.body import NULL, as_array, as_text, is_array, is_object, join, members, raw

if TYPE_CHECKING:
    from setpoint.wire.body import Body


def write_scores(entries: Raw) -> Raw:
    """The `logprobs` of a choice, each entry with every key that clients need: other dialects leave some out."""
    return raw({"content": [_filled(entry) for entry in as_array(entries)], "refusal": None})


def _filled(entry: Raw) -> Raw:
    if not is_object(entry):
        return entry
    score = members(entry)
    _fill_bytes(score)
    likely = score.get("top_logprobs", NULL)
    score["top_logprobs"] = raw([_with_bytes(token) for token in as_array(likely)]) if is_array(likely) else raw([])
    return Raw(join(score))


def _with_bytes(entry: Raw) -> Raw:
    if not is_object(entry):
        return entry
    score = members(entry)
    _fill_bytes(score)
    return Raw(join(score))


def _fill_bytes(score: Body) -> None:
    """The bytes of a token that comes without them: its UTF-8, null where it has none (half a character)."""
    if "bytes" in score:
        return
    token = as_text(score.get("token"))
    try:
        score["bytes"] = NULL if token is None else raw(list(token.encode()))
    except UnicodeEncodeError:
        score["bytes"] = NULL

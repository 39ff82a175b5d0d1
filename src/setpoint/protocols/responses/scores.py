"""Log probabilities of the tokens of a text, with all that clients and other protocols require of an entry.

Source: the logprobs of the output text in the Responses reference, and of the choice in the Chat Completions reference,
read 2026-11. `bytes` is "a list of integers representing the UTF-8 bytes representation of the token. [...] Can be null
if there is no bytes representation for the token"; official clients of the responses protocol take no null.
"""

from __future__ import annotations

from msgspec import Raw

from setpoint.wire.body import NULL, as_array, as_object, as_text, is_array, join, raw


def filled_scores(entries: Raw) -> Raw:
    """A list of entries, each with its bytes and its alternatives; an entry that names no token is left out."""
    listed = as_array(entries)
    filled = [one for entry in listed if (one := _filled(entry, alternatives=True)) is not None]
    return entries if filled == listed else raw(filled)


def _filled(entry: Raw, *, alternatives: bool) -> Raw | None:
    body = as_object(entry)
    token = as_text(body.get("token"))
    if token is None:
        return None
    more = {}
    if not is_array(body.get("bytes", NULL)):
        more["bytes"] = raw(list(token.encode("utf-8", "surrogatepass")))
    if alternatives:
        told = body.get("top_logprobs", NULL)
        others = as_array(told)
        filled = [one for other in others if (one := _filled(other, alternatives=False)) is not None]
        if not is_array(told) or filled != others:
            more["top_logprobs"] = raw(filled)
    return Raw(join({**body, **more})) if more else entry

"""What must hold of every answer of a storm: it is its client's own, it ends once, and it gives nothing away."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from api.skins_support import error_of, text_of
from chaos.cases import SECRETS
from faults.skins_faults_support import heard as heard_stream
from simulator.orders import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chaos.cases import Case
    from setpoint.records import Dialect
    from support.http import Answer
    from support.load import Heard

_REFUSALS = {"garbage": {400}, "key": {401}, "method": {405}, "model": {400, 404}}


def verdict(case: Case, heard: Heard, kills: Sequence[float] = ()) -> str | None:
    """What is wrong with what a client heard, None when nothing is; at the times `kills` processes were killed."""
    if heard.answer is not None:
        shown = heard.answer.body + repr(heard.answer.headers).encode()
        if strange := foreign(shown, {case.order.marker}):
            return f"it holds what is not its own: {strange}"
        if [secret for secret in SECRETS if secret.encode() in shown]:
            return "it shows a secret"
    if case.expected == "gone" and heard.end != "whole":
        return f"it ended {heard.end}" if heard.end == "hung" else None
    if heard.end in ("cut", "refused") and was_hit(heard, kills):
        return None
    if heard.end != "whole" or heard.answer is None:
        return f"it ended {heard.end}: {_brief(heard.answer)}"
    try:
        return _told(case, heard.answer)
    except (AssertionError, ValueError, LookupError, TypeError) as error:
        return f"{type(error).__name__}: {error}: {_brief(heard.answer)}"


def was_hit(heard: Heard, kills: Sequence[float]) -> bool:
    """Whether a process was killed while this client waited; one that left is in work until the gateway hears of it."""
    ended_s = inf if heard.end == "left" else heard.ended_s
    return any(heard.began_s <= at <= ended_s for at in kills)


def never_sent(heard: Heard) -> bool:
    """Whether a client was told that nobody was asked, since whoever could be has failed too often."""
    return heard.answer is not None and b'"breaker_open"' in heard.answer.body


def counted(case: Case, heard: Heard) -> tuple[int, int] | None:
    """The tokens in and out that the client of a whole answer was told; None when it has none."""
    return _outcome(case, heard.answer) if heard.end == "whole" and heard.answer is not None else None


def foreign(shown: bytes, own: Iterable[str]) -> set[bytes]:
    """The markers among these bytes that are nobody's own."""
    return set(MARKER.findall(shown)) - {one.encode() for one in own}


def _brief(answer: Answer | None) -> str:
    return "nothing was heard" if answer is None else f"{answer.status} … {answer.body[-600:]!r}"


def _told(case: Case, answer: Answer) -> str | None:
    if case.expected == "refused":
        wanted = _REFUSALS[case.spoilt or "garbage"]
        if answer.status not in wanted:
            return f"it is {answer.status}, not one of {wanted}"
        error_of(case.skin, answer)
        return None
    tokens = _outcome(case, answer)
    if case.expected in ("either", "gone"):  # cut behind its last word an answer is whole, and its tokens are a guess
        return None
    if tokens == (case.order.tokens if case.expected == "answer" else None):
        return None
    return f"it is not the {case.expected} that was to come: {_brief(answer)}"


def _outcome(case: Case, answer: Answer) -> tuple[int, int] | None:
    """The tokens of a right answer; None for an error.

    Raises: `AssertionError` when it is neither by the rules of its skin.
    """
    if answer.status != 200:
        error_of(case.skin, answer)
        return None
    if not case.stream:
        assert text_of(case.skin, answer) == case.order.answer, "it is another text"
        usage = answer.json()["usage"]
        given, made = _USAGE[case.skin]
        return usage[given], usage[made]
    told = heard_stream(case.skin, answer)
    if told.error is not None:
        assert case.order.answer.startswith(told.text), "it is another text"
        return None
    assert told.text == case.order.answer, "it is another text"
    assert told.usage is not None, "nothing was counted"
    return told.usage[:2]


_USAGE: dict[Dialect, tuple[str, str]] = {
    "chat": ("prompt_tokens", "completion_tokens"),
    "messages": ("input_tokens", "output_tokens"),
    "responses": ("input_tokens", "output_tokens"),
}

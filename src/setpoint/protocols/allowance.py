"""What a request asks that its model does not have as it is asked: the nearest that the model, or the endpoint, has.

An output limit above the longest answer, an effort that the model does not know, a service tier by another name. What
is said in another way than it was asked is named, yet no reason to pass the endpoint over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.errors import FieldError
from setpoint.protocols.effort import known_efforts, nearest_known
from setpoint.protocols.rules import REASONING, lists, takes
from setpoint.records import ModelReasoning
from setpoint.wire.body import NULL, Body, MalformedError, as_object, as_text, join, raw, value

if TYPE_CHECKING:
    from setpoint.protocols.base import Room
    from setpoint.records import Endpoint

_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_LIMITS = ("max_tokens", "max_completion_tokens")
_SWITCHES = ("effort", "enabled", "max_tokens")
_LEAST = "low"
"""The lowest effort of a model of which none is known: every one that reasons knows this word."""

_FASTER = {"fast": "priority", "ultrafast": "priority"}
_SOLD = ("priority", "flex")


class Allowance(Struct, frozen=True, kw_only=True):
    """What a model, and its endpoint in this request's plan, allow of what may be asked. None: no bound is known.

    `max_output` is what a larger output limit becomes, in tokens; `default_output` that of a request which has none.
    `reasoning` is how the model reasons; `latest`: it was asked for by the name of its family, so that what it forbids
    becomes the least that it allows. `tiers` are the service tiers of the same provider's endpoints for the model.
    """

    max_output: int | None = None
    default_output: int | None = None
    reasoning: ModelReasoning | None = None
    latest: bool = False
    tiers: frozenset[str] = frozenset()


ALL = Allowance()
"""Nothing is bounded."""


class Bounded(Struct, frozen=True):
    """A body within the bounds, in its skin's own fields, and pointers to what is asked in it otherwise than it was.

    `clamped`: that is so of the output limit.
    """

    body: Body
    pointers: tuple[str, ...] = ()
    clamped: bool = False


def bounded(body: Body, endpoint: Endpoint, allowance: Allowance, *, skin: Room, dialect: Room) -> Bounded:
    """A request as this endpoint can follow it. A body in which nothing is out of bounds is the one that came.

    Raises: `FieldError` for a request to do without reasoning, of a model that cannot.
    """
    bounding = _Bounding(body, endpoint, allowance, skin, dialect)
    clamped = False
    if allowance.default_output is not None:
        bounding.default_limit(allowance.default_output)
    if allowance.max_output is not None:
        bounding.limit(allowance.max_output)
        clamped = bool(bounding.pointers)
    if allowance.reasoning is not None:
        bounding.reasoning(allowance.reasoning)
    if "speed" in body:
        bounding.speed()
    if "service_tier" in bounding.body or endpoint.tier in _SOLD:
        bounding.tier()
    return Bounded(bounding.body, tuple(dict.fromkeys(bounding.pointers)), clamped)


class _Bounding:
    """One body at work. `body` is another one as soon as anything changes."""

    def __init__(self, body: Body, endpoint: Endpoint, allowance: Allowance, skin: Room, dialect: Room) -> None:
        self.body = body
        self.pointers: list[str] = []
        self._endpoint = endpoint
        self._allowance = allowance
        self._skin = skin
        self._dialect = dialect

    # --- the output limit ---

    def limit(self, most: int) -> None:
        """No output limit above this one, under whichever name."""
        for field, content in list(self.body.items()):
            if self._skin.FIELDS.get(field) in _LIMITS and (_number(content) or 0) > most:
                self._replace({field: raw(most)}, f"/{field}")

    def default_limit(self, tokens: int) -> None:
        """This output limit where the request has none, under the name that the endpoint knows."""
        names = [field for field, name in self._skin.FIELDS.items() if name in _LIMITS]
        if any(_number(self.body.get(field, NULL)) is not None for field in names):
            return
        listed = [field for field in names if lists(self._endpoint, self._skin.FIELDS[field])]
        newest = max(listed or names, key=lambda field: _LIMITS.index(self._skin.FIELDS[field]))
        self._replace({newest: raw(tokens)}, None)

    # --- reasoning ---

    def reasoning(self, model: ModelReasoning) -> None:
        """Reasoning as the model knows it. Raises: `FieldError`."""
        efforts = known_efforts(model)
        asked = as_object(self._skin.read_call(self.body).get("reasoning"))
        if model.mandatory and (switch := _switched_off_by(asked)):
            self._switch_on(asked, switch, efforts)
        elif (word := as_text(asked.get("effort"))) is not None and (known := nearest_known(word, efforts)) != word:
            self._say({**asked, "effort": raw(known)}, self._where("effort"))
        if efforts and self._dialect.name == "messages":
            self._verbosity(efforts)

    def _switch_on(self, asked: Body, switch: str, efforts: tuple[str, ...]) -> None:
        where = self._where(switch)
        if not self._allowance.latest:
            problem = "the model cannot do without reasoning"
            raise FieldError(where[1:].replace("/", "."), problem, metadata={"reason": "unsupported"})
        kept = {name: content for name, content in asked.items() if name not in _SWITCHES}
        if switch == "max_tokens":  # which asks for none of it, but does not switch it off
            kept |= {"enabled": _TRUE} if asked.get("enabled") == _TRUE else {}
        else:
            kept["effort"] = raw(efforts[0] if efforts else _LEAST)
        self._say(kept, where)

    def _where(self, member: str) -> str:
        """The pointer to a member of the request's reasoning, in the spelling that it has chosen."""
        short = member == "effort" and "reasoning_effort" in self.body
        return self._skin.pointer("reasoning_effort" if short else f"reasoning.{member}")

    def _say(self, reasoning: Body, where: str) -> None:
        """A canonical `reasoning` in place of the body's own."""
        if "reasoning" not in self.body and "reasoning_effort" in self.body:
            self._replace({"reasoning_effort": reasoning["effort"]}, where)
            return
        limits = {name: said for name, said in self._skin.read_call(self.body).items() if name in _LIMITS}
        fields, _ = self._skin.write_config({**limits, "reasoning": Raw(join(reasoning))} if reasoning else limits)
        told = {name for name, canonical in self._skin.FIELDS.items() if canonical in REASONING}
        self.body = {name: content for name, content in self.body.items() if name not in told}
        self._replace({name: content for name, content in fields.items() if name in told}, where)

    def _verbosity(self, efforts: tuple[str, ...]) -> None:
        """How much is to be said is an effort to an upstream of the messages dialect."""
        if (changed := _with_known(self.body, "verbosity", efforts)) is not None:
            self._replace(changed, "/verbosity")
        for field, parts in self._skin.PARTS.items():
            member = next((member for member, canonical in parts.items() if canonical == "verbosity"), "")
            if (changed := _with_known(as_object(self.body.get(field)), member, efforts)) is not None:
                self._replace({field: Raw(join(changed))}, f"/{field}/{member}")

    # --- the service tier ---

    def speed(self) -> None:
        """To be quick is a service tier elsewhere; not to be is what everybody gets."""
        if self._dialect.name == "messages" and takes(self._endpoint, "messages", "speed"):
            return
        is_fast, asked = as_text(self.body["speed"]) == "fast", as_text(self.body.get("service_tier"))
        if is_fast and _FASTER.get(asked or "fast", asked) != "priority":
            return  # two wishes that differ: this one is named as what cannot be said
        if is_fast and not lists(self._endpoint, "service_tier") and self._endpoint.tier != "priority":
            return
        self.body = {name: content for name, content in self.body.items() if name != "speed"}
        if is_fast:
            self.body["service_tier"] = raw("priority")

    def tier(self) -> None:
        """The tier in the word that providers know: of the endpoint where it stands for one, else of the request."""
        asked = as_text(self.body.get("service_tier"))
        word = _FASTER.get(asked or "", asked)
        if word == "standard_only" and self._dialect.name != "messages":
            word = "default"
        told = word
        if self._endpoint.tier in _SOLD:
            told = self._endpoint.tier
        elif word in _SOLD and word in self._allowance.tiers:  # another endpoint is for that
            told = "default"
        if not lists(self._endpoint, "service_tier"):
            if word in _SOLD and word == self._endpoint.tier:  # asked for, and got, without a word
                self.body = {name: content for name, content in self.body.items() if name != "service_tier"}
        elif told is not None and told != asked:
            self._replace({"service_tier": raw(told)}, "/service_tier" if word not in (None, told) else None)

    def _replace(self, fields: Body, pointer: str | None) -> None:
        self.body = {**self.body, **fields}
        if pointer is not None:
            self.pointers.append(pointer)


def _with_known(told: Body, name: str, efforts: tuple[str, ...]) -> Body | None:
    """An object whose effort of this name is the nearest that the model knows; None when it is so already."""
    word = as_text(told.get(name))
    known = None if word is None else nearest_known(word, efforts)
    return None if known == word else {**told, name: raw(known)}


def _switched_off_by(asked: Body) -> str | None:
    """The member of a canonical `reasoning` that asks for none of it; None when no member does."""
    if as_text(asked.get("effort")) == "none":
        return "effort"
    if asked.get("enabled") == _FALSE:
        return "enabled"
    return "max_tokens" if _number(asked.get("max_tokens", NULL)) == 0 else None


def _number(content: Raw) -> float | None:
    """A number, None for anything else."""
    try:
        said = value(content)
    except MalformedError:
        return None
    return said if isinstance(said, int | float) else None

"""What a captured configuration would meet with in use: a request that has nothing else, planned and never sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.errors import FieldError, RequestError
from setpoint.gateway.exchange import Caller, Exchange
from setpoint.gateway.relay import allowance
from setpoint.gateway.telling import each_endpoint
from setpoint.presets.receipt import Caveat
from setpoint.protocols.forward import likeness
from setpoint.routing.naming import known as known_model
from setpoint.wire.body import Body, as_array, as_object, as_pointer, as_text, join, raw

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

    from setpoint.gateway.relay import Relay
    from setpoint.presets.receipt import Code
    from setpoint.protocols.base import Room
    from setpoint.records import Dialect, Generation, Key
    from setpoint.routing.catalog import Catalog
    from setpoint.routing.keyring import KeyRing
    from setpoint.routing.plan import Plan

_WORD = raw([{"role": "user", "content": "."}])
_CONVERSATION: dict[Dialect, Body] = {
    "chat": {"messages": _WORD},
    "messages": {"messages": _WORD},
    "responses": {"input": raw(".")},
}
_NOBODY = Caller(referer=None, app_title=None, user_agent=None, session_id=None)
_NAMED_MODELS = 3
_PLACES_OF_TOOLS = frozenset({"tools", "plugins", "transforms", "model", "models"})
"""A model's name may ask for the web plugin (`:online`)."""


def rehearsal(skin: Room, key: Key, now: datetime) -> Exchange:
    """A request of a skin that says one word. It never begins, so there is never a record of it."""

    def nothing(_: Generation) -> None: ...

    return Exchange(
        "",
        skin=skin,
        key=key,
        body=_CONVERSATION[skin.name],
        caller=_NOBODY,
        created_at=now,
        begin=nothing,
        record=nothing,
    )


def open_to_all(config: Body) -> Body:
    """The configuration without what rules endpoints out for what they cannot be told, or for others being there."""
    provider = as_object(config.get("provider"))
    left_out = {"require_parameters"} if "order" in provider else {"require_parameters", "allow_fallbacks"}
    if provider.keys().isdisjoint(left_out):
        return config
    kept = {name: content for name, content in provider.items() if name not in left_out}
    return {**config, "provider": Raw(join(kept))}


class Known(Struct, frozen=True):
    """A configuration without the models that do not exist, of which each has a caveat; None: no model is left.

    `places` is where those that are left of `models` were before, by pointer.
    """

    config: Body | None
    unknown: tuple[Caveat, ...] = ()
    places: Mapping[str, str] = {}


def known_models(config: Body, catalog: Catalog, keys: KeyRing) -> Known:
    """The configuration with none but models that there are, for whoever has these keys."""
    unknown: list[Caveat] = []

    def is_known(pointer: str, content: Raw) -> bool:
        try:
            known_model(as_text(content) or "", catalog, keys)
        except RequestError as error:
            unknown.append(Caveat("model_unknown", pointer, error.message))
            return False
        return True

    left = dict(config)
    if "model" in left and not is_known("/model", left["model"]):
        del left["model"]
    listed = ((f"/models/{at}", entry) for at, entry in enumerate(as_array(left.pop("models", None))))
    known = [(pointer, entry) for pointer, entry in listed if is_known(pointer, entry)]
    if not unknown:
        return Known(config)
    if not known and "model" not in left:
        return Known(None, tuple(unknown))  # no other stands in for them, the default model neither
    left["models"] = raw([entry for _, entry in known])
    return Known(left, tuple(unknown), {f"/models/{at}": pointer for at, (pointer, _) in enumerate(known)})


def caveats(exchange: Exchange, planned: Plan, relay: Relay, places: Mapping[str, str]) -> tuple[Caveat, ...]:
    """What none of a model's endpoints would be told as it is asked. What only some are not told is none of these.

    `places` are those of `Known`.
    """
    told: dict[str, list[frozenset[str]]] = {}
    refused: dict[str, RequestError] = {}
    known: dict[Hashable, frozenset[str] | RequestError] = {}
    for candidate in each_endpoint(planned):
        alike = likeness(candidate.endpoint, candidate.dialect, allowance(exchange, candidate))
        if alike not in known:
            try:
                known[alike] = frozenset(exchange.untold(relay.told(exchange, candidate).unsaid))
            except RequestError as error:
                known[alike] = error
        match known[alike]:
            case frozenset() as unsaid:
                told.setdefault(candidate.model.id, []).append(unsaid)
            case RequestError() as error:
                refused[candidate.model.id] = error
    lost: dict[str, list[str]] = {}
    for model, unsaid in told.items():
        for pointer in _common(unsaid):
            lost.setdefault(pointer, []).append(model)
    found = [
        Caveat(
            _code(pointer),
            places.get(pointer, pointer),
            f"no endpoint of {_listed(models)} is told this as it is asked",
        )
        for pointer, models in sorted(lost.items(), key=_place)
    ]
    for model, error in refused.items():
        if model not in told:
            found.append(_refusal(model, error))
    ignored = (_ignored(pointer) for pointer in exchange.not_honoured)
    return (*found, *ignored)


def _common(unsaid: list[frozenset[str]]) -> Iterable[str]:
    """What all of them leave out, by itself or with the whole that it is a part of."""
    return (
        pointer
        for pointer in dict.fromkeys(one for pointers in unsaid for one in pointers)
        if all(any(whole in pointers for whole in _wholes(pointer)) for pointers in unsaid)
    )


def _wholes(pointer: str) -> Iterable[str]:
    """A pointer, and those that lead to what it is a part of."""
    while pointer:
        yield pointer
        pointer = pointer.rpartition("/")[0]


def _place(lost: tuple[str, list[str]]) -> list[tuple[bool, int, str]]:
    """By the steps of the pointer, those that are numbers as numbers."""
    steps = ((step, step.isdigit()) for step in lost[0].split("/"))
    return [(digits, len(step) if digits else 0, step) for step, digits in steps]


def _code(pointer: str) -> Code:
    """What a pointer leads to: a tool or a plugin, wherever it is asked for, or a parameter."""
    first = pointer.split("/", 2)[1]
    return "tool_unsupported" if first in _PLACES_OF_TOOLS else "parameter_unsupported"


def _refusal(model: str, error: RequestError) -> Caveat:
    """Why none of a model's endpoints can be asked at all."""
    message = f"no endpoint of {model} can be asked this: {error.message}"
    if isinstance(error, FieldError):
        return Caveat("parameter_unsupported", as_pointer(*error.path.split(".")), message)
    return Caveat("tool_unsupported", "/tool_choice", message)


def _ignored(pointer: str) -> Caveat:
    """A member of `provider` that routing does not follow; of very many the last entry says how many more."""
    if pointer.startswith("/"):
        return Caveat("parameter_unsupported", pointer, "is not followed")
    return Caveat("parameter_unsupported", "/provider", f"{pointer} are not followed")


def _listed(models: list[str]) -> str:
    rest = len(models) - _NAMED_MODELS
    return ", ".join(models[:_NAMED_MODELS]) + (f" and {rest} more" if rest > 0 else "")

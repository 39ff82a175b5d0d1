"""A version put under a request: the request wins, field by field; its tools join the version's; one system prompt.

Values of the request keep their bytes. Only `tools` and the beginning of the conversation are ever put together anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Raw, Struct

from setpoint.canonical.config import GROUPS
from setpoint.errors import FieldError
from setpoint.presets.reference import ModelName, parse_model
from setpoint.protocols.tools import union
from setpoint.wire.body import NULL, Body, is_object, items, join, members, raw, value

if TYPE_CHECKING:
    from setpoint.presets.capture import Captured
    from setpoint.protocols.base import PresetSkin
    from setpoint.records import Version


_LIMITS = ("max_tokens", "max_completion_tokens")


class Resolved(Struct, frozen=True):
    """A request with its preset in it, in the skin's own fields.

    `unsaid` are JSON pointers of the preset's values that the skin cannot say. `system_prompt_from` says whose system
    prompt counts when the preset has one, None when it has none.
    """

    body: Body
    unsaid: tuple[str, ...] = ()
    system_prompt_from: Literal["preset", "request", "both"] | None = None


def resolve(
    skin: PresetSkin,
    body: Body,
    version: Version | Captured | None,
    *,
    prepend_system: bool = False,
    default_model: str | None = None,
) -> Resolved:
    """What a checked request asks for once the version that it names, None for none, is put under it.

    `prepend_system` puts the preset's system prompt in front of the request's own, instead of giving way to it.

    Raises: `FieldError` when neither side names a model.
    """
    request = said(body)
    if version is None and "model" in request:
        return Resolved(request)
    own = skin.read_config(request)
    named = named_model(own)
    below = surviving(members(version.config) if version else {}, own)
    model = chosen_model(named, below, own) or (None if default_model is None else with_variants(default_model, named))
    if model is None:
        raise FieldError("", "No model specified")

    # A share of the output limit, as an effort is, is one of the limit that the request sets; its own fields win below.
    limits = {name: own[name] for name in _LIMITS if name in own}
    fields, unsaid = skin.write_config({**below, **limits})
    if "tools" in fields and "tools" in request:
        request = {**request, "tools": union(fields.pop("tools"), request["tools"])}
    effective = skin.settled({**fields, **_put_together(skin, fields, request), "model": model}, request)
    pointers = tuple(map(skin.pointer, unsaid))

    if version is None or version.system_prompt is None:
        return Resolved(effective, pointers)
    prompt = Raw(version.system_prompt)
    if not skin.has_system(request):
        return Resolved(skin.write_system(effective, prompt), pointers, "preset")
    if prepend_system:
        return Resolved(skin.write_system(effective, prompt), pointers, "both")
    return Resolved(effective, pointers, "request")


def _put_together(skin: PresetSkin, fields: Body, request: Body) -> Body:
    """The request with what a preset says inside those of its fields that hold several settings."""
    shared = {name for name in skin.COMPOSITE & fields.keys() & request.keys() if is_object(request[name])}
    if not shared:
        return request
    return {**request, **{name: _members_together(fields[name], request[name]) for name in shared}}


def _members_together(below: Raw, above: Raw) -> Raw:
    """Two objects as one: the members of the second win, but for nulls, which say nothing."""
    told = members(below)
    return Raw(
        join({**told, **{name: said for name, said in members(above).items() if said != NULL or name not in told}})
    )


def said(body: Body) -> Body:
    """What a request really says: without nulls, the `preset` field, and a service tier that its client put in."""
    tier = body.get("service_tier", NULL)
    automatic = tier != NULL and value(tier) == "auto"
    if not automatic and "preset" not in body and NULL not in body.values():
        return body
    left_out = {"preset", "service_tier"} if automatic else {"preset"}
    return {name: content for name, content in body.items() if content != NULL and name not in left_out}


def surviving(config: Body, own: Body) -> Body:
    """The fields of a version that a request's configuration does not displace; tools stay, to be united."""
    taken = {GROUPS.get(name, name) for name in own} - {"tools"}
    return {name: content for name, content in config.items() if GROUPS.get(name, name) not in taken}


def named_model(config: Body) -> ModelName:
    """The request's model string, taken apart; taken out of its configuration when it only names a preset."""
    if "model" not in config:
        return ModelName(None)
    named = parse_model(value(config["model"]))
    if named.base is None:
        del config["model"]
    elif named.preset is not None:
        config["model"] = raw(named.text)
    return named


def chosen_model(named: ModelName, below: Body, own: Body) -> Raw | None:
    """The model that answers first: the request's, the version's, or the first of a list. None: none is named."""
    if "model" in own:
        return own["model"]
    if "model" in below:
        return with_variants(below["model"], named)
    models = items(own.get("models") or below.get("models") or Raw(b"[]"))
    return with_variants(models[0], named) if models else None


def with_variants(model: str | Raw, named: ModelName) -> Raw:
    """The model with the variants that the request gave its preset, each once."""
    content = raw(model)
    if not named.variants:
        return content
    known = parse_model(value(content)).variants
    return raw(":".join((value(content), *(word for word in named.variants if word not in known))))

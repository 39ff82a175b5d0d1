"""Where each field of a request comes from, once its preset has been put under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Raw

from setpoint.presets.merge import named_model, said, surviving
from setpoint.protocols.tools import identity
from setpoint.wire.body import NULL, as_array, as_object, as_pointer, is_array, is_object, is_string, join, members, raw

if TYPE_CHECKING:
    from setpoint.presets.merge import Resolved
    from setpoint.protocols.base import PresetSkin
    from setpoint.records import Version
    from setpoint.wire.body import Body

Origin = Literal["request", "preset", "default"]
"""Who said it: the request, the version that it names, or its workspace and the server's settings."""


def origin(skin: PresetSkin, body: Body, version: Version | None, resolved: Resolved) -> dict[str, Origin]:
    """JSON pointers into a resolved request, each with where that comes from. `body` is the request as it came.

    There is one for every field. What stands inside a field has a pointer of its own where it comes from elsewhere: the
    tools of two lists, the members of two objects, a preset's prompt in front of a conversation.
    """
    request = said(body)
    found: dict[str, Origin] = {}
    for name, content in resolved.body.items():
        own, at = request.get(name), as_pointer(name)
        if name == "model":
            found[at] = _of_model(skin, request, version)
        elif own is None:
            found[at] = "preset"
        elif own == content:
            found[at] = "request"
        elif name == "tools":
            found |= _of_tools(own, content)
        elif name in skin.COMPOSITE and is_object(own):
            found |= _of_members(at, members(own), members(content))
        else:
            found |= _of_prompt(at, content, resolved)
    return found


def with_default_sort(body: Body, origins: dict[str, Origin], sort: str | None) -> tuple[Body, dict[str, Origin]]:
    """A resolved request, and where it comes from, with the order that it has though nobody asks for one.

    None: it has none.
    """
    if sort is None:
        return body, origins
    provider = as_object(body.get("provider"))
    said = provider.get("sort", NULL)
    by = raw({**as_object(said), "by": sort}) if is_object(said) else raw(sort)
    at = as_pointer("provider", "sort", "by") if is_object(said) else as_pointer("provider", "sort")
    return {**body, "provider": Raw(join({**provider, "sort": by}))}, {**origins, at: "default"}


def _of_model(skin: PresetSkin, request: Body, version: Version | None) -> Origin:
    own = skin.read_config(request)
    named_model(own)  # which takes it out when it names nothing but a preset
    below = surviving(members(version.config) if version else {}, own)
    for name in ("model", "models"):
        if name in own:
            return "request"
        if name in below:
            return "preset"
    return "default"


def _of_tools(own: Raw, content: Raw) -> dict[str, Origin]:
    """Of two lists that have become one. A tool of the request stands in for the preset's of the same identity."""
    told = set(map(identity, as_array(own)))
    return {
        as_pointer("tools", str(place)): "request" if identity(tool) in told else "preset"
        for place, tool in enumerate(as_array(content))
    }


def _of_members(at: str, own: Body, content: Body) -> dict[str, Origin]:
    """Of two objects that have become one. A null of the request says nothing where the preset says something."""
    return {
        at + as_pointer(name): "request" if name in own and (own[name] != NULL or told == NULL) else "preset"
        for name, told in content.items()
    }


def _of_prompt(at: str, content: Raw, resolved: Resolved) -> dict[str, Origin]:
    """Of a field in which the preset's system prompt may be: the first of its entries, or all that it says."""
    if resolved.system_prompt_from == "preset" and is_array(content):
        return {at: "request", f"{at}/0": "preset"}
    if resolved.system_prompt_from == "preset" and is_string(content):
        return {at: "preset"}
    return {at: "request"}  # which the preset's prompt stands in front of, or whose limit has grown by its budget

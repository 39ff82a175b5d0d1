"""A preset's version taken out of a working request of any skin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.presets.merge import chosen_model, named_model, said, surviving
from setpoint.protocols.tools import union
from setpoint.wire.body import join, members

if TYPE_CHECKING:
    from setpoint.protocols.base import CaptureSkin
    from setpoint.records import Version
    from setpoint.wire.body import Body


class Captured(Struct, frozen=True):
    """What a version is made of: `config` a raw JSON object in canonical names, `system_prompt` a raw JSON string."""

    config: bytes
    system_prompt: bytes | None


def capture(skin: CaptureSkin, body: Body, base: Version | None) -> Captured:
    """The configuration and the system prompt in a checked body.

    `base` is the version that the body itself names, None for none. It is put under the body as at inference and the
    outcome is stored whole, so that no version ever refers to another preset.
    """
    prompt = skin.read_system(body)
    own = skin.read_config(said(body) if base else body)
    named = named_model(own)
    below = surviving(members(base.config), own) if base else {}
    config: Body = {**below, **own}
    if named.base is None and named.variants and (model := chosen_model(named, below, own)):
        config["model"] = model
    if "tools" in config:
        config["tools"] = union(*(fields["tools"] for fields in (below, own) if "tools" in fields))
    if prompt is not None:
        return Captured(join(config), bytes(prompt))
    return Captured(join(config), base.system_prompt if base else None)

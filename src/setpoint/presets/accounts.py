"""What became of every field of a captured body. None goes in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import Raw, Struct

from setpoint.canonical.config import TRANSIENT
from setpoint.presets.merge import said
from setpoint.presets.reference import parse_model
from setpoint.wire.body import NULL, Body, as_object, as_pointer, as_text, join
from setpoint.wire.shown import readable

if TYPE_CHECKING:
    from setpoint.protocols.base import Room
    from setpoint.protocols.tools import Identity

Outcome = Literal["stored", "renamed", "system_prompt", "transient", "null_ignored", "unknown"]
"""stored: as it came. renamed: under the name of a field of the configuration. system_prompt: it was taken from here.

transient: it says something of one call. null_ignored: it counts as not sent. unknown: no field of this skin.
"""


class Account(Struct, frozen=True, omit_defaults=True):
    """What became of one field, or of a part of one: a JSON pointer into the body, and what it has become.

    `to` is the field of the configuration that a renamed one went into.
    """

    path: str
    outcome: Outcome
    to: str | None = None


def accounts(skin: Room, body: Body, tools: list[Identity], *, resolved: bool) -> Iterable[Account]:
    """The account of a checked body: every member of it once, and every tool, in the order of the body.

    `tools` tells apart those of the body; of equal ones the last is kept. `resolved`: the body names a version that is
    put under it. A field of several settings that go into fields of their own has an account of each beside its own.
    """
    told = said(body) if resolved else body
    prompt = _prompt_field(skin, body)
    for name, content in body.items():
        kept = _kept(skin, name, content) if name in told else []
        at = readable(as_pointer(name))
        if name in kept:
            yield Account(at, "stored")
        elif kept:
            yield Account(at, "renamed", kept[0])
        else:
            yield Account(at, "system_prompt" if name == prompt else _not_kept(skin, name, content))
        if name == "tools":
            last = {identity: place for place, identity in enumerate(tools)}
            for place, identity in enumerate(tools):
                yield Account(f"{at}/{place}", "stored" if last[identity] == place else "transient")
        elif name in skin.PARTS:
            yield from _parts(skin, name, content)
        elif "parallel_tool_calls" in kept and name != "parallel_tool_calls":
            yield Account(skin.pointer("parallel_tool_calls"), "renamed", "parallel_tool_calls")


def _kept(skin: Room, name: str, content: Raw) -> list[str]:
    """The fields of the configuration that a field goes into."""
    if name == "model" and parse_model(as_text(content) or " ").base is None:
        return []  # it names a preset, and no model
    return list(skin.read_config({name: content}))


def _not_kept(skin: Room, name: str, content: Raw) -> Outcome:
    if content == NULL:
        return "null_ignored"
    if name in TRANSIENT or name == "model":
        return "transient"
    return "null_ignored" if name in skin.FIELDS or name in skin.PARTS else "unknown"


def _parts(skin: Room, name: str, content: Raw) -> Iterator[Account]:
    """Of a field of several settings, each."""
    for part, setting in as_object(content).items():
        at = readable(as_pointer(name, part))
        word = next(iter(skin.read_config({name: Raw(join({part: setting}))})), None)
        if word is None:
            yield Account(at, "null_ignored" if setting == NULL else "unknown")
        else:
            yield Account(at, "stored") if word == name else Account(at, "renamed", word)


def _prompt_field(skin: Room, body: Body) -> str | None:
    """The field that the system prompt is taken from, None where there is none.

    Instructions go before the conversation where both have one.
    """
    if skin.read_system(body) is None:
        return None
    fields = ("system", "instructions", "messages", "input")
    return next((name for name in fields if name in body and skin.read_system({name: body[name]}) is not None), None)

"""What is another in one version than in another: the system prompt, and the configuration setting by setting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from setpoint.presets.plain import plain
from setpoint.protocols.tools import identity
from setpoint.wire.body import Body, MalformedError, as_array, as_pointer, is_array, is_object, members
from setpoint.wire.shown import readable

if TYPE_CHECKING:
    from setpoint.records import Version

_DEEPEST = 8
"""How many names stand in a path at most: of what lies deeper the whole is shown. A body may nest hundreds deep."""


class PromptChange(Struct, frozen=True):
    """Two system prompts as raw JSON strings; None: there is none."""

    before: Raw | None
    after: Raw | None


class Change(Struct, frozen=True):
    """One setting that is another. `path` is a JSON pointer into the configuration that has it, the later if both do.

    Tools are told apart as everywhere: their place in the list says nothing.
    """

    path: str
    op: Literal["add", "remove", "replace"]
    before: Raw | UnsetType = UNSET
    after: Raw | UnsetType = UNSET


class Diff(Struct, frozen=True, rename={"from_": "from"}):
    """What has changed between two versions, by their numbers. `system_prompt` is None when it is the same."""

    from_: int
    to: int
    system_prompt: PromptChange | None
    config: tuple[Change, ...]


def diff(before: Version, after: Version) -> Diff:
    """What one version says otherwise than another. How a value is written says nothing: only what it says counts."""
    old, new = (None if one.system_prompt is None else Raw(one.system_prompt) for one in (before, after))
    return Diff(
        from_=before.version,
        to=after.version,
        system_prompt=None if _same(old, new) else PromptChange(old, new),
        config=tuple(_of_members("", members(before.config), members(after.config), 1)),
    )


def _of_members(at: str, before: Body, after: Body, depth: int) -> Iterator[Change]:
    """What differs in two objects: what is gone first, then what is there, in the order of the later."""
    for name, content in before.items():
        if name not in after:
            yield Change(at + readable(as_pointer(name)), "remove", before=content)
    for name, content in after.items():
        here = at + readable(as_pointer(name))
        if name not in before:
            yield Change(here, "add", after=content)
        elif here == "/tools" and is_array(before[name]) and is_array(content):
            yield from _of_tools(before[name], content)
        else:
            yield from _of_values(here, before[name], content, depth)


def _of_values(at: str, before: Raw, after: Raw, depth: int) -> Iterator[Change]:
    if before == after:
        return
    if is_object(before) and is_object(after) and depth < _DEEPEST:
        yield from _of_members(at, members(before), members(after), depth + 1)
    elif not _same(before, after):
        yield Change(at, "replace", before=before, after=after)


def _of_tools(before: Raw, after: Raw) -> Iterator[Change]:
    """What differs in two lists of tools, each by its place in the later list; what is gone, in the earlier."""
    old = {identity(tool): (place, tool) for place, tool in enumerate(as_array(before))}
    new = {identity(tool): (place, tool) for place, tool in enumerate(as_array(after))}
    for told, (place, tool) in old.items():
        if told not in new:
            yield Change(f"/tools/{place}", "remove", before=tool)
    for told, (place, tool) in new.items():
        if told not in old:
            yield Change(f"/tools/{place}", "add", after=tool)
        else:
            yield from _of_values(f"/tools/{place}", old[told][1], tool, 2)


def _same(one: Raw | None, other: Raw | None) -> bool:
    """Whether two values say the same, however their numbers, texts and white space are written."""
    if one is None or other is None or one == other:
        return one == other
    try:
        return _written(one) == _written(other)
    except (MalformedError, RecursionError):  # deeper than can be followed: what is written in two ways is two
        return False


def _written(content: Raw) -> str:
    """A value in the one way in which it can be written so. Python itself takes 1 for true."""
    return json.dumps(plain(content), sort_keys=True)

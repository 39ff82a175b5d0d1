"""Which endpoints of a model are used when some can do more of what is asked than others: never none of them.

Beside that the pools of the service tiers, which only a request that means them gets into.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from setpoint.protocols.rules import takes
from setpoint.records import Dialect, Endpoint, Model
from setpoint.routing.keys import Keys
from setpoint.routing.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from setpoint.records import Exclusion
    from setpoint.routing.naming import Named
    from setpoint.routing.wanted import Need, Wanted

    LeaveOut = Callable[["Option", Exclusion], None]

_DEFAULT = frozenset({"default"})


class Option(Struct, frozen=True, gc=False):
    """An endpoint that may serve a request, with which keys; how it does; the most output it may be asked for.

    `max_output` is None where what the request says can stay.
    """

    model: Model
    endpoint: Endpoint
    dialect: Dialect
    keys: Keys
    standing: Standing | None = None
    max_output: int | None = None


def in_tier(options: list[Option], wanted: Wanted, named: Named, leave_out: LeaveOut) -> list[Option]:
    """Those of the service tiers that the request means.

    A tier is meant by the request's field, by a variant unless the caller orders the providers, or by the full tag.
    """
    if wanted.tier is None and all(option.endpoint.tier == "default" for option in options):
        return options
    tiers = _tiers(wanted, named)
    in_full = wanted.preferences.named
    kept, others = _parted(options, lambda one: one.endpoint.tier in tiers or one.endpoint.tag.lower() in in_full)
    if wanted.tier == "flex":
        flex, dear = _parted(kept, lambda one: one.endpoint.tier == "flex" or one.endpoint.tag.lower() in in_full)
        if any(one.endpoint.tier == "flex" for one in flex):
            kept, others = flex, [*others, *dear]
    for option in others:
        leave_out(option, "tier")
    return kept


def _tiers(wanted: Wanted, named: Named) -> frozenset[str]:
    ordered = bool(wanted.preferences.order)
    tiers = set(_DEFAULT)
    if wanted.tier == "priority" or ("nitro" in named.dynamic and not ordered):
        tiers.add("priority")
    if wanted.tier == "flex" or ("floor" in named.dynamic and not ordered):
        tiers.add("flex")
    if "batch" in named.static:
        tiers.add("batch")
    return frozenset(tiers)


def meeting(options: list[Option], needs: Iterable[Need], leave_out: LeaveOut) -> list[Option]:
    """Those that take what only some take; all where none does, or each."""
    for need in needs:
        takers, others = _parted(options, partial(_takes, need=need))
        if takers:
            for option in others:
                leave_out(option, "tools" if need == "tools" else "require_parameters")
            options = takers
    return options


def lack(model: Model, options: Iterable[Option], wanted: Wanted) -> Exclusion | None:
    """What a model cannot be told that only stands in for another one; None when it can be told all."""
    if model.modalities_said and not wanted.media <= frozenset(model.input_modalities):
        return "modality"
    return "tools" if wanted.needs and not meets(options, wanted.needs) else None


def meets(options: Iterable[Option], needs: Sequence[Need]) -> bool:
    """Whether one of them takes the tools and the form of answer that are asked for."""
    hard: list[Need] = [need for need in needs if need != "verbosity"]
    return any(all(_takes(option, need) for need in hard) for option in options)


def agree(options: Iterable[Option], need: Need) -> bool:
    """Whether all of them take it, or none does: then it is no reason to use some of them only."""
    return len({_takes(option, need) for option in options}) < 2


def _takes(option: Option, need: Need) -> bool:
    return takes(option.endpoint, option.dialect, need)


def giving(options: list[Option], max_output: int, leave_out: LeaveOut) -> list[Option]:
    """Those that can give so long an answer; where none can, those that can give the longest, which is their limit."""
    able, others = _parted(options, lambda one: (one.endpoint.max_output_tokens or max_output) >= max_output)
    if not able and others:
        longest = max(one.endpoint.max_output_tokens or 0 for one in others)
        able, others = _parted(others, lambda one: one.endpoint.max_output_tokens == longest)
        able = [structs.replace(one, max_output=longest) for one in able]
    for option in others:
        leave_out(option, "output_limit")
    return able


def with_room(groups: list[list[Option]], wanted: Wanted, leave_out: LeaveOut) -> list[list[Option]]:
    """Those of all models that have room for the prompt.

    The count of it is our own: where it fits nowhere, those with the most room stay, and have the last word.
    """
    if wanted.input_tokens is None:
        return groups
    if not any(_is_tight(one, wanted.most_input) for group in groups for one in group):
        return groups
    tokens = wanted.input_tokens()
    if not any(not _is_tight(one, tokens) for group in groups for one in group):
        tokens = max(one.endpoint.room or 0 for group in groups for one in group)
    kept: list[list[Option]] = []
    for group in groups:
        roomy, others = _parted(group, lambda one: not _is_tight(one, tokens))
        for option in others:
            leave_out(option, "context_length")
        kept.append(roomy)
    return kept


def _is_tight(option: Option, tokens: int) -> bool:
    room = option.endpoint.room
    return room is not None and room < tokens


def _parted(options: Iterable[Option], passes: Callable[[Option], bool]) -> tuple[list[Option], list[Option]]:
    """Those that pass, and the others."""
    kept: list[Option] = []
    others: list[Option] = []
    for option in options:
        (kept if passes(option) else others).append(option)
    return kept, others

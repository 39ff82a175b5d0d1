"""What the plan of a model usually is: of a request that wants nothing in particular, while all its endpoints do well.

It hangs on the model, the skin and the keys, and for each request on one draw. So it is made once, as every plan is,
and kept with the catalog.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar, get_args

from msgspec import Struct, structs

from setpoint.records import Endpoint, Excluded, Planned
from setpoint.routing.arrangement import drawn
from setpoint.routing.choice import agree
from setpoint.routing.draw import Lots
from setpoint.routing.placing import Candidate, Line, lined_up
from setpoint.routing.preferences import NO_PREFERENCES
from setpoint.routing.standing import NothingKnown
from setpoint.routing.wanted import Need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from setpoint.records import Dialect, Model
    from setpoint.routing.choice import Option
    from setpoint.routing.draw import Chance
    from setpoint.routing.keyring import KeyRing, Ring
    from setpoint.routing.standing import Standings
    from setpoint.routing.wanted import Wanted

_Row = TypeVar("_Row")


class Usual(Struct, frozen=True, kw_only=True):
    """The endpoints of a model by price, each with its only key: one is drawn, and goes in front of the others.

    `firsts` and `fallbacks` are what the plan says of each when it is drawn, and when it is not. `limited` are those
    that may have only so many requests at once. Up to `most_output` tokens of answer and `most_input` of prompt make no
    difference between them, nor does what is in `alike`: all of them take it, or none.
    """

    lots: Lots
    candidates: tuple[Candidate, ...]
    firsts: tuple[Planned, ...]
    fallbacks: tuple[Planned, ...]
    excluded: tuple[Excluded, ...]
    limited: tuple[Endpoint, ...]
    most_output: float
    most_input: float
    alike: frozenset[Need]

    def suits(self, wanted: Wanted) -> bool:
        """Whether what a request without preferences wants makes no difference to which of them may serve it."""
        return (
            wanted.tier is wanted.default_sort is None
            and (wanted.max_output is None or wanted.max_output <= self.most_output)
            and (wanted.input_tokens is None or wanted.most_input <= self.most_input)
            and self.alike.issuperset(wanted.needs)
        )

    def holds(self, standings: Standings) -> bool:
        """Whether each of the endpoints may be asked, and none has failed of late."""
        for candidate in self.candidates:
            endpoint, key = candidate.endpoint.key, candidate.key
            standing = standings.of(endpoint)
            if standing is not None and (standing.open or not standing.stable):
                return False
            if standings.held_back(endpoint, key.id if key is not None else None) is not None:
                return False
        return not any(map(standings.full, self.limited))

    def line(self, chance: Chance, sticky: str | None) -> Line:
        """The candidates in the order of trying, the endpoint of the conversation first, and what is said of them."""
        if sticky is not None:
            for at, one in enumerate(self.candidates):
                if one.endpoint.key == sticky:
                    return self._led_by(at, chance)
        at = chance.first(self.lots) if len(self.candidates) > 1 else 0
        return Line(
            (self.candidates[at], *_without(self.candidates, at)),
            (self.firsts[at], *_without(self.fallbacks, at)),
            self.excluded,
        )

    def _led_by(self, at: int, chance: Chance) -> Line:
        first, said = self.candidates[at], structs.replace(self.firsts[at], reason="sticky")
        if len(self.candidates) == 1:
            return Line((first,), (said,), self.excluded)
        others = structs.replace(
            self,
            lots=Lots(_without(self.lots.endpoints, at)),
            candidates=_without(self.candidates, at),
            firsts=_without(self.firsts, at),
            fallbacks=_without(self.fallbacks, at),
        ).line(chance, None)
        return Line((first, *others.candidates), (said, *others.planned), self.excluded)


def _without(rows: tuple[_Row, ...], at: int) -> tuple[_Row, ...]:
    return rows[:at] + rows[at + 1 :]


def usual_of(model: Model, options: list[Option], excluded: Iterable[Excluded]) -> Usual | None:
    """What usually becomes of these options of a model, and of what is left out beside them.

    None where more than one draw decides: several keys, several that are free, prices that are not known.
    """
    alone = len(options) == 1
    drawable = all(one.endpoint.weight if alone else one.endpoint.pull for one in options)
    if not options or not drawable or any(len(one.keys) != 1 for one in options):
        return None
    line = lined_up(drawn(options, None), NO_PREFERENCES, NothingKnown())
    endpoints = tuple(one.endpoint for one in line.candidates)
    lengths = (model.longest_base, *(one.room for one in endpoints))
    return Usual(
        lots=Lots(endpoints),
        candidates=line.candidates,
        firsts=tuple(structs.replace(one, reason="drawn") for one in line.planned),
        fallbacks=line.planned,
        excluded=tuple(excluded),
        limited=tuple(one for one in endpoints if one.limited),
        most_output=min(one.max_output_tokens or math.inf for one in endpoints),
        most_input=math.inf if alone else min((most for most in lengths if most is not None), default=math.inf),
        alike=frozenset(need for need in get_args(Need) if agree(options, need)),
    )


class Usuals:
    """The usual plans of one catalog's models: made when they are first asked for, and anew when keys have changed.

    Not more than `most` of them are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[tuple[str, Dialect, bool], tuple[Mapping[str, Ring], Usual | None]] = {}

    def of(self, model: Model, skin: Dialect, keys: KeyRing, make: Callable[[], Usual | None]) -> Usual | None:
        """That of a model in this skin; None where it has none, or callers carry keys of their own to it."""
        at = (model.id, skin, keys.caller is None)
        kept = self._kept.get(at)
        if kept is None or kept[0] is not keys.added:
            if len(self._kept) >= self._most:
                self._kept.clear()
            kept = self._kept[at] = (keys.added, make() if keys.are_shared(model) else None)
        return kept[1]

    def __len__(self) -> int:
        return len(self._kept)

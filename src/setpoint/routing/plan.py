"""Where a request may go, in order: its models, each with the endpoints that may serve it. A pure function.

Every endpoint of every model that was asked for is in the plan once: in `endpoints` with the reason for its place, or
in `excluded` with the reason why it cannot serve.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from setpoint.records import Dialect, Endpoint, Excluded, Planned, Sort
from setpoint.routing.arrangement import arranged
from setpoint.routing.choice import Option, giving, in_tier, lack, meeting, with_room
from setpoint.routing.draw import Chance
from setpoint.routing.filters import conditions, exclusion, unknown_slugs
from setpoint.routing.keys import for_model, retaining_nothing
from setpoint.routing.naming import Strategy, known
from setpoint.routing.placing import Candidate, left_out, lined_up
from setpoint.routing.preferences import NO_PREFERENCES
from setpoint.routing.rates import at_length
from setpoint.routing.refusals import nothing_left, out_of_bounds
from setpoint.routing.standing import NothingKnown
from setpoint.routing.usual import usual_of
from setpoint.routing.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from setpoint.records import Exclusion
    from setpoint.routing.arrangement import Placed
    from setpoint.routing.catalog import Catalog
    from setpoint.routing.keyring import KeyRing
    from setpoint.routing.naming import Named
    from setpoint.routing.standing import Standings
    from setpoint.routing.usual import Usual

    Refusal = Callable[[Endpoint, Dialect], Exclusion | None]


class Plan(Struct, frozen=True, kw_only=True):
    """The candidates in order; each endpoint with the reason for its place; those that were left out, with theirs.

    `strategy` is how the first model was found. `unsearched` are the models whose variant asks for a search, which
    nobody makes. `default_sort` is the order that endpoints are in though the request asks for none.
    """

    candidates: tuple[Candidate, ...]
    endpoints: tuple[Planned, ...]
    excluded: tuple[Excluded, ...]
    strategy: Strategy = "direct"
    unsearched: tuple[str, ...] = ()
    default_sort: Sort | None = None


def plan(
    wanted: Wanted,
    catalog: Catalog,
    keys: KeyRing,
    standings: Standings,
    dice: Callable[[], float],
    *,
    refusal: Refusal | None = None,
) -> Plan:
    """The plan for a request. `refusal` says why an endpoint cannot be told all of it, where that is required.

    Raises: `RequestError` for a model that does not exist, or when no endpoint of any model is left.
    """
    asked = [known(text, catalog, keys) for text in wanted.models]
    chance = Chance(dice, wanted.conversation)
    usual = _usual(asked, wanted, catalog, keys)
    if usual is not None and usual.suits(wanted) and usual.holds(standings):
        line = usual.line(chance, wanted.sticky)
        return Plan(
            candidates=line.candidates, endpoints=line.planned, excluded=line.excluded, strategy=asked[0].strategy
        )
    planning = _Planning(wanted, keys, standings, chance)
    priced = [_priced(one, wanted) for one in asked]
    groups = planning.chosen(priced, refusal if wanted.preferences.require_parameters else None)
    made = planning.done(planning.in_order(groups, priced), catalog)
    made = _as_offered(made, asked, priced)
    searches = [text for text, one in zip(wanted.models, asked, strict=True) if "online" in one.dynamic]
    if searches or asked[0].strategy != "direct":
        return structs.replace(made, strategy=asked[0].strategy, unsearched=tuple(searches))
    return made


def passing_over(planned: Plan, candidate: Candidate, reason: Exclusion) -> Plan:
    """The plan of a request that found on its way that an endpoint cannot serve it."""
    endpoint, model = candidate.endpoint, candidate.model.id
    out = Excluded(provider=endpoint.provider.slug, model=model, tag=endpoint.tag, reason=reason)
    for at, one in enumerate(planned.endpoints):
        if (one.provider, one.model, one.tag) == (out.provider, out.model, out.tag):
            kept = (*planned.endpoints[:at], *planned.endpoints[at + 1 :])
            return structs.replace(planned, endpoints=kept, excluded=(*planned.excluded, out))
    return planned


def dialect_of(endpoint: Endpoint, skin: Dialect) -> Dialect:
    """The dialect to speak with an endpoint: the skin's own where it has that, else its first."""
    return skin if skin in endpoint.dialects else endpoint.dialects[0]


def _usual(asked: list[Named], wanted: Wanted, catalog: Catalog, keys: KeyRing) -> Usual | None:
    """What the plan of the only model usually is; None where it has none, or the caller wants something of routing."""
    if len(asked) != 1 or asked[0].static or asked[0].dynamic or wanted.preferences is not NO_PREFERENCES:
        return None
    if wanted.priced and any(endpoint.per_token is None for endpoint in asked[0].model.endpoints):
        return None
    if keys.is_bounded and not all(keys.may_go(one.provider, asked[0].model) for one in asked[0].model.endpoints):
        return None

    def make() -> Usual | None:
        nothing = Wanted(models=wanted.models, skin=wanted.skin)
        planning = _Planning(nothing, keys, NothingKnown(), Chance(lambda: 0.0, None))
        [options] = planning.chosen(asked, None)
        return usual_of(asked[0].model, options, planning.excluded)

    return catalog.usuals.of(asked[0].model, wanted.skin, keys, make)


def _priced(asked: Named, wanted: Wanted) -> Named:
    """The model with the prices that this prompt has."""
    model = at_length(asked.model, wanted)
    return asked if model is asked.model else structs.replace(asked, model=model)


def _as_offered(made: Plan, asked: list[Named], priced: list[Named]) -> Plan:
    """The plan with the models as the catalog has them: what is charged goes by the length that the upstream counts."""
    if all(map(is_, asked, priced)):
        return made
    offered = {(one.model.id, own.key): (one.model, own) for one in asked for own in one.model.endpoints}
    places = (offered[tried.model.id, tried.endpoint.key] for tried in made.candidates)
    candidates = tuple(
        structs.replace(tried, model=model, endpoint=endpoint)
        for tried, (model, endpoint) in zip(made.candidates, places, strict=True)
    )
    return structs.replace(made, candidates=candidates)


class _Planning:
    """A plan on the way."""

    def __init__(self, wanted: Wanted, keys: KeyRing, standings: Standings, chance: Chance) -> None:
        self._wanted = wanted
        self._keys = keys
        self._standings = standings
        self._chance = chance
        unconditional = wanted.preferences is NO_PREFERENCES and not wanted.priced
        self._conditions = [] if unconditional else conditions(wanted.preferences, priced=wanted.priced)
        self._is_barred = keys.is_bounded  # by the caller's lists, from every endpoint that has been looked at
        if keys.is_bounded:
            self._conditions.insert(0, ("key_not_allowed", self._may_go))
        self._excluded: dict[tuple[str, str], Excluded] = {}
        self._default_sort: Sort | None = None  # once something is in that order

    # --- which ---

    def chosen(self, asked: list[Named], refusal: Refusal | None) -> list[list[Option]]:
        """The endpoints that may serve the request, by model, in the order of the file."""
        wanted, seen = self._wanted, set[tuple[str, str]]()
        groups: list[list[Option]] = []
        lacking: list[list[Option]] = []
        why: dict[str, Exclusion] = {}
        for at, one in enumerate(asked):
            options = in_tier(self._able(one, refusal, seen), wanted, one, self._leave_out)
            # What was asked for first may do without a tool; what only stands in for it should not.
            lacks = lack(one.model, options, wanted) if at and options else None
            if lacks is not None:
                why[one.model.id] = lacks
            lacking.append(options if lacks else [])
            groups.append([] if lacks else meeting(options, wanted.needs, self._leave_out))
            if len(asked) > 1:
                seen.update((one.model.id, option.endpoint.key) for option in lacking[-1] or groups[-1])
        if not any(groups):
            groups = lacking
        else:
            for option in (option for options in lacking for option in options):
                self._leave_out(option, why[option.model.id])
        groups = with_room(groups, wanted, self._leave_out)
        if wanted.max_output is not None:
            groups = [giving(options, wanted.max_output, self._leave_out) for options in groups]
        if self._excluded:
            for option in (option for options in groups for option in options):
                self._excluded.pop((option.model.id, option.endpoint.key), None)
        return groups

    def _able(self, asked: Named, refusal: Refusal | None, seen: set[tuple[str, str]]) -> list[Option]:
        """The endpoints that nothing rules out, but those that an earlier name of the same model has brought in."""
        model, skin, standings, rules = asked.model, self._wanted.skin, self._standings, self._conditions
        private = self._wanted.preferences.zdr
        found: list[Option] = []
        for endpoint in model.endpoints:
            if seen and (model.id, endpoint.key) in seen:
                continue
            dialect = dialect_of(endpoint, skin)
            keys = for_model(self._keys.of(endpoint.provider, model), endpoint.provider.keys, model, self._chance)
            option = Option(model, endpoint, dialect, keys, standings.of(endpoint.key))
            reason = exclusion(option, asked, rules)
            if reason is None and refusal is not None:
                reason = refusal(endpoint, dialect)
            if reason is None and keys:
                found.append(structs.replace(option, keys=retaining_nothing(keys, endpoint)) if private else option)
            else:
                self._leave_out(option, reason or "key_not_allowed")
        return found

    def _may_go(self, option: Option) -> bool:
        may = self._keys.may_go(option.endpoint.provider, option.model)
        self._is_barred = self._is_barred and not may
        return may

    @property
    def excluded(self) -> Iterable[Excluded]:
        """What is left out so far, with the reason."""
        return self._excluded.values()

    # --- in which order ---

    def in_order(self, groups: list[list[Option]], asked: list[Named]) -> list[Placed]:
        """The endpoints in the order of trying: model by model, or all together."""
        wanted = self._wanted
        if wanted.preferences.mixed:
            together = [option for options in groups for option in options]
            return arranged(together, wanted, self._sort(asked[0]), self._chance)
        placed: list[Placed] = []
        for options, one in zip(groups, asked, strict=True):
            if options:
                placed += arranged(options, wanted, self._sort(one), self._chance)
        return placed

    def _sort(self, one: Named) -> Sort | None:
        """The order that is asked for, in whatever way; else the one of those who ask for none."""
        wanted = self._wanted
        asked = wanted.preferences.sort or one.sort
        if asked is None and wanted.tier is None:
            self._default_sort = wanted.default_sort
            return wanted.default_sort
        return asked

    def done(self, placed: list[Placed], catalog: Catalog) -> Plan:
        """The plan of what is placed. Raises: `RequestError` when it is empty."""
        preferences = self._wanted.preferences
        line = lined_up(placed, preferences, self._standings)
        excluded = (*self._excluded.values(), *line.excluded)
        if preferences.named or preferences.ignore:
            tags = [one.tag for one in (*line.planned, *excluded) if one.tag is not None]
            there = filter(self._keys.knows, catalog.providers.values())
            excluded += tuple(unknown_slugs(preferences, there, tags))
        if not line.candidates:
            if self._is_barred and any(one.reason == "key_not_allowed" for one in excluded):
                raise out_of_bounds(self._wanted.models)
            raise nothing_left(self._wanted.models, excluded)
        return Plan(
            candidates=line.candidates,
            endpoints=line.planned,
            excluded=excluded,
            default_sort=self._default_sort,
        )

    def _leave_out(self, option: Option, reason: Exclusion) -> None:
        self._excluded[option.model.id, option.endpoint.key] = left_out(option, reason)

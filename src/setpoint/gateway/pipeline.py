"""What Setpoint does with an inference request, top to bottom."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, structs

from setpoint.errors import ProviderError, RequestError
from setpoint.gateway.admission import RETRY_AFTER_S, busy
from setpoint.gateway.explain import Explained, explained
from setpoint.gateway.limits import LimitReachedError
from setpoint.gateway.outlook import Outlook
from setpoint.gateway.rehearsal import Known, caveats, known_models, open_to_all, rehearsal
from setpoint.gateway.telling import Telling
from setpoint.presets.capture import Captured
from setpoint.presets.merge import Resolved, resolve
from setpoint.presets.origin import origin, with_default_sort
from setpoint.presets.reference import reference
from setpoint.routing.exhausted import behind, exhausted
from setpoint.routing.keyring import KeyRing
from setpoint.routing.plan import plan
from setpoint.routing.refusals import unknown_model
from setpoint.routing.route import Route
from setpoint.routing.sessions import session
from setpoint.routing.standing import NothingKnown
from setpoint.routing.wanted import read_models, read_wanted
from setpoint.wire.body import as_text, join, members, weight

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from setpoint.gateway.admission import Admission, Full, Place
    from setpoint.gateway.aside import Aside
    from setpoint.gateway.exchange import Exchange
    from setpoint.gateway.limits import Limits
    from setpoint.gateway.live import LiveStream
    from setpoint.gateway.relay import Relay
    from setpoint.gateway.versions import Versions
    from setpoint.presets.receipt import Caveat
    from setpoint.protocols.base import Room
    from setpoint.records import Endpoint, Key, Version, Workspace
    from setpoint.routing.budget import RetryBudget
    from setpoint.routing.health import Health
    from setpoint.routing.placing import Candidate
    from setpoint.routing.plan import Plan
    from setpoint.routing.sessions import Session, Sessions
    from setpoint.routing.standing import Standings
    from setpoint.snapshot import Snapshot, SnapshotHolder


_MODEL_BYTES = 2_048
"""What it costs to plan for one more model, in bytes of a body that would cost as much."""


class Policy(Struct, frozen=True, kw_only=True):
    """What the operator decides about merging."""

    system_prompt_merge: Literal["override", "prepend"] = "override"
    default_model: str | None = None


class Pipeline:
    """The hot path."""

    def __init__(
        self,
        snapshots: SnapshotHolder,
        versions: Versions,
        relay: Relay,
        policy: Policy,
        aside: Aside,
        dice: Callable[[], float],
        health: Health,
        budget: RetryBudget,
        sessions: Sessions,
        admission: Admission,
        limits: Limits,
    ) -> None:
        self._snapshots = snapshots
        self._versions = versions
        self._relay = relay
        self._policy = policy
        self._aside = aside
        self._dice = dice
        self._health = health
        self._budget = budget
        self._sessions = sessions
        self._standings = Outlook(health, admission)
        self._limits = limits

    async def answer(self, exchange: Exchange, place: Place) -> bytes | LiveStream:
        """Answer one checked inference request that has been let in: the whole story.

        Raises: `SetpointError`; nothing has gone to the client by then.
        """
        planned = await self._routed(exchange)
        return await self._try(exchange, self._way(planned), place)

    async def explain(self, exchange: Exchange) -> Explained:
        """What would become of a checked request. Nothing is sent, kept or counted.

        Raises: `SetpointError`, where `answer` would before anything is sent.
        """
        asked = exchange.body
        planned = await self._routed(exchange)

        def explanation() -> Explained:
            resolved = Resolved(exchange.body, system_prompt_from=exchange.system_prompt_from)
            origins = origin(exchange.skin, asked, exchange.version, resolved)
            effective, origins = with_default_sort(exchange.body, origins, planned.default_sort)
            return explained(exchange, planned, effective, origins, self._relay)

        return await self._aside.run(exchange.size * len(planned.endpoints), explanation)

    async def rehearse(self, skin: Room, key: Key, captured: Captured, now: datetime) -> tuple[Caveat, ...]:
        """What a captured configuration would meet with in use, whoever is well or not just now. Nothing is sent.

        The paths are pointers into a request of the skin that has nothing but this preset.
        """
        snapshot = self._snapshots.current
        home = snapshot.workspaces.get(key.workspace_id)
        exchange, keys = rehearsal(skin, key, now), KeyRing(snapshot.provider_keys, key)

        def route() -> tuple[Known, Plan | None]:
            known = known_models(open_to_all(members(captured.config)), snapshot.catalog, keys)
            if known.config is None:
                return known, None
            exchange.size = weight(known.config)
            try:
                exchange.apply(None, None, self._resolve(exchange, Captured(join(known.config), None), home))
                return known, self._plan(exchange, snapshot, NothingKnown(), home)
            except RequestError:  # no model is named, or none of its endpoints may serve: there is nobody to tell
                return known, None

        known, planned = await self._aside.run(len(captured.config), route)
        if planned is None:
            return known.unknown
        size = exchange.size * len(planned.endpoints)
        return known.unknown + await self._aside.run(
            size, lambda: caveats(exchange, planned, self._relay, known.places)
        )

    async def count_tokens(self, exchange: Exchange, place: Place) -> int:
        """The input tokens of a checked messages request that has been let in.

        By the count of the first provider that has one, else by our own estimate. Raises: `SetpointError`.
        """
        route = self._way(await self._routed(exchange))
        failure: ProviderError | None = None
        try:
            while candidate := route.next(failure):
                failure = None
                if candidate.dialect == "messages" and self._full(place, candidate) is None:
                    try:
                        return await self._relay.count_tokens(exchange, candidate)
                    except ProviderError as error:
                        failure = error
                        if not (error.permanent or error.type == "rate_limit_exceeded"):
                            route.leave()  # many who answer well do not count, and say so in whatever way
        finally:
            route.leave()
        return await self._aside.run(exchange.size, exchange.estimated_input)

    async def _routed(self, exchange: Exchange) -> Plan:
        """Where a request may go, with its preset applied. Nothing is claimed or counted yet."""
        snapshot = self._snapshots.current  # read once: this request sees one world
        exchange.requested_model = as_text(exchange.body.get("model"))
        named = reference(exchange.body)
        preset = version = None
        if named is not None:
            preset, version = await self._versions.find(named, exchange.key, snapshot)
        exchange.size = weight(exchange.body) + (len(version.config) if version is not None else 0)
        home = snapshot.workspaces.get(exchange.key.workspace_id)
        exchange.limited = self._limits.of(exchange.key, home)

        def route() -> Plan:
            exchange.apply(preset, version, self._resolve(exchange, version, home))
            return self._plan(exchange, snapshot, self._standings, home)

        many = _MODEL_BYTES * bytes(exchange.body.get("models", b"")).count(b",")  # who lists models by the thousand
        return await self._aside.run(exchange.size + many, route)

    def _resolve(self, exchange: Exchange, version: Version | Captured | None, home: Workspace | None) -> Resolved:
        said = home.default_text_model if home is not None else None
        return resolve(
            exchange.skin,
            exchange.body,
            version,
            prepend_system=self._policy.system_prompt_merge == "prepend",
            default_model=said or self._policy.default_model,
        )

    def _plan(self, exchange: Exchange, snapshot: Snapshot, standings: Standings, home: Workspace | None) -> Plan:
        config = exchange.skin.read_config(exchange.body)
        models = read_models(exchange.body, config, exchange.requested_model)
        exchange.models = tuple(models)
        for text in models:
            if exchange.redaction.finds(text):  # it would go upstream, and into the record
                raise unknown_model(exchange.redaction.text(text))
        wanted = read_wanted(
            exchange.skin.name,
            exchange.body,
            config,
            exchange.models,
            session=exchange.caller.session_id,
            size=exchange.size,
            input_tokens=exchange.estimated_input,
            default_sort=home.default_provider_sort if home is not None else None,
        )
        model = snapshot.catalog.named(exchange.models[0]) if exchange.models else None
        if model is not None and model.keeps_conversations:
            exchange.session = session(exchange.key.workspace_id, model.id, wanted.conversation, exchange.body)
            wanted = structs.replace(wanted, sticky=self._sessions.find(exchange.session))
        if exchange.limited is not None and exchange.limited.needs_price:
            wanted = structs.replace(wanted, priced=True)
        keys = KeyRing(snapshot.provider_keys, exchange.key)
        telling = Telling(exchange, self._relay)
        try:
            planned = plan(wanted, snapshot.catalog, keys, standings, self._dice, refusal=telling.refusal)
            planned = exchange.redaction.plan(planned)
        except RequestError as error:
            raise telling.refused or error from None
        exchange.not_honoured = wanted.preferences.not_honoured
        exchange.leave_out(tuple(models[text] for text in planned.unsearched))
        exchange.plan = planned
        return planned

    def _way(self, planned: Plan) -> Route:
        return Route(planned.candidates, self._health, self._budget)

    def _full(self, place: Place, candidate: Candidate) -> Full | None:
        """Why the candidate's endpoint may not have one more request; None when it may, and then it has this one."""
        alone = len(self._snapshots.current.catalog.offers) <= 1
        return place.go_to(candidate.endpoint, alone=alone)

    async def _try(self, exchange: Exchange, route: Route, place: Place) -> bytes | LiveStream:
        """Try the candidates in order, but those that are full. How far a failure reaches is its `retry`."""
        failure: ProviderError | None = None
        refused: RequestError | None = None
        passed_over = False
        try:
            while (candidate := route.next(failure)) and (trial := route.trial):
                failure = None
                if full := self._full(place, candidate):
                    passed_over = passed_over or full == "share"
                    exchange.pass_over(candidate, "concurrency")
                    route.pass_over(None if full == "share" else _at_its_limit(candidate))
                    continue
                if exchange.session is not None:
                    exchange.answered = partial(self._keep, exchange, exchange.session, candidate.endpoint)
                try:
                    return await self._relay.send(exchange, candidate, trial)
                except ProviderError as error:
                    if route.repeats(error):
                        exchange.take_back_attempt()
                    else:
                        exchange.fail_attempt(error)
                    failure = error
                except LimitReachedError as error:
                    raise behind(error, exchange.failures) from None
                except RequestError as error:  # this endpoint cannot be told what the request insists on
                    exchange.pass_over(candidate, "dialect")
                    refused = error
        finally:
            route.leave()
        if passed_over and not exchange.failures:
            raise busy("the providers of this model are busy")
        if refused is not None and not exchange.failures:
            raise refused
        raise exhausted(exchange.failures, exchange.models, passed=route.passed, cut_short=route.cut_short)

    def _keep(self, exchange: Exchange, session: Session, endpoint: Endpoint) -> None:
        """The endpoint has answered this conversation."""
        if not endpoint.caches:
            return
        usage = exchange.bill.usage if exchange.bill else None
        cached = usage is not None and (usage.cached_tokens > 0 or usage.cache_write_tokens > 0)
        self._sessions.succeeded(session, endpoint.key, cached=cached)


def _at_its_limit(candidate: Candidate) -> ProviderError:
    """Why an endpoint is passed over that has as many requests as the configuration lets it have."""
    name = candidate.endpoint.provider.name
    return ProviderError(
        "rate_limit_exceeded",
        f"{name} has as many requests as it may have at once",
        provider_code="concurrency",
        retry_after_s=RETRY_AFTER_S,
    )

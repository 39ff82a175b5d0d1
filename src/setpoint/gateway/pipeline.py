"""What Setpoint does with an inference request, top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from setpoint.errors import ProviderError, RequestError
from setpoint.presets.merge import resolve
from setpoint.presets.reference import reference
from setpoint.protocols.base import DIALECTS
from setpoint.routing.exhausted import exhausted
from setpoint.routing.plan import Route, plan
from setpoint.routing.preferences import read_preferences
from setpoint.wire.body import as_array, as_text

if TYPE_CHECKING:
    from setpoint.gateway.exchange import Exchange
    from setpoint.gateway.relay import LiveStream, Relay
    from setpoint.gateway.versions import Versions
    from setpoint.presets.merge import Resolved
    from setpoint.protocols.base import Skin
    from setpoint.records import Version
    from setpoint.snapshot import Snapshot, SnapshotHolder


class Policy(Struct, frozen=True, kw_only=True):
    """What the operator decides about merging."""

    system_prompt_merge: Literal["override", "prepend"] = "override"
    default_model: str | None = None


class Pipeline:
    """The hot path."""

    def __init__(self, snapshots: SnapshotHolder, versions: Versions, relay: Relay, policy: Policy) -> None:
        self._snapshots = snapshots
        self._versions = versions
        self._relay = relay
        self._policy = policy

    async def answer(self, exchange: Exchange, skin: Skin) -> bytes | LiveStream:
        """Answer one checked inference request: the whole story.

        Raises: `SetpointError`; nothing has gone to the client by then.
        """
        snapshot = self._snapshots.current  # read once: this request sees one world
        exchange.requested_model = as_text(exchange.body.get("model"))
        named = reference(exchange.body)
        preset = version = None
        if named is not None:
            preset, version = await self._versions.find(named, exchange.key.workspace_id, snapshot)
        exchange.apply(preset, version, self._resolve(skin, exchange, version))
        route = self._plan(exchange, snapshot)
        return await self._try(exchange, route)

    def _resolve(self, skin: Skin, exchange: Exchange, version: Version | None) -> Resolved:
        return resolve(
            skin,
            exchange.body,
            version,
            prepend_system=self._policy.system_prompt_merge == "prepend",
            default_model=self._policy.default_model,
        )

    def _plan(self, exchange: Exchange, snapshot: Snapshot) -> Route:
        models = _models(exchange)
        exchange.models = tuple(models)
        preferences = read_preferences(exchange.body)
        planned = plan(exchange.models, preferences, snapshot.catalog, DIALECTS)
        exchange.not_honoured = preferences.not_honoured + tuple(models[text] for text in planned.unfollowed)
        exchange.leave_out(tuple(models[text] for text in planned.unsearched))
        exchange.candidates = planned.candidates
        return Route(planned.candidates)

    async def _try(self, exchange: Exchange, route: Route) -> bytes | LiveStream:
        """Try the candidates in order. How far each failure reaches is its `retry`."""
        failure: ProviderError | None = None
        refused: RequestError | None = None
        while candidate := route.next(failure):
            try:
                return await self._relay.send(exchange, candidate)
            except ProviderError as error:
                if not route.repeats(error):
                    exchange.fail_attempt(error)
                failure = error
            except RequestError as error:  # this endpoint cannot be told what the request insists on
                refused, failure = error, None
        if refused is not None and not exchange.failures:
            raise refused
        raise exhausted(exchange.failures, exchange.models)


def _models(exchange: Exchange) -> dict[str, str]:
    """The models to try, the request's first, each once, and where the request says it: a JSON pointer."""
    listed = [as_text(entry) for entry in as_array(exchange.body.get("models"))]
    first = as_text(exchange.body.get("model"))
    models: dict[str, str] = {}
    if first and not (exchange.requested_model is None and first in listed[:1]):
        models[first] = "/model"
    for at, text in enumerate(listed):
        if text:
            models.setdefault(text, f"/models/{at}")
    return models

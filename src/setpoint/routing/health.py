"""The health of endpoints and keys, as this worker's own traffic shows it: the one place where failures are remembered.

A try is told of by its `Trial`, from the moment that it may go until it has ended, so that none is told of twice.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from setpoint.errors import ProviderError
from setpoint.routing.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from setpoint.records import Endpoint, ProviderKey
    from setpoint.routing.placing import Candidate
    from setpoint.routing.standing import Held, Standing
    from setpoint.routing.vitals import Shown

REFUSED_S = 300.0
"""How long a key that was refused is not sent again, in seconds."""

COOLING_S = 10
"""How long a candidate is left alone after a 429 that names no wait, in seconds."""

# An endpoint that nobody has asked for so long, in seconds, is forgotten.
_FORGOTTEN_S = 86_400.0
# So few tokens say nothing of how fast a model writes.
_FEW_TOKENS = 16
_LEAST_S = 0.001
_UNNAMED = "/*"
_HTTP_5XX = 500
_REQUEST_TIMEOUT = 408
_NOT_FOUND = 404

What = Literal["key_refused", "no_quota", "model_unknown", "breaker_open", "breaker_closed"]
"""What an operator must hear of. The first three do not mend themselves."""


class Notice(Struct, frozen=True, kw_only=True):
    """Something that an operator must hear of: whose, of which endpoint, and with which key where it is the key's."""

    what: What
    provider: str
    endpoint: str
    key_id: str | None = None


class Trial:
    """One try at a candidate, as health is told of it. It ends once; what comes second is ignored."""

    __slots__ = ("_answered_at", "_candidate", "_health", "_started", "vitals")

    def __init__(self, health: Health, candidate: Candidate, vitals: Vitals, now: float) -> None:
        self.vitals = vitals
        self._candidate = candidate
        self._health: Health | None = health
        self._started = now
        self._answered_at: float | None = None

    @property
    def answered(self) -> bool:
        """Whether its answer has begun."""
        return self._answered_at is not None

    def began(self) -> None:
        """The first token of a stream has come."""
        if self._health is not None:
            self._answered_at = self._health.clock()
            self.vitals.answered(self._answered_at - self._started, self._answered_at)
            self._health.began(self, self._candidate)

    def ended(self, tokens: int) -> None:
        """The answer is complete, and is so long."""
        if (health := self._end()) is None:
            return
        now = health.clock()
        if self._answered_at is None:
            health.began(self, self._candidate)
        if tokens >= _FEW_TOKENS:
            seconds = now - (self._started if self._answered_at is None else self._answered_at)
            self.vitals.wrote(tokens / max(seconds, _LEAST_S), now)
        self.vitals.counted(now, well=True)
        self.vitals.breaker.ended()

    def failed(self, error: ProviderError) -> None:
        """The try, or the answer after it had begun, ended so."""
        if (health := self._end()) is not None:
            health.failed(self, self._candidate, error)

    def left(self) -> None:
        """Nobody waits for it any more, or it was never sent."""
        if (health := self._end()) is not None:
            if self.answered:
                self.vitals.counted(health.clock(), well=True)
            self.vitals.breaker.left(self)
            self.vitals.changed()

    def _end(self) -> Health | None:
        health, self._health = self._health, None
        return health


class _Refusal(Struct, frozen=True):
    """How a provider refused a key, and until when it is not asked again with it."""

    message: str
    provider_code: str | None
    status: int | None
    until: float


class Health:
    """How endpoints and keys do. `clock` gives monotonic seconds, `dice` numbers from 0 to 1; `tell` is the operator.

    It is asked by plans, which change nothing, and by routes, whose every claim is a `Trial`.
    """

    def __init__(self, clock: Callable[[], float], dice: Callable[[], float], tell: Callable[[Notice], None]) -> None:
        self.clock = clock
        self._dice = dice
        self._tell = tell
        self._vitals: dict[str, Vitals] = {}
        self._cooling: dict[tuple[str, str | None], float] = {}
        self._refused: dict[str, _Refusal] = {}
        self._told: set[tuple[What, str]] = set()

    # --- what plans ask ------------------------------------------------------------------------------------------

    def of(self, endpoint: str) -> Standing | None:
        """How the endpoint of this key does; None when nothing is known but good."""
        vitals = self._vitals.get(endpoint)
        return vitals.standing(self.clock()) if vitals is not None else None

    def held_back(self, endpoint: str, key_id: str | None) -> Held | None:
        """Why this endpoint should not be asked with this provider key just now; None when it may be."""
        if self._refused and self._refusal(key_id or endpoint, self.clock()) is not None:
            return "refused"
        if self._cooling and (until := self._cooling.get((endpoint, key_id))) is not None:
            if self.clock() < until:
                return "cooling"
            self._cooling.pop((endpoint, key_id), None)
        return None

    # --- what routes ask -----------------------------------------------------------------------------------------

    def claim(self, candidate: Candidate) -> Trial | ProviderError:
        """Leave to try a candidate, or why it is not to be tried."""
        endpoint = candidate.endpoint
        now = self.clock()
        if self._refused and (refusal := self._refusal(_mark(endpoint, candidate.key), now)) is not None:
            return ProviderError(
                "provider_unavailable",
                refusal.message,
                permanent=True,
                provider_code=refusal.provider_code,
                upstream_status=refusal.status,
            )
        vitals = self._vitals.get(endpoint.key)
        if vitals is None:
            vitals = self._vitals[endpoint.key] = Vitals(endpoint.provider.slug, self._dice)
        vitals.used = now
        trial = Trial(self, candidate, vitals, now)
        breaker = vitals.breaker
        if not breaker.is_closed:
            if not breaker.lets(trial, now):
                return ProviderError(
                    "provider_overloaded",
                    f"{endpoint.provider.name} has failed repeatedly and is not asked for now",
                    provider_code="breaker_open",
                    retry_after_s=max(1, ceil(breaker.wait_s(now))),
                )
            vitals.changed()
        return trial

    # --- what trials tell ----------------------------------------------------------------------------------------

    def began(self, trial: Trial, candidate: Candidate) -> None:
        """A try has begun to answer."""
        if trial.vitals.breaker.began(trial):
            self._say("breaker_closed", candidate)
        trial.vitals.changed()
        if self._cooling:
            self._cooling.pop((candidate.endpoint.key, candidate.key.id if candidate.key else None), None)
        if self._told:
            mark = _mark(candidate.endpoint, candidate.key)
            self._told -= {("key_refused", mark), ("no_quota", mark), ("model_unknown", candidate.endpoint.key)}

    def failed(self, trial: Trial, candidate: Candidate, error: ProviderError) -> None:
        """A try, or the answer after it had begun, ended so."""
        endpoint, key = candidate.endpoint, candidate.key
        now, breaker = self.clock(), trial.vitals.breaker
        if is_outage(error):
            trial.vitals.counted(now, well=False)
            if breaker.failed(trial, now):
                self._say("breaker_open", candidate)
        elif error.permanent:
            mark = _mark(endpoint, key)
            status, code = error.upstream_status, error.provider_code
            self._refused[mark] = _Refusal(error.message, code, status, now + REFUSED_S)
            self._alert("no_quota" if code == "insufficient_quota" else "key_refused", mark, candidate)
        elif error.type == "rate_limit_exceeded":
            wait_s = COOLING_S if error.retry_after_s is None else error.retry_after_s
            self._cooling[endpoint.key, key.id if key else None] = now + wait_s
        elif error.upstream_status == _NOT_FOUND:
            if not endpoint.key.endswith(_UNNAMED):  # else the name is of the caller's making
                self._alert("model_unknown", endpoint.key, candidate)
        elif error.type != "provider_unavailable":  # only a provider that is there can say what is wrong with a request
            if breaker.began(trial):
                self._say("breaker_closed", candidate)
            breaker.ended()
        breaker.left(trial)
        trial.vitals.changed()

    # --- what operators ask --------------------------------------------------------------------------------------

    def forget(self, endpoints: Container[str]) -> None:
        """Give everything another chance: an operator has changed something. Endpoints that are not here are gone."""
        self._cooling.clear()
        self._refused.clear()
        self._told.clear()
        for key in [key for key in self._vitals if key not in endpoints]:
            del self._vitals[key]
        for vitals in self._vitals.values():
            vitals.mended(self._dice)

    def shown(self) -> Mapping[str, Shown]:
        """What can be shown of each endpoint that was asked within a day, by its key."""
        now = self.clock()
        for key in [key for key, vitals in self._vitals.items() if now - vitals.used > _FORGOTTEN_S]:
            del self._vitals[key]
        return {key: vitals.shown(now) for key, vitals in self._vitals.items()}

    def open_breakers(self) -> Mapping[str, int]:
        """How many of its endpoints are not asked, or by a probe only, for each provider that was asked."""
        counts: dict[str, int] = {}
        for vitals in self._vitals.values():
            counts[vitals.provider] = counts.get(vitals.provider, 0) + (not vitals.breaker.is_closed)
        return counts

    # --- inside --------------------------------------------------------------------------------------------------

    def _refusal(self, mark: str, now: float) -> _Refusal | None:
        refusal = self._refused.get(mark)
        if refusal is not None and now >= refusal.until:
            self._refused.pop(mark, None)
            return None
        return refusal

    def _alert(self, what: What, mark: str, candidate: Candidate) -> None:
        """Say what does not mend itself, once until it was seen to be mended."""
        if (what, mark) not in self._told:
            self._told.add((what, mark))
            self._say(what, candidate)

    def _say(self, what: What, candidate: Candidate) -> None:
        endpoint, key = candidate.endpoint, candidate.key
        key_id = key.id if key is not None and what in ("key_refused", "no_quota") else None
        self._tell(Notice(what=what, provider=endpoint.provider.slug, endpoint=endpoint.key, key_id=key_id))


def is_outage(error: ProviderError) -> bool:
    """Whether a failure is one of the transport, of time, of the provider's own, or an answer that is none."""
    status = error.upstream_status
    return not error.permanent and (status is None or status >= _HTTP_5XX or status == _REQUEST_TIMEOUT)


def _mark(endpoint: Endpoint, key: ProviderKey | None) -> str:
    """What is refused: a key wherever it is sent, or an endpoint that is asked without any."""
    return key.id if key is not None else endpoint.key

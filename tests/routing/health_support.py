"""What tests of health share: a clock and dice that do as they are told, candidates, and failures of every kind."""

from __future__ import annotations

from typing import Any

from setpoint.errors import ProviderError
from setpoint.protocols.failures import Reported, failure
from setpoint.records import ProviderKey
from setpoint.routing.health import Health, Notice, Trial
from setpoint.routing.placing import Candidate
from support import records

LONG = 1_000
"""Tokens of an answer that is long enough to tell how fast it came."""


class World:
    """Health with its clock in the hands of the test; `told` is what the operator has heard."""

    def __init__(self, dice: float = 0.5) -> None:
        self.now = 1_000.0
        self.dice = dice
        self.told: list[Notice] = []
        self.health = Health(lambda: self.now, lambda: self.dice, self.told.append)

    def begin(self, candidate: Candidate) -> Trial:
        """A try that may go."""
        trial = self.health.claim(candidate)
        assert isinstance(trial, Trial), trial
        return trial

    def refused(self, candidate: Candidate) -> ProviderError:
        """Why a candidate may not be tried."""
        error = self.health.claim(candidate)
        assert isinstance(error, ProviderError)
        return error

    def fail(self, candidate: Candidate, error: ProviderError, times: int = 1) -> None:
        """So many tries that fail so."""
        for _ in range(times):
            self.begin(candidate).failed(error)

    def succeed(self, candidate: Candidate) -> None:
        """One whole answer."""
        self.begin(candidate).ended(LONG)

    def stable(self, candidate: Candidate) -> bool:
        """Whether plans put the endpoint among the stable ones."""
        standing = self.health.of(candidate.endpoint.key)
        return standing is None or standing.stable

    def heard(self) -> list[str]:
        """What the operator has heard, in a word each."""
        return [notice.what for notice in self.told]


def candidate(slug: str = "acme", key: str | None = "k1", *, model: str = "m") -> Candidate:
    """An endpoint of this provider, with one of its keys."""
    endpoint = records.endpoint(slug, model, key=f"{slug}/{model}")
    credential = ProviderKey(id=f"{slug}:{key}", secret=key) if key is not None else None
    return Candidate(records.model(model, endpoint), endpoint, credential, "chat")


def failed(status: int, code: str | None = None, message: str = "no", **headers: str) -> ProviderError:
    """What an upstream's answer of this status becomes."""
    return failure(status, Reported(code, message), headers, provider="Acme")


def unreachable(**more: Any) -> ProviderError:
    """A failure of the transport."""
    return ProviderError("provider_unavailable", "reset", **more)

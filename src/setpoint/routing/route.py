"""One request's way through a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from setpoint.errors import ProviderError
from setpoint.routing.health import is_outage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from setpoint.routing.budget import RetryBudget
    from setpoint.routing.health import Trial
    from setpoint.routing.placing import Candidate
    from setpoint.routing.standing import Held

# After these statuses another credential of the same endpoint may do better.
_KEY_STATUSES = frozenset({401, 402, 403, 429})
# So many tries of one request are its own affair, whatever they end with; each further one comes out of the budget.
_MANY = 10


class Gate(Protocol):
    """Whoever knows which candidates may be tried."""

    def held_back(self, endpoint: str, key_id: str | None) -> Held | None:
        """Why this endpoint should not be asked with this provider key just now; None when it may be."""
        ...

    def claim(self, candidate: Candidate) -> Trial | ProviderError:
        """Leave to try a candidate, or why it is not to be tried."""
        ...


class Route:
    """One request's way through a plan: what comes next, given how the last try failed.

    `passed` is what was not tried, by provider's name, and why; `cut_short` says that the retry budget ended it. The
    one who walks it leaves it at the end with `leave`.
    """

    def __init__(self, candidates: Sequence[Candidate], gate: Gate, budget: RetryBudget) -> None:
        self.passed: list[tuple[str, ProviderError]] = []
        self.cut_short = False
        self.trial: Trial | None = None
        self._gate = gate
        self._budget = budget
        self._left = list(candidates)
        self._cooling: list[Candidate] = []
        self._current: Candidate | None = None
        self._begun = self._repeated = False
        self._tries = 0

    def next(self, failure: ProviderError | None) -> Candidate | None:
        """The next candidate, None when there is none that may be tried. `failure` is that of the last one."""
        current = self._current
        if not self._begun:
            self._begun = True
            self._budget.earn()
        if current is not None and failure is not None:
            if self.repeats(failure):
                self._repeated = True
                return current
            self._fail(current, failure)
        self.leave()
        self._current = self._next()
        self._tries += 1
        costly = failure is not None and (_is_costly(failure) or self._tries > _MANY)
        if self._current is not None and costly and not self._budget.spend():
            self.leave()
            self._current, self.cut_short = None, True
        self._repeated = False
        return self._current

    def repeats(self, failure: ProviderError) -> bool:
        """Whether this failure of the current candidate is no more than a reason to try it again."""
        return failure.retry == "same" and not self._repeated

    def pass_over(self, why: ProviderError | None) -> None:
        """The current candidate is not tried after all, nor its endpoint with another key; `why` is for the caller."""
        if (current := self._current) is not None:
            if why is not None:
                self.passed.append((current.endpoint.provider.name, why))
            self._keep(lambda other: other.endpoint is not current.endpoint)

    def leave(self) -> None:
        """Give up what is claimed, unless its answer has begun."""
        if self.trial is not None and not self.trial.answered:
            self.trial.left()
        self.trial = None

    def _fail(self, current: Candidate, failure: ProviderError) -> None:
        if self.trial is not None:
            self.trial.failed(failure)
        if failure.permanent and current.key is not None:  # a refused key is refused for every model
            self._keep(lambda other: other.key != current.key)
        match failure.retry:
            case "stop":
                self._keep(lambda _: False)
            case "next_model":
                self._keep(lambda other: _is_worth_it(other, current, failure))
            case _:
                if failure.upstream_status not in _KEY_STATUSES:
                    self._keep(lambda other: other.endpoint is not current.endpoint)

    def _next(self) -> Candidate | None:
        """The next that may be tried: those that cool down behind all others, and those that nobody may not at all."""
        while self._left:
            candidate = self._left.pop(0)
            if self._gate.held_back(candidate.endpoint.key, candidate.key.id if candidate.key else None) == "cooling":
                self._cooling.append(candidate)
            elif self._claims(candidate):
                return candidate
        while self._cooling:
            candidate = self._cooling.pop(0)
            if self._claims(candidate):
                return candidate
        return None

    def _claims(self, candidate: Candidate) -> bool:
        claimed = self._gate.claim(candidate)
        if not isinstance(claimed, ProviderError):
            self.trial = claimed
            return True
        self.passed.append((candidate.endpoint.provider.name, claimed))
        if claimed.permanent and candidate.key is not None:
            self._keep(lambda other: other.key != candidate.key)
        else:
            self._keep(lambda other: other.endpoint is not candidate.endpoint)
        return False

    def _keep(self, wanted: Callable[[Candidate], bool]) -> None:
        self._left = [other for other in self._left if wanted(other)]
        self._cooling = [other for other in self._cooling if wanted(other)]


def _is_costly(failure: ProviderError) -> bool:
    """Whether a further try behind this failure is one that a provider in trouble could do without."""
    return failure.type == "rate_limit_exceeded" or is_outage(failure)


def _is_worth_it(other: Candidate, failed: Candidate, failure: ProviderError) -> bool:
    """Whether a candidate may do better where another of its model would not: one with more room for a long prompt."""
    if other.model.id != failed.model.id:
        return True
    room, needed = other.endpoint.context_length, failed.endpoint.context_length
    return failure.type == "context_length_exceeded" and room is not None and needed is not None and room > needed

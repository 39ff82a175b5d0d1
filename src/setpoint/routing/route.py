"""One request's way through a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.errors import ProviderError
    from setpoint.routing.placing import Candidate

# After these statuses another credential of the same endpoint may do better.
_KEY_STATUSES = frozenset({401, 402, 403, 429})


class Route:
    """One request's way through a plan: what comes next, given how the last try failed."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._left = list(candidates)
        self._current: Candidate | None = None
        self._repeated = False

    def next(self, failure: ProviderError | None) -> Candidate | None:
        """The next candidate, None when there is none that may be tried. `failure` is that of the last one."""
        current = self._current
        if current is not None and failure is not None:
            if self.repeats(failure):
                self._repeated = True
                return current
            if failure.permanent and current.key is not None:  # a refused key is refused for every model
                self._left = [other for other in self._left if other.key != current.key]
            match failure.retry:
                case "stop":
                    self._left = []
                case "next_model":
                    self._left = [other for other in self._left if _is_worth_it(other, current, failure)]
                case _:
                    if failure.upstream_status not in _KEY_STATUSES:
                        self._left = [other for other in self._left if other.endpoint is not current.endpoint]
        self._current = self._left.pop(0) if self._left else None
        self._repeated = False
        return self._current

    def repeats(self, failure: ProviderError) -> bool:
        """Whether this failure of the current candidate is no more than a reason to try it again."""
        return failure.retry == "same" and not self._repeated


def _is_worth_it(other: Candidate, failed: Candidate, failure: ProviderError) -> bool:
    """Whether a candidate may do better where another of its model would not: one with more room for a long prompt."""
    if other.model.id != failed.model.id:
        return True
    room, needed = other.endpoint.context_length, failed.endpoint.context_length
    return failure.type == "context_length_exceeded" and room is not None and needed is not None and room > needed

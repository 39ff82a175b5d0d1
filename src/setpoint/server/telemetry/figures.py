"""What this process counts of its own work as it happens.

Labels hold what the configuration names, or words of a closed set; what callers made up is `other`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.metrics import OTHER

if TYPE_CHECKING:
    from setpoint.canonical.usage import Usage
    from setpoint.errors import ErrorType
    from setpoint.metrics import Registry
    from setpoint.records import Attempt, Dialect, Generation
    from setpoint.routing.health import Notice
    from setpoint.snapshot import SnapshotHolder

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_STREAM = {True: "true", False: "false", None: "unknown"}


class Figures:
    """What is counted as it happens: `ended` is called for each exchange that was sent to a provider, `refused` for
    each request that was not, `lag` each time that the loop's lateness is measured.
    """

    def __init__(self, registry: Registry, snapshots: SnapshotHolder) -> None:
        self._snapshots = snapshots
        self._requests = registry.counter(
            "setpoint_requests_total",
            "Inference requests that have ended, with the type of the error that they ended with.",
            ("skin", "stream", "status", "error_type"),
            limit=400,
        )
        self._management = registry.counter(
            "setpoint_management_requests_total", "All other requests that need a key.", ("status",)
        )
        self._durations = registry.histogram(
            "setpoint_request_duration_seconds",
            "From the start of an inference request to the end of its answer.",
            ("skin", "stream"),
            bounds=_SECONDS,
        )
        self._attempts = registry.counter(
            "setpoint_attempts_total",
            "Tries at providers, by what came of them: answered, or the type of the error.",
            ("provider", "outcome"),
            limit=400,
        )
        self._first_tokens = registry.histogram(
            "setpoint_time_to_first_token_seconds",
            "From the start of a streamed try to the first event with content, of those that answered.",
            ("provider",),
            bounds=_SECONDS,
            limit=100,
        )
        self._tokens = registry.counter(
            "setpoint_tokens_total",
            "Tokens used. Cached and cache_write are part of input, reasoning is part of output.",
            ("provider", "model", "kind"),
            limit=1500,
        )
        self._cost = registry.counter(
            "setpoint_cost_dollars_total",
            "US dollars that tries cost, of those whose cost is known.",
            ("provider", "model"),
            limit=500,
        )
        self._unknown_costs = registry.counter(
            "setpoint_unknown_costs_total",
            "Tries that cost something, or may have, and nobody knows what: no price, or no count by the provider.",
            ("provider", "model"),
            limit=500,
        )
        self._alerts = registry.counter(
            "setpoint_provider_alerts_total",
            "What a provider does not take until somebody mends it, each counted once until it does.",
            ("provider", "cause"),
            limit=400,
        )
        self._lag = registry.histogram(
            "setpoint_event_loop_lag_seconds",
            "How late the event loop was, asked twenty times a second.",
            bounds=_LAG_SECONDS,
        )

    def noticed(self, notice: Notice) -> None:
        """Something has happened that an operator must hear of."""
        if notice.what not in ("breaker_open", "breaker_closed"):
            self._alerts.add((notice.provider, notice.what))

    def lag(self, late_s: float) -> None:
        """The event loop was so late once."""
        self._lag.observe(late_s)

    def refused(self, skin: Dialect, stream: bool | None, error: ErrorType | None) -> None:
        """A request has ended without having been sent to a provider: by this error, or else because its client left.

        `stream` is None when its body was not read.
        """
        status = "cancelled" if error is None else "refused"
        self._requests.add((skin, _STREAM[stream], status, error or "none"))

    def managed(self, status: int) -> None:
        """A request that is none for inference was answered so."""
        self._management.add((str(status),))

    def ended(self, one: Generation) -> None:
        """An exchange has ended as this record."""
        stream = _STREAM[one.streamed]
        self._requests.add((one.skin, stream, one.status, one.error_type or "none"))
        if one.generation_ms is not None:
            self._durations.observe(one.generation_ms / 1000, (one.skin, stream))
        for attempt in one.attempts:
            self._attempts.add((attempt.provider, attempt.error or "answered"))
            if attempt.is_booked:
                self._booked(attempt)
        provider = one.provider or "none"
        first_ms = one.attempts[-1].latency_ms if one.streamed and one.latency_ms is not None and one.attempts else None
        if first_ms is not None:
            self._first_tokens.observe(first_ms / 1000, (provider,))

    def _booked(self, attempt: Attempt) -> None:
        # A model that nothing names, `<provider>/<whatever>`, has an id of the caller's making.
        model = attempt.model if attempt.model in self._snapshots.current.catalog.models else OTHER
        if attempt.usage is not None:
            self._used(attempt.usage, attempt.provider, model)
        if attempt.cost is None:
            self._unknown_costs.add((attempt.provider, model))
        else:
            self._cost.add((attempt.provider, model), float(attempt.cost))

    def _used(self, usage: Usage, provider: str, model: str) -> None:
        tokens = self._tokens
        tokens.add((provider, model, "input"), usage.input_tokens)
        tokens.add((provider, model, "output"), usage.output_tokens)
        if usage.cached_tokens:
            tokens.add((provider, model, "cached"), usage.cached_tokens)
        if usage.cache_write_tokens:
            tokens.add((provider, model, "cache_write"), usage.cache_write_tokens)
        if usage.reasoning_tokens:
            tokens.add((provider, model, "reasoning"), usage.reasoning_tokens)

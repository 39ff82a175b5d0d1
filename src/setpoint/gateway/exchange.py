"""One request's life: everything that is known of it so far, and the record that it ends as."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from setpoint.gateway.attempts import Attempts
from setpoint.gateway.meter import input_alone
from setpoint.gateway.redaction import Redaction
from setpoint.gateway.transcript import Said
from setpoint.providers.auth import AnthropicHeaders
from setpoint.records import Generation
from setpoint.routing.plan import passing_over
from setpoint.wire.body import as_object, as_text, is_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from msgspec import Raw

    from setpoint.errors import ProviderError, SetpointError
    from setpoint.gateway.contents import Gathered
    from setpoint.gateway.limits import Limited, Reserved
    from setpoint.presets.merge import Resolved
    from setpoint.protocols.answer import Bill, Outcome, Stamp
    from setpoint.protocols.base import Room
    from setpoint.records import Attempt, Exclusion, GenerationStatus, Key, Preset, Version
    from setpoint.routing.placing import Candidate
    from setpoint.routing.plan import Plan
    from setpoint.routing.sessions import Session
    from setpoint.wire.body import Body


_LABEL_BYTES = 64 << 10


class Caller(Struct, frozen=True, kw_only=True):
    """Who sends a request: the address (`client`), and what the headers say. None where that is not known.

    `anthropic` are the headers that only upstreams of the messages dialect are told. `credentials` are what it offered
    as its key: they are taken out of whatever else it says, and never kept.
    """

    referer: str | None
    app_title: str | None
    user_agent: str | None
    session_id: str | None
    client: str | None = None
    credentials: tuple[str, ...] = ()
    anthropic: AnthropicHeaders = AnthropicHeaders()
    wants_metadata: bool = False


class Exchange:
    """The state of one inference request. `finish` ends it, once, with exactly one record.

    `begin` is told of every try before it is sent: the record that there will be if this process does not see its end.
    """

    def __init__(
        self,
        id_: str,
        *,
        skin: Room,
        key: Key,
        body: Body,
        caller: Caller,
        created_at: datetime,
        begin: Callable[[Generation], None],
        record: Callable[[Generation], None],
    ) -> None:
        self.id = id_
        self.skin = skin
        self.key = key
        self.body = body
        self.caller = caller
        self.redaction = Redaction(caller.credentials)
        self.created_at = created_at
        self.created = int(created_at.timestamp())
        self.stream = bytes(body.get("stream", b"false")) == b"true"
        self.size = 0  # about how many bytes there are to work on
        self.abandoned = False  # the client has gone
        self.requested_model: str | None = None
        self.preset: Preset | None = None
        self.version: Version | None = None
        self.own_fields = frozenset(body)  # what the client itself sent
        self.system_prompt_from: Literal["preset", "request", "both"] | None = None
        self.unsaid: tuple[str, ...] = ()
        self.not_honoured: tuple[str, ...] = ()
        self.models: tuple[str, ...] = ()
        self.plan: Plan | None = None
        self.limited: Limited | None = None  # None: there is no limit to keep to
        self.session: Session | None = None  # where it matters which endpoint it goes to
        self.answered: Callable[[], None] | None = None  # to be told that the answer is complete
        self.candidate: Candidate | None = None
        self.outcome: Outcome | None = None
        self.bill: Bill | None = None
        self.spent: Bill | None = None  # what the try under way is known to have used, should it give no answer
        self.error: SetpointError | None = None  # that it ended with
        self.failures: list[tuple[str, ProviderError]] = []
        self.debug_bodies: list[tuple[Stamp, Raw]] = []
        self.images = 0  # of the request, where the endpoint under way has a price for each
        self.gathered: Gathered | None = None  # of the answer, where its content is kept
        self._estimated_input: int | None = None
        self._always_unsaid: tuple[str, ...] = ()
        self._attempts = Attempts()
        self._started = time.monotonic()
        self._first_event: float | None = None
        self._begin = begin
        self._record = record
        self._finished = self._failed = False

    def apply(self, preset: Preset | None, version: Version | None, resolved: Resolved) -> None:
        """Take over what the preset made of the request."""
        self.preset, self.version = preset, version
        self.body = resolved.body
        self.system_prompt_from = resolved.system_prompt_from
        self.unsaid = self._always_unsaid = resolved.unsaid

    def leave_out(self, pointers: tuple[str, ...]) -> None:
        """Name what no endpoint is told, whichever it is."""
        self.unsaid = self._always_unsaid = self._always_unsaid + pointers

    def pass_over(self, candidate: Candidate, reason: Exclusion) -> None:
        """An endpoint of the plan is not tried, for this reason."""
        if self.plan is not None:
            self.plan = passing_over(self.plan, candidate, reason)

    def untold(self, unsaid: tuple[str, ...]) -> tuple[str, ...]:
        """All that an endpoint is not told for which alone it would be this: each pointer once."""
        return tuple(dict.fromkeys(self._always_unsaid + unsaid))

    def begin_attempt(self, candidate: Candidate, unsaid: tuple[str, ...], reserved: Reserved | None = None) -> None:
        """A try at this endpoint starts; `unsaid` is what it is not told, `reserved` what is set aside for it."""
        self.candidate = candidate
        self.unsaid = self.untold(unsaid)
        self.outcome = self.spent = None
        if self.gathered is not None:
            self.gathered.restart()
        unseen = self._attempts.begin(candidate, self.now() if reserved is None else reserved.at, reserved)
        self._begin(self._generation("interrupted", None, (*self._attempts.ended, unseen)))

    def commit_attempt(self, status: int, outcome: Outcome) -> None:
        """The try has given its first meaningful event: this is the answer."""
        self.outcome = outcome
        self._first_event = time.monotonic()
        self._end_attempt(status, None)

    def take_back_attempt(self) -> None:
        """Nothing of the try has left: it is made once more, and sets aside anew."""
        self._attempts.take_back()

    def fail_attempt(self, error: ProviderError) -> None:
        """The try has failed before its answer began."""
        provider = self.candidate.endpoint.provider.name if self.candidate else ""
        self.failures.append((provider, error))
        self._end_attempt(error.upstream_status, error.type, free=error.free)

    def _end_attempt(self, status: int | None, error: str | None, *, free: bool = False) -> None:
        self._attempts.end(status, error, self.spent, self._input_alone, self.estimated_input, free=free)

    def _input_alone(self) -> Decimal | None:
        """What limits count of a try that nobody has counted."""
        return input_alone(self.candidate.endpoint, self.estimated_input(), self.images) if self.candidate else None

    def now(self) -> datetime:
        """The time, by the clock that the request came by.

        That of the machine may be set meanwhile; and a try does not come before its request.
        """
        return self.created_at + timedelta(seconds=time.monotonic() - self._started)

    def estimated_input(self) -> int:
        """Our own count of the request's input tokens."""
        if self._estimated_input is None:
            self._estimated_input = self.skin.estimated_input(self.body)
        return self._estimated_input

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The tries that have come to an end, or to an answer."""
        return tuple(self._attempts.ended)

    @property
    def elapsed_ms(self) -> int:
        """How long it has been going on, in milliseconds."""
        return _ms(time.monotonic() - self._started)

    @property
    def session_id(self) -> str | None:
        """The conversation that it belongs to, by the body's word before the header's."""
        return as_text(self.body.get("session_id")) or self.caller.session_id

    @property
    def failed(self) -> bool:
        """Whether it has ended, and not with an answer."""
        return self._failed

    @property
    def routed(self) -> bool:
        """Whether anything was ever sent upstream: only then is there a generation to remember."""
        return self.candidate is not None

    def finish(self, status: GenerationStatus, error: SetpointError | None = None) -> None:
        """End the exchange and hand its record over. What comes second is ignored: there is one terminal state."""
        if self._finished:
            return
        self._finished, self._failed = True, status == "failed"
        if status == "completed" and self.answered is not None:
            self.answered()
        self.error = error
        if not self.routed:
            return
        self._end_attempt(None, error.type if error else status)
        if self.outcome is not None:
            self._attempts.answered(self.bill, error.type if error else None)
        self._attempts.settle(self.estimated_input)
        self._record(self._generation(status, error, self.attempts))
        if self.gathered is not None:
            self.gathered.finish(self.size, self._said)

    def _said(self, pieces: tuple[bytes, ...], cut: bool) -> Said:
        """All that is kept of the content, with the answer as the client got it."""
        return Said(
            id=self.id,
            workspace_id=self.key.workspace_id,
            created_at=self.created_at,
            skin=self.skin,
            body=self.body,
            stream=self.stream,
            pieces=pieces,
            cut=cut,
            error=self.error,
            failures=tuple(self.failures),
            provider=self.candidate.endpoint.provider.name if self.candidate else None,
            redaction=self.redaction,
        )

    def _generation(
        self, status: GenerationStatus, error: SetpointError | None, attempts: tuple[Attempt, ...]
    ) -> Generation:
        candidate, outcome, bill = self.candidate, self.outcome, self.bill
        ended = time.monotonic() if status != "interrupted" else None
        first = self._first_event
        provider = candidate.endpoint.provider if candidate else None
        return Generation(
            id=self.id,
            created_at=self.created_at,
            skin=self.skin.name,
            status=status,
            workspace_id=self.key.workspace_id,
            key_digest=self.key.digest,
            requested_model=self._kept(self.requested_model),
            model=candidate.model.id if candidate else (self.models[0] if self.models else ""),
            provider=provider.slug if provider else None,
            provider_name=provider.name if provider else None,
            preset_id=self.preset.id if self.preset else None,
            preset_slug=self.preset.slug if self.preset else None,
            preset_version=self.version.version if self.version else None,
            version_id=self.version.id if self.version else None,
            system_prompt_from=self.system_prompt_from,
            streamed=self.stream,
            cancelled=status == "cancelled",
            finish_reason=outcome.finish_reason if outcome else None,
            native_finish_reason=self._kept(outcome.native_finish_reason) if outcome else None,
            error_type=error.type if error else None,
            upstream_id=self._kept(outcome.upstream_id) if outcome else None,
            usage=bill.usage if bill else None,
            cost=bill.cost if bill else None,
            provider_cost=outcome.provider_cost if outcome else None,
            latency_ms=_ms(first - self._started) if first is not None else None,
            generation_ms=_ms(ended - self._started) if ended is not None else None,
            unsaid=tuple(map(self.redaction.text, self.unsaid + self._unsaid_answer())),
            not_honoured=tuple(map(self.redaction.text, self.not_honoured)),
            attempts=attempts,
            session_id=self._kept(self.session_id),
            external_user=self._kept(self._external_user()),
            http_referer=self._kept(self.caller.referer),
            app_title=self._kept(self.caller.app_title),
            user_agent=self._kept(self.caller.user_agent),
            service_tier=self._kept(outcome.service_tier) if outcome else None,
            zero_completion=status in ("completed", "failed") and self._gave_nothing(attempts),
            endpoints=self.plan.endpoints if self.plan and ended else (),
            excluded=self.plan.excluded if self.plan and ended else (),
            user_id=self.key.creator_user_id,
            metadata=self._kept_object("metadata"),
            trace=self._kept_object("trace"),
            cost_drift=bill is not None and bill.drifts,
        )

    def _gave_nothing(self, attempts: tuple[Attempt, ...]) -> bool:
        """Whether what was used gave no token and no reason for it, or an answer that broke off with an error."""
        usage = attempts[-1].usage if attempts else None
        if self.outcome is None:
            return usage is not None and not usage.output_tokens
        if self.error is not None or self.outcome.finish_reason == "error":
            return True
        return self.outcome.finish_reason is None and usage is not None and not usage.output_tokens

    def _unsaid_answer(self) -> tuple[str, ...]:
        """What of the answer the skin had no word for. No JSON pointer begins so."""
        return tuple(f"answer:{name}" for name in self.outcome.unsaid) if self.outcome else ()

    def _external_user(self) -> str | None:
        """Whom of its own the caller asks for: `user`; messages have a place for that in their metadata, too."""
        user = as_text(self.body.get("user"))
        if user is None and self.skin.name == "messages" and (metadata := self.body.get("metadata")) is not None:
            user = as_text(as_object(metadata).get("user_id"))
        return user

    def _kept_object(self, name: str) -> bytes | None:
        """What the caller labels the request with, as a record may hold it; None when that is too long."""
        said = self.body.get(name)
        if said is None or not is_object(said) or len(said) > _LABEL_BYTES:
            return None
        return self.redaction.json(bytes(said))

    def _kept(self, text: str | None) -> str | None:
        """Text of the caller's or the provider's as a record may hold it."""
        return None if text is None else self.redaction.text(text)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

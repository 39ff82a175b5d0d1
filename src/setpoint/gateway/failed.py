"""What of an upstream's answer says that it is none: its status, its type, an error inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import ProviderError
from setpoint.protocols.failures import Reported, failure, read_error, reported_status, scrub
from setpoint.providers.auth import secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.routing.placing import Candidate
    from setpoint.snapshot import SnapshotHolder

# Far more than is shown: a key that is cut in two at its end would not be known for one.
_RAW_BYTES = 64_000


def is_type(sent: Mapping[str, str], expected: str) -> bool:
    """Whether an answer says that it has the expected content type, or does not say."""
    kind = sent.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("", expected)


class Failed:
    """Makes an upstream's answer the failure that it is, without any key of its provider in what is quoted."""

    def __init__(self, snapshots: SnapshotHolder) -> None:
        self._snapshots = snapshots

    def check_type(self, candidate: Candidate, sent: Mapping[str, str], expected: str, body: bytes) -> None:
        """Raises: `ProviderError` for an answer of another content type."""
        if is_type(sent, expected):
            return
        if reported := read_error(body):
            raise self.reported(candidate, reported, sent, body)
        raise ProviderError("provider_unavailable", "the provider's answer has the wrong content type")

    def check_status(self, candidate: Candidate, status: int, sent: Mapping[str, str], body: bytes) -> None:
        """Raises: `ProviderError` for any status but 200."""
        if status != 200:
            raise self._failure(candidate, status, read_error(body) or Reported(), sent, body)

    def reported(self, candidate: Candidate, reported: Reported, sent: Mapping[str, str], body: bytes) -> ProviderError:
        """The failure that a 200 reports inside itself."""
        return self._failure(candidate, reported_status(reported), reported, sent, body)

    def scrub(self, candidate: Candidate, text: str) -> str:
        """The text as anyone may be shown it who is not the candidate's provider."""
        return scrub(text, self._secrets(candidate))

    def _failure(
        self, candidate: Candidate, status: int, reported: Reported, sent: Mapping[str, str], body: bytes
    ) -> ProviderError:
        return failure(
            status,
            reported,
            sent,
            provider=candidate.endpoint.provider.name,
            secrets=self._secrets(candidate),
            raw=body[:_RAW_BYTES].decode(errors="replace"),
        )

    def _secrets(self, candidate: Candidate) -> list[str]:
        provider = candidate.endpoint.provider
        # Of the newest snapshot, not the request's own: a key that was added since may be quoted, too.
        ring = self._snapshots.current.provider_keys.get(provider.slug)
        return secrets(provider, candidate.key, ring.secrets() if ring is not None else ())

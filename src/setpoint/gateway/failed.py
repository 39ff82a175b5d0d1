"""What of an upstream's answer says that it is none: its status, its type, an error inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import ProviderError
from setpoint.protocols.failures import Reported, failure, read_error, reported_status
from setpoint.providers.auth import secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.routing.placing import Candidate
    from setpoint.snapshot import SnapshotHolder

_RAW_BYTES = 4_000


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

    def _failure(
        self, candidate: Candidate, status: int, reported: Reported, sent: Mapping[str, str], body: bytes
    ) -> ProviderError:
        provider = candidate.endpoint.provider
        # Of the newest snapshot, not the request's own: a key that was added since may be quoted, too.
        ring = self._snapshots.current.provider_keys.get(provider.slug)
        return failure(
            status,
            reported,
            sent,
            provider=provider.name,
            secrets=secrets(provider, candidate.key, ring.secrets() if ring is not None else ()),
            raw=body[:_RAW_BYTES].decode(errors="replace"),
        )

"""What of an upstream's answer says that it is none: its status, its type, an error inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import ProviderError
from setpoint.protocols.failures import Reported, failure, read_error, reported_status
from setpoint.providers.auth import secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.routing.plan import Candidate

_RAW_BYTES = 4_000


def is_type(sent: Mapping[str, str], expected: str) -> bool:
    """Whether an answer says that it has the expected content type, or does not say."""
    kind = sent.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("", expected)


def check_type(candidate: Candidate, sent: Mapping[str, str], expected: str, body: bytes) -> None:
    """Raises: `ProviderError` for an answer of another content type."""
    if is_type(sent, expected):
        return
    if reported := read_error(body):
        raise reported_failure(candidate, reported, sent, body)
    raise ProviderError("provider_unavailable", "the provider's answer has the wrong content type")


def check_status(candidate: Candidate, status: int, sent: Mapping[str, str], body: bytes) -> None:
    """Raises: `ProviderError` for any status but 200."""
    if status != 200:
        raise _failure(candidate, status, read_error(body) or Reported(), sent, body)


def reported_failure(candidate: Candidate, reported: Reported, sent: Mapping[str, str], body: bytes) -> ProviderError:
    """The failure that a 200 reports inside itself."""
    return _failure(candidate, reported_status(reported), reported, sent, body)


def _failure(
    candidate: Candidate, status: int, reported: Reported, sent: Mapping[str, str], body: bytes
) -> ProviderError:
    provider = candidate.endpoint.provider
    return failure(
        status,
        reported,
        sent,
        provider=provider.name,
        secrets=secrets(provider),
        raw=body[:_RAW_BYTES].decode(errors="replace"),
    )

"""Who a caller is, and whether it may do what it asks: keys, then roles. Deny by default."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from setpoint.errors import RequestError
from setpoint.ids import key_digest

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.records import Key, Workspace
    from setpoint.server.request import Request
    from setpoint.server.router import Access
    from setpoint.snapshot import Snapshot

ROLES: dict[Access, frozenset[str]] = {
    "any": frozenset({"admin", "editor", "caller", "read_only"}),
    "inference": frozenset({"admin", "editor", "caller"}),
    "explain": frozenset({"admin", "editor", "caller"}),
    "capture": frozenset({"admin", "editor", "caller"}),
    "editor": frozenset({"admin", "editor"}),
    "admin": frozenset({"admin"}),
    "admin_read": frozenset({"admin", "read_only"}),
}


def authenticate(request: Request, snapshot: Snapshot, now: datetime) -> Key:
    """The caller's key. `Authorization: Bearer` comes before `x-api-key`; one valid key is enough.

    Raises: `RequestError` (authentication).
    """
    offered = credentials(request)
    if not offered:
        raise RequestError("authentication", "Missing Authentication header")
    for offer in offered:
        key = _lookup(offer, snapshot)
        if key is not None and not key.disabled and not (key.expires_at is not None and key.expires_at <= now):
            return key
    raise RequestError("authentication", "Invalid credentials")


def credentials(request: Request) -> tuple[str, ...]:
    """What the caller offers as its key: the bearer first, then the API key header."""
    return tuple(_written(offer) for offer in (_bearer(request), request.header(b"x-api-key")) if offer)


def authorize(key: Key, access: Access) -> None:
    """Whether the key's role may do this. Raises: `RequestError` (permission_denied) naming the role."""
    if key.role not in ROLES.get(access, frozenset()):
        if access in ("admin", "admin_read"):
            raise RequestError("permission_denied", "Only management keys can perform this operation")
        raise RequestError("permission_denied", f"A key of role {key.role} may not do this")
    if access == "inference" and not key.inference:
        raise RequestError("permission_denied", "This key manages only: it may not call models")


def manages(key: Key, workspace_id: str, snapshot: Snapshot) -> bool:
    """Whether what belongs to this workspace is the key's to see: its own, and any for an admin of the default one."""
    return workspace_id == key.workspace_id or manages_all(key, snapshot)


def manages_all(key: Key, snapshot: Snapshot) -> bool:
    """Whether what belongs to any workspace is the key's to manage: it is an admin of the default one."""
    own = snapshot.workspaces.get(key.workspace_id)
    return key.role == "admin" and own is not None and own.is_default


def workspace(key: Key, asked: str | None, snapshot: Snapshot) -> str:
    """The id of the workspace that a management call is about: the one that is asked for, else the key's own.

    Raises: `RequestError` (not_found), the same for one that is not there and one that is not the key's to manage.
    """
    wanted = key.workspace_id if asked is None else asked
    if wanted not in snapshot.workspaces or not manages(key, wanted, snapshot):
        raise missing()
    return wanted


def reach(key: Key, asked: str | None, snapshot: Snapshot) -> str | None:
    """The same for a call that may be about all workspaces: None, when none is asked for and the key manages all.

    Raises: as `workspace`.
    """
    return None if asked is None and manages_all(key, snapshot) else workspace(key, asked, snapshot)


def managed(found: Workspace | None, key: Key, snapshot: Snapshot) -> Workspace:
    """The workspace that was found.

    Raises: `RequestError` (not_found), the same where there is none and where it is not the key's to see.
    """
    if found is None or not manages(key, found.id, snapshot):
        raise missing()
    return found


def missing() -> RequestError:
    """The refusal of what is not there, and in the same words of what is not the caller's to see."""
    return RequestError("not_found", "Resource not found")


def _bearer(request: Request) -> str | None:
    header = request.header(b"authorization")
    if header is None:
        return None
    scheme, _, credential = header.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


def _written(offer: str) -> str:
    """The text of a header that may hold a key with any letters: as UTF-8, in which most write it, else as it is."""
    if offer.isascii():
        return offer
    try:
        return offer.encode("latin-1").decode()
    except UnicodeDecodeError:
        return offer


def _lookup(offer: str, snapshot: Snapshot) -> Key | None:
    """The key of this text: found by its digest, then compared in constant time."""
    digest = key_digest(offer)
    key = snapshot.keys.get(digest)
    return key if key is not None and hmac.compare_digest(key.digest, digest) else None

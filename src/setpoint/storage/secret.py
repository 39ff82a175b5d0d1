"""The server's own secret: what seals credentials and hashes end users' ids. Made once, readable by its owner only."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from setpoint.errors import GatewayError

_FILE = "secret.key"
_BYTES = 32


def secret_key(data_dir: Path, configured: str | None) -> bytes:
    """The configured secret, else the one in the data folder, which is made where it is missing.

    Raises: `GatewayError` (unavailable) when the folder cannot be used.
    """
    if configured is not None:
        return configured.encode()
    path = data_dir / _FILE
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        secret = bytes.fromhex(path.read_text().strip())
        if len(secret) < _BYTES:
            raise ValueError("too short")
    except (OSError, ValueError) as error:
        raise GatewayError("unavailable", f"the secret key in {path} cannot be read or made") from error
    return secret


def _make(path: Path) -> None:
    """A new secret in this file: whole or not at all, and of two that start at once only the first one's."""
    handle, name = tempfile.mkstemp(dir=path.parent)  # for its owner only
    try:
        with os.fdopen(handle, "w") as file:
            file.write(os.urandom(_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def derived(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, from which neither the secret nor any other purpose's key can be found."""
    return hashlib.blake2b(purpose.encode(), key=hashlib.sha256(secret).digest(), digest_size=32).digest()

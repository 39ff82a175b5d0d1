"""The server's own secret: what seals credentials and hashes end users' ids. Made once, readable by its owner only."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from setpoint.errors import GatewayError

if TYPE_CHECKING:
    from pathlib import Path

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
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            secret = bytes.fromhex(path.read_text().strip())
            if len(secret) < _BYTES:  # its making was cut short: anyone could guess the rest
                raise ValueError("too short") from None
            return secret
        with os.fdopen(handle, "w") as file:
            secret = os.urandom(_BYTES)
            file.write(secret.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except (OSError, ValueError) as error:
        raise GatewayError("unavailable", f"the secret key in {path} cannot be read or made") from error
    return secret


def derived(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, from which neither the secret nor any other purpose's key can be found."""
    return hashlib.blake2b(purpose.encode(), key=hashlib.sha256(secret).digest(), digest_size=32).digest()

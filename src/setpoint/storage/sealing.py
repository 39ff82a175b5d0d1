"""Credentials at rest: sealed under the server's secret key, each for the one row that it is stored in.

What is sealed is `v1.<mark of the secret>.<base64 of nonce and ciphertext>`: AES-256-GCM under a key that is derived
from the secret, with the row's name as associated data, so that no row opens what belongs to another.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING

from setpoint.storage.secret import derived

if TYPE_CHECKING:
    from random import Random

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "v1"
_NONCE_BYTES = 12
_MARK_BYTES = 4


class SealError(Exception):
    """What is sealed cannot be opened here: another secret sealed it, or it is another row's, or spoilt."""


class Sealer:
    """Seals and opens under one secret. The dice must be the system's own: no two nonces may be the same."""

    def __init__(self, secret: bytes, dice: Random) -> None:
        self._key = derived(secret, "provider keys")
        self._mark = derived(secret, "mark of the secret key")[:_MARK_BYTES].hex()
        self._dice = dice
        self._cipher: AESGCM | None = None

    def seal(self, plain: str, row: str) -> str:
        """The text, sealed for this row."""
        nonce = self._dice.randbytes(_NONCE_BYTES)
        sealed = nonce + self._made().encrypt(nonce, plain.encode(), row.encode())
        return f"{_VERSION}.{self._mark}.{urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, row: str) -> str:
        """The text that was sealed for this row. Raises: `SealError`."""
        version, _, rest = sealed.partition(".")
        mark, _, content = rest.partition(".")
        if (version, mark) != (_VERSION, self._mark):
            raise SealError("it was sealed under another secret key")
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 as below

        try:
            both = urlsafe_b64decode(content)
            return self._made().decrypt(both[:_NONCE_BYTES], both[_NONCE_BYTES:], row.encode()).decode()
        except (InvalidTag, Base64Error, ValueError):
            raise SealError("it is spoilt, or another row's") from None

    def _made(self) -> AESGCM:
        if self._cipher is None:
            # Imported here because it would cost every start 20 ms and 8 MB, and most have nothing sealed.
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

            self._cipher = AESGCM(self._key)
        return self._cipher

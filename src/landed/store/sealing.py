"""Secrets at rest: encrypted with AES-256-GCM, and looked up by a keyed hash. Both keys come from the secret key."""

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from landed.domain.errors import SettingInvalid

#: The first byte of what is sealed tells how, so that another way can be added. Then come 12 bytes of nonce.
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12


class Sealer:
    def __init__(self, secret_key: str) -> None:
        self._cipher = AESGCM(_derived(secret_key, b"landed sealing"))
        self._digest_key = _derived(secret_key, b"landed digest")

    def seal(self, text: str) -> bytes:
        """Encrypted; the same text gives other bytes each time."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), _VERSION)

    def open(self, sealed: bytes) -> str:
        """What was sealed.

        Raises:
            SettingInvalid: it was sealed with another secret key, or was tampered with.
        """
        nonce, encrypted = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, encrypted, sealed[:1]).decode()
        except (InvalidTag, ValueError) as error:
            raise SettingInvalid(
                "LANDED_SECRET_KEY does not fit this database, whose secrets were encrypted with another one."
                " Set it to that one, or bring back the file secret-key of the data directory."
            ) from error

    def digest(self, text: str) -> bytes:
        """A keyed hash, the same for the same text: finds what is sealed without opening it. 32 bytes."""
        return hmac.digest(self._digest_key, text.encode(), "sha256")


def _derived(secret_key: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret_key.encode())

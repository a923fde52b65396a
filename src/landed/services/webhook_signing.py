"""Signing what is sent to webhooks, in the way of Standard Webhooks (standardwebhooks.com, specification 1.0.0).

HMAC-SHA256 over `id.timestamp.body` with the key that follows `whsec_` in base64; receivers verify it with the
libraries that are there for that, and drop what is older than five minutes or what they had before, by its id.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from landed.domain.errors import InputInvalid

PREFIX: Final = "whsec_"
_KEY_BYTES: Final = 32
#: What the specification asks of a key.
_KEY_BYTES_LEAST: Final = 24
_KEY_BYTES_MOST: Final = 64


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The key that a secret stands for.

    Raises:
        InputInvalid: it is none; the secret is not repeated.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _KEY_BYTES_LEAST <= len(key) <= _KEY_BYTES_MOST:
        raise InputInvalid(
            f"A secret is {PREFIX} and {_KEY_BYTES_LEAST} to {_KEY_BYTES_MOST} random bytes in base64; leave it out"
            " to have one made.",
            field="secret",
        )
    return key


def headers(secret: str, message_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """The three headers of the specification."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.digest(key_of(secret), b".".join((message_id.encode(), timestamp.encode(), body)), "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }

"""Every error raised on purpose, under LandedError:

├─ SettingInvalid         a LANDED_… variable cannot be used; names it and the way out
├─ InputInvalid           the caller's fault; names the field
├─ NotFound               no such thing, or none this key may see
├─ NotAllowed             the key is missing, unknown, or its scope is too small
├─ CallbackRejected       a callback that is not kept
│  ├─ SignatureInvalid       not proven to come from the provider
│  ├─ CallbackMalformed      not a form, JSON or query we can read
│  └─ CallbackTooLarge       over the body limit
├─ CallbackNotUnderstood  kept, but no fact could be read from it: set aside with the reason
├─ Overloaded             the limit of waiting callbacks is reached      retryable
└─ StoreUnavailable       nothing was written                            retryable
   └─ SchemaBehind           the database needs `landed db upgrade`
"""

from typing import ClassVar


class LandedError(Exception):
    """Base class. `code` is part of the API: once released it never changes."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False


class SettingInvalid(LandedError):
    code = "setting_invalid"


class InputInvalid(LandedError):
    """What the caller gave cannot be used. `field` is its name as the caller wrote it."""

    code = "input_invalid"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotFound(LandedError):
    code = "not_found"


class NotAllowed(LandedError):
    """`known` tells a key we do not know (401) from a known one whose scope is too small (403)."""

    code = "not_allowed"

    def __init__(self, message: str, *, known: bool = False) -> None:
        super().__init__(message)
        self.known = known


class CallbackRejected(LandedError):
    """Refused at the door: not in the journal, but counted and kept a while for diagnosis."""

    code = "callback_rejected"


class SignatureInvalid(CallbackRejected):
    """`reason` is one of a few words, fit for a metric label: `signature_missing`, `signature_mismatch`, …"""

    code = "signature_invalid"

    def __init__(self, message: str, *, reason: str = "signature_mismatch") -> None:
        super().__init__(message)
        self.reason = reason


class CallbackMalformed(CallbackRejected):
    code = "callback_malformed"


class CallbackTooLarge(CallbackRejected):
    code = "callback_too_large"


class CallbackNotUnderstood(LandedError):
    code = "callback_not_understood"


class Overloaded(LandedError):
    code = "overloaded"
    retryable = True


class StoreUnavailable(LandedError):
    code = "store_unavailable"
    retryable = True


class SchemaBehind(StoreUnavailable):
    code = "schema_behind"
    retryable = False

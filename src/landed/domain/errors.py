"""Every error raised on purpose, under LandedError:

├─ SettingInvalid         a LANDED_… variable cannot be used; names it and the way out
├─ InputInvalid           the caller's fault; names the field
├─ RequestTooLarge        the body of an API request is over the limit
├─ NotFound               no such thing, or none this key may see
├─ Conflict               it cannot be done as things stand now
│  ├─ IdempotencyInProgress  the first request with this key has not ended
│  ├─ SessionEnded           a verify session that takes no code any more
│  └─ NotCancellable         it is being sent, or was
├─ IdempotencyKeyReused   the key was used for another request
├─ RecipientsRefused      nothing is sent to any of the recipients; says why for each
├─ NotAllowed             the key is missing, unknown, or its scope is too small
├─ CallbackRejected       a callback that is not kept
│  ├─ SignatureInvalid       not proven to come from the provider
│  ├─ CallerNotAllowed       from an address, or with credentials, that the account does not take
│  ├─ CallbackMalformed      not a form, JSON or query we can read
│  └─ CallbackTooLarge       over the body limit
├─ CallbackNotUnderstood  kept, but no fact could be read from it: set aside with the reason
├─ AddressesUnresolved    whether the caller is allowed cannot be told yet   retryable
├─ SendFailed             a provider did not do what we asked
│  ├─ ProviderUnreachable    nothing went out                          retryable
│  ├─ ProviderThrottled      told to slow down                         retryable
│  ├─ ProviderFailed         a fault of the provider's, nothing done   retryable
│  ├─ RequestRefused         a final no, with the provider's code
│  └─ OutcomeUnknown         it went out, no readable answer: a retry may do it twice
├─ VerifyLimitReached     a limit against abuse: nobody is verified now     retryable
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


class RequestTooLarge(LandedError):
    code = "request_too_large"


class NotFound(LandedError):
    code = "not_found"


class Conflict(LandedError):
    """It cannot be done as things stand now."""

    code = "conflict"


class IdempotencyInProgress(Conflict):
    code = "idempotency_in_progress"


class NotCancellable(Conflict):
    code = "not_cancellable"


class SessionEnded(Conflict):
    """`session_status` is where the session stands."""

    code = "session_ended"

    def __init__(self, message: str, *, session_status: str) -> None:
        super().__init__(message)
        self.session_status = session_status


class IdempotencyKeyReused(LandedError):
    code = "idempotency_key_reused"


class RecipientsRefused(LandedError):
    """`reasons` has a sentence for each recipient, in their order, as far as there is room for them."""

    code = "recipients_refused"

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons


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


class CallerNotAllowed(CallbackRejected):
    """`reason` is a word as that of SignatureInvalid: `address_not_allowed`, `basic_missing` or `basic_mismatch`."""

    code = "caller_not_allowed"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CallbackMalformed(CallbackRejected):
    code = "callback_malformed"


class CallbackTooLarge(CallbackRejected):
    code = "callback_too_large"


class CallbackNotUnderstood(LandedError):
    code = "callback_not_understood"


class AddressesUnresolved(LandedError):
    code = "addresses_unresolved"
    retryable = True


class SendFailed(LandedError):
    """A provider did not do what we asked. Never names a secret, a text or a whole phone number.

    Attributes:
        provider_code: the provider's own code of the error, where it told one.
        http_status: of the provider's answer, where there was one.
        our_id: what we call the thing that was asked for, where its outcome may still be heard.
    """

    code = "send_failed"
    our_id: str | None = None

    def __init__(self, message: str, *, provider_code: str | None = None, http_status: int | None = None) -> None:
        super().__init__(message)
        self.provider_code = provider_code
        self.http_status = http_status


class ProviderUnreachable(SendFailed):
    code = "provider_unreachable"
    retryable = True


class ProviderThrottled(SendFailed):
    """`retry_after_s` is how long the provider wants us to wait, where it said so."""

    code = "provider_throttled"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None, http_status: int | None = None) -> None:
        super().__init__(message, http_status=http_status)
        self.retry_after_s = retry_after_s


class ProviderFailed(SendFailed):
    code = "provider_failed"
    retryable = True


class RequestRefused(SendFailed):
    code = "request_refused"


class OutcomeUnknown(SendFailed):
    code = "outcome_unknown"


class VerifyLimitReached(LandedError):
    """`limit` says which: what it is for, and what it allows. `retry_after_s`: from then on it may be free again."""

    code = "verify_limit"
    retryable = True

    def __init__(self, message: str, *, limit: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after_s = retry_after_s


class Overloaded(LandedError):
    code = "overloaded"
    retryable = True


class StoreUnavailable(LandedError):
    code = "store_unavailable"
    retryable = True


class SchemaBehind(StoreUnavailable):
    code = "schema_behind"
    retryable = False

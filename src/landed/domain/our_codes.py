"""Codes of our own: why a message was not sent, where no provider said so. They are looked up before a provider's."""

from typing import Final

from landed.domain.meanings import Fault, Meaning

OPTED_OUT: Final = "opted_out"
CANCELLED: Final = "cancelled"
EXPIRED_BEFORE_SENDING: Final = "expired_before_sending"
GIVEN_UP: Final = "given_up"
REFUSED: Final = "refused_by_provider"

#: Code -> what it means and what to do.
MEANINGS: Final[dict[str, Meaning]] = {
    OPTED_OUT: Meaning(
        title="Recipient opted out",
        advice="Do not send again from this number: the person said STOP; `landed opt-outs check` tells when and how.",
        fault=Fault.OPT_OUT,
        retryable=False,
    ),
    CANCELLED: Meaning(
        title="Cancelled before it was sent",
        advice="Nothing to do: somebody of yours cancelled it, and nothing was sent.",
        fault=Fault.POLICY,
        retryable=True,
    ),
    EXPIRED_BEFORE_SENDING: Meaning(
        title="Expired before it could be sent",
        advice="Send again if it still matters, with a longer expiry; see whether the rate is too low, or the provider"
        " was away.",
        fault=Fault.EXPIRED,
        retryable=True,
    ),
    GIVEN_UP: Meaning(
        title="Provider could not be reached for too long",
        advice="Send again when the provider can be reached; the detail of the receipt tells what went wrong last.",
        fault=Fault.PLATFORM,
        retryable=True,
    ),
    REFUSED: Meaning(
        title="Refused by the provider",
        advice="Change what its detail names, and send again: the provider did not take it, and told no code.",
        fault=Fault.UNKNOWN,
        retryable=None,
    ),
}


def explain(code: str) -> Meaning | None:
    """What a code of ours means; None for any other text."""
    return MEANINGS.get(code)

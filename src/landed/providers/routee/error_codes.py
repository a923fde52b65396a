"""Why Routee's messages are lost: reasons in words, and the codes of its API, explained.

Reasons are the `detailedStatus` of a callback, and two statuses that are reasons themselves; they follow the page
"Messaging Statuses". Codes have nine digits, as the API's error bodies carry them. Both read 2026-11; what is missing
here stays as it came and is explained as unknown. Neither changes a status.
"""

from typing import Final

from landed.domain.meanings import Fault, Meaning

_REASONS: Final[dict[str, Meaning]] = {
    "Undelivered on Handset": Meaning(
        title="Recipient is out of reach",
        advice="Try again later: the phone is switched off or out of coverage.",
        fault=Fault.RECIPIENT,
        retryable=True,
    ),
    "Unknown Number": Meaning(
        title="Number does not exist",
        advice="Take the number off your list.",
        fault=Fault.RECIPIENT,
        retryable=False,
    ),
    "Roaming": Meaning(
        title="Recipient is roaming",
        advice="Try again later: the phone is in a network abroad where it cannot get texts.",
        fault=Fault.RECIPIENT,
        retryable=True,
    ),
    "Call Barred": Meaning(
        title="Recipient is barred",
        advice="Reach the person another way: the subscription may not receive, perhaps for now.",
        fault=Fault.RECIPIENT,
        retryable=None,
    ),
    "Carrier Violation": Meaning(
        title="Held back by the carrier's filter",
        advice="Reword the text, drop shortened links, and see whether the sender is registered in that country.",
        fault=Fault.FILTERED,
        retryable=False,
    ),
    "Expired": Meaning(
        title="Expired before it was delivered",
        advice="Send it anew, if it still matters: the handset was not reached within the validity period.",
        fault=Fault.EXPIRED,
        retryable=True,
    ),
    "DND Error Code": Meaning(
        title="Do Not Disturb is active",
        advice="Do not send promotions to this number: it is on India's Do Not Disturb list.",
        fault=Fault.POLICY,
        retryable=False,
    ),
    "Unsent": Meaning(
        title="Not enough credit for the campaign",
        advice="Top up the account, then send it again.",
        fault=Fault.ACCOUNT,
        retryable=True,
    ),
    "Network Error": Meaning(
        title="Network error",
        advice="Send it again in a few minutes, and ask Routee's support if it stays so.",
        fault=Fault.CARRIER,
        retryable=True,
    ),
    "Unknown Status": Meaning(
        title="No reason given",
        advice="Try once more; the carrier gave no reason.",
        fault=Fault.UNKNOWN,
        retryable=None,
    ),
}

_CODES: Final[dict[str, Meaning]] = {
    "400001009": Meaning(
        title="Not enough credit",
        advice="Top up the account, then send it again.",
        fault=Fault.ACCOUNT,
        retryable=True,
    ),
    "400005000": Meaning(
        title="Invalid message",
        advice="Check text, sender and recipient: Routee cannot make a message of them.",
        fault=Fault.CONTENT,
        retryable=False,
    ),
    "400009002": Meaning(
        title="Campaign is not scheduled any more",
        advice="Leave it as it is: only a campaign that has not begun can be changed.",
        fault=Fault.POLICY,
        retryable=False,
    ),
    "400009004": Meaning(
        title="No recipients",
        advice="Give numbers, groups or contacts, and see that the groups are not empty.",
        fault=Fault.RECIPIENT,
        retryable=False,
    ),
    "400011001": Meaning(
        title="Invalid template of a verification",
        advice="Put `@@pin` into the template, and give all of its arguments.",
        fault=Fault.CONTENT,
        retryable=False,
    ),
    "400011002": Meaning(
        title="Verification is not pending any more",
        advice="Start a new verification: this one has ended.",
        fault=Fault.POLICY,
        retryable=False,
    ),
    "400011003": Meaning(
        title="Verification has expired",
        advice="Start a new verification: the code was typed too late.",
        fault=Fault.EXPIRED,
        retryable=False,
    ),
    "400011004": Meaning(
        title="Too many wrong answers",
        advice="Start a new verification, after a while: this one takes no more answers.",
        fault=Fault.POLICY,
        retryable=False,
    ),
    "400011005": Meaning(
        title="Wrong answer",
        advice="Let the person type the code again.",
        fault=Fault.RECIPIENT,
        retryable=True,
    ),
    "404001001": Meaning(
        title="Account not found",
        advice="Check the application's id and secret, and that the account is open.",
        fault=Fault.ACCOUNT,
        retryable=False,
    ),
    "404002001": Meaning(
        title="Contact unknown",
        advice="Check the contact's id: this account has no such contact.",
        fault=Fault.RECIPIENT,
        retryable=False,
    ),
    "404005000": Meaning(
        title="Message unknown",
        advice="Check the tracking id, and that the message was sent with this application.",
        fault=Fault.UNKNOWN,
        retryable=False,
    ),
    "404009001": Meaning(
        title="Campaign unknown",
        advice="Check the tracking id, and that the campaign was made with this application.",
        fault=Fault.UNKNOWN,
        retryable=False,
    ),
    "404010002": Meaning(
        title="Application not found",
        advice="Check the application's id in Routee's console.",
        fault=Fault.ACCOUNT,
        retryable=False,
    ),
    "404011006": Meaning(
        title="Verification unknown",
        advice="Check the tracking id, and that the verification was started with this application.",
        fault=Fault.UNKNOWN,
        retryable=False,
    ),
    "409009003": Meaning(
        title="Campaign's name is taken",
        advice="Choose another name for the campaign.",
        fault=Fault.POLICY,
        retryable=False,
    ),
}

MEANINGS: Final[dict[str, Meaning]] = _REASONS | _CODES

#: Case varies between Routee's pages, and one copy of its table prints the unit into the word.
_SPELLING: Final = {reason.casefold(): reason for reason in _REASONS} | {"expiredttl": "Expired"}


def explain(code: str) -> Meaning:
    """What a reason or code means. Any text is taken; one that is not in the table is explained as such."""
    return MEANINGS.get(normalise(code)) or Meaning(
        title=f"Routee error {code}" if code.isdecimal() else f"Routee: {code}",
        advice="Look it up in Routee's documentation or ask its support: it is not in our table.",
        fault=Fault.UNKNOWN,
        retryable=None,
    )


def normalise(reason: str) -> str:
    """The reason as our table spells it; others stay as they are."""
    return _SPELLING.get(reason.casefold(), reason)

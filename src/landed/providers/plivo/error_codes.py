"""Plivo's message error codes, explained.

The union of Plivo's public lists, read 2026-11. Its current page has more codes than could be seen in full, so a code
that is missing here stays as it came and is explained as unknown. `failed` is not charged and `undelivered` is,
whatever the code; a code never changes a status.
"""

from typing import Final

from landed.domain.meanings import Fault, Meaning
from landed.providers.plivo import hangup_causes

#: Plivo sends these, or nothing, where there is no error.
NO_ERROR: Final = frozenset({"", "0", "000"})

MEANINGS: Final[dict[str, Meaning]] = {
    "10": Meaning(
        title="Invalid message",
        advice="Check the text: the carrier refuses blank, over-long and malformed ones.",
        fault=Fault.CONTENT,
        retryable=False,
    ),
    "20": Meaning(
        title="Network error",
        advice="Send it again in a few minutes: the carrier's network has a passing fault.",
        fault=Fault.CARRIER,
        retryable=True,
    ),
    "30": Meaning(
        title="Held back as spam",
        advice="Reword the text, drop shortened links, and send less per long code or from a registered campaign.",
        fault=Fault.FILTERED,
        retryable=False,
    ),
    "40": Meaning(
        title="Invalid sender",
        advice="Send from a number of this account that may send texts, written with its country code.",
        fault=Fault.SENDER,
        retryable=False,
    ),
    "50": Meaning(
        title="Invalid recipient",
        advice="Check the number: it is malformed, a landline, or cannot get texts.",
        fault=Fault.RECIPIENT,
        retryable=False,
    ),
    "60": Meaning(
        title="Loop detected",
        advice="Look for an automatic reply that answers another one, and stop one of the two.",
        fault=Fault.ROUTING,
        retryable=False,
    ),
    "70": Meaning(
        title="Recipient is gone for good",
        advice="Take the number off your list: it is no longer in service.",
        fault=Fault.RECIPIENT,
        retryable=False,
    ),
    "80": Meaning(
        title="Recipient is out of reach",
        advice="Try again later: the phone is switched off or out of coverage.",
        fault=Fault.RECIPIENT,
        retryable=True,
    ),
    "90": Meaning(
        title="No route to the recipient",
        advice="Try again later, and ask Plivo about this network if it stays so.",
        fault=Fault.ROUTING,
        retryable=True,
    ),
    "100": Meaning(
        title="Prohibited by the carrier",
        advice="Reach this recipient another way: the network does not carry this kind of message.",
        fault=Fault.CARRIER,
        retryable=False,
    ),
    "110": Meaning(
        title="Message too long",
        advice="Shorten it to 1,600 characters, or 737 where it has characters outside GSM-7.",
        fault=Fault.CONTENT,
        retryable=False,
    ),
    "120": Meaning(
        title="MMS too large",
        advice="Bring media and text together under 5 MB.",
        fault=Fault.CONTENT,
        retryable=False,
    ),
    "130": Meaning(  # unconfirmed: one third party says so, none of Plivo's pages
        title="MMS media type not supported",
        advice="Send the media in another format, such as JPEG, PNG or GIF.",
        fault=Fault.CONTENT,
        retryable=False,
    ),
    "140": Meaning(  # unconfirmed, as 130
        title="MMS media could not be processed",
        advice="Check that the media opens and that its address answers without a login.",
        fault=Fault.CONTENT,
        retryable=False,
    ),
    "200": Meaning(
        title="Recipient opted out",
        advice="Do not send from this sender again until the person replies START.",
        fault=Fault.OPT_OUT,
        retryable=False,
    ),
    "201": Meaning(
        title="US toll-free number to Canada",
        advice="Use another kind of sender: US toll-free numbers cannot text Canada.",
        fault=Fault.SENDER,
        retryable=False,
    ),
    "300": Meaning(
        title="Plivo could not dispatch it",
        advice="Send it again in a few minutes, and look at Plivo's status page if it stays so.",
        fault=Fault.PLATFORM,
        retryable=True,
    ),
    "380": Meaning(  # unconfirmed: one third party says so, none of Plivo's pages
        title="Outside WhatsApp's 24-hour window",
        advice="Send an approved template: free text is for 24 hours after the person last wrote.",
        fault=Fault.POLICY,
        retryable=False,
    ),
    "420": Meaning(
        title="Expired in the queue",
        advice="Send it anew, if it still matters: it outlived its `message_expiry` (3 hours by default), uncharged.",
        fault=Fault.EXPIRED,
        retryable=True,
    ),
    "450": Meaning(
        title="Country not enabled",
        advice="Allow the country under Geo Permissions in Plivo's console.",
        fault=Fault.POLICY,
        retryable=False,
    ),
    "451": Meaning(
        title="Country's hourly fraud limit reached",
        advice="See whether the traffic is yours; the block ends after 12 to 24 hours, or raise the threshold.",
        fault=Fault.POLICY,
        retryable=True,
    ),
    "900": Meaning(
        title="Not enough credit",
        advice="Top up the account, then send it again.",
        fault=Fault.ACCOUNT,
        retryable=True,
    ),
    "910": Meaning(
        title="Account disabled",
        advice="Ask Plivo's support why the account is closed.",
        fault=Fault.ACCOUNT,
        retryable=False,
    ),
    "1000": Meaning(
        title="Unknown error",
        advice="Try once more; the carrier gave no reason.",
        fault=Fault.UNKNOWN,
        retryable=None,
    ),
}


def explain(code: str) -> Meaning:
    """What a code of a message or a call means. Any text is taken; one that is in no table is explained as such."""
    return (
        MEANINGS.get(code)
        or hangup_causes.MEANINGS.get(code)
        or Meaning(
            title=f"Plivo error {code}",
            advice="Look the code up in Plivo's documentation or ask its support: it is not in our table.",
            fault=Fault.UNKNOWN,
            retryable=None,
        )
    )


def normalise(code: str | None) -> str | None:
    """The code as text, or None where there is no error. Other codes stay as they are: `05` is not `5`."""
    return None if code is None or code in NO_ERROR else code

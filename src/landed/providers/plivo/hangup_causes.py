"""Why a call ended: the codes that a Verify attempt by voice carries, explained.

They are the hangup causes of Plivo's voice pages, of which those are here that a call with a code to read out can end
with, read in part 2026-11. Message codes are in error_codes.py; the two share only 1000, which is a cancelled call here
and no call of Verify's.
"""

from typing import Final

from landed.domain.meanings import Fault, Meaning

MEANINGS: Final[dict[str, Meaning]] = {
    "1010": Meaning(
        title="Call cancelled: not enough credit",
        advice="Top up the account, then let the person ask for a new code.",
        fault=Fault.ACCOUNT,
        retryable=True,
    ),
    "1020": Meaning(
        title="Call cancelled: too many at once",
        advice="Try again in a minute: too many calls to this number were under way.",
        fault=Fault.POLICY,
        retryable=True,
    ),
    "2000": Meaning(
        title="Invalid number",
        advice="Check the number: it cannot be called as it is written.",
        fault=Fault.RECIPIENT,
        retryable=False,
    ),
    "2010": Meaning(
        title="Number is out of service",
        advice="Ask the person for another number: nobody can be called on this one.",
        fault=Fault.RECIPIENT,
        retryable=False,
    ),
    "2030": Meaning(
        title="Calls to the country not enabled",
        advice="Allow the country under the voice Geo Permissions in Plivo's console.",
        fault=Fault.POLICY,
        retryable=False,
    ),
    "2040": Meaning(
        title="Calls to premium numbers not enabled",
        advice="Ask for an ordinary number; to call premium ones, allow them in Plivo's console.",
        fault=Fault.POLICY,
        retryable=False,
    ),
    "3000": Meaning(
        title="Nobody answered",
        advice="Send the code by text, or call again when the person asks for it.",
        fault=Fault.RECIPIENT,
        retryable=True,
    ),
    "3010": Meaning(
        title="Line was busy",
        advice="Call again in a few minutes, or send the code by text.",
        fault=Fault.RECIPIENT,
        retryable=True,
    ),
    "3020": Meaning(
        title="Person rejected the call",
        advice="Send the code by text: the call was refused.",
        fault=Fault.RECIPIENT,
        retryable=None,
    ),
    "4000": Meaning(
        title="Call ended normally",
        advice="Nothing is to be done: the call was answered and hung up.",
        fault=Fault.UNKNOWN,
        retryable=None,
    ),
}

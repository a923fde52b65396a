"""Why the carrier lost a message, in Routee's words: its `detailedStatus`, and a description."""

from typing import Final, NamedTuple


class Reason(NamedTuple):
    """`detailed` is None where Routee only repeats the status."""

    detailed: str | None
    description: str


#: By the carrier's codes, which are Plivo's. 81 and 101 are none of those: they are for what only Routee tells apart.
REASONS: Final = {
    "10": Reason("Unknown Status", "The network did not take the message as valid."),
    "20": Reason("Unknown Status", "The network failed."),
    "30": Reason("Carrier Violation", "The carrier's spam filter held the message back."),
    "40": Reason(None, "The sender is not valid in this country."),
    "50": Reason("Unknown Number", "The number does not exist."),
    "60": Reason("Unknown Status", "The message went round in circles."),
    "70": Reason("Call Barred", "The recipient's subscription has ended or may not receive."),
    "80": Reason("Undelivered on Handset", "The handset is off or out of reach."),
    "81": Reason("Roaming", "The handset is abroad and cannot receive."),
    "90": Reason(None, "There is no route to the network."),
    "100": Reason("Carrier Violation", "The carrier prohibits the message."),
    "101": Reason("DND Error Code", "The recipient has Do Not Disturb active."),
    "110": Reason(None, "The message is too long."),
    "120": Reason(None, "The message is too large."),
    "200": Reason("Call Barred", "The recipient does not want messages from this sender."),
    "201": Reason("Call Barred", "The sender does not reach this country."),
    "300": Reason(None, "The message could not be processed."),
    "420": Reason("Expired", "The validity period has passed."),
    "450": Reason(None, "The country is not enabled."),
    "451": Reason(None, "Too many messages to this country."),
    "900": Reason(None, "Insufficient balance."),
}
_UNDELIVERED: Final = Reason("Unknown Status", "The network gave no reason.")
_FAILED: Final = Reason(None, "")


def reason_of(error_code: str | None, *, is_failed: bool) -> Reason:
    """Why a part was lost. Of a code that is not in the table, as little is known as Routee tells then."""
    return REASONS.get(error_code or "", _FAILED if is_failed else _UNDELIVERED)

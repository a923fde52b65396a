"""Callbacks as Plivo would make them."""

import json
from typing import Any
from urllib.parse import urlencode

from landed.domain.callbacks import CallbackRequest
from landed.domain.receipts import AnyReceipt
from landed.providers.plivo.callbacks import parse

URL = "https://hooks.example.com/callbacks/k1"
FORM = {"content-type": "application/x-www-form-urlencoded"}
MESSAGE_ID = "83876bdb-2033-4876-bfaf-0ff8693705af"
SESSION_ID = "3e5bcce6-cd2f-4934-efc4-6c08039cd862"
ATTEMPT_ID = "1886a7ba-736b-1be2-2639-61d1b51cecef"

STATUS = {
    "MessageUUID": MESSAGE_ID,
    "ParentMessageUUID": MESSAGE_ID,
    "PartInfo": "1 of 1",
    "Status": "delivered",
    "From": "14155550100",
    "To": "14155550123",
    "MCC": "310",
    "MNC": "260",
    "Units": "1",
    "TotalRate": "0.0055",
    "TotalAmount": "0.0055",
    "ErrorCode": "",
}
INBOUND = {
    "MessageUUID": MESSAGE_ID,
    "From": "14155550123",
    "To": "14155550100",
    "Type": "sms",
    "Text": "Hello",
    "Units": "1",
    "TotalRate": "0",
    "TotalAmount": "0",
}
SESSION = {
    "SessionUUID": SESSION_ID,
    "SessionStatus": "in-progress",
    "AttemptUUID": ATTEMPT_ID,
    "AttemptSequence": "1",
    "Channel": "sms",
    "ChannelStatus": "sent",
    "ChannelErrorCode": "",
    "Recipient": "14155550123",
    "RequestTime": "2026-03-02T10:00:00.363253Z",
}
BRAND = {"Event": "brand", "Status": "created", "BrandID": "BCDEF1G"}
CAMPAIGN = {"Event": "campaign", "Status": "registered", "BrandID": "BCDEF1G", "CampaignID": "CY5NVUA"}
LINK = {"Event": "number_linking", "Status": "success", "CampaignID": "CY5NVUA", "Number": "14155550100"}
ALERT = {
    "auth_id": "MAXXXXXXXXXXXXXXXXXX",
    "destination_country": "US",
    "block": "no",
    "alert_type": "sms_threshold_breach",
    "message": "Hourly limit reached",
}

#: In place of a field's value: the field is not there. No text is this one, since it holds a NUL.
LEFT_OUT = "\0"


def form(fields: dict[str, str], *, kind: str | None = None, query: str = "") -> CallbackRequest:
    """A POST to the short path, or to the long one of a kind, where our id is `ours-1`."""
    url = URL + (f"/{kind}/ours-1" if kind else "") + (f"?{query}" if query else "")
    body = urlencode(fields).encode()
    return CallbackRequest(
        method="POST", url=url, headers=FORM, body=body, kind=kind, our_id="ours-1" if kind else None
    )


def get(fields: dict[str, str]) -> CallbackRequest:
    return CallbackRequest(method="GET", url=f"{URL}?{urlencode(fields)}")


def json_body(content: Any, *, kind: str | None = None) -> CallbackRequest:
    return CallbackRequest(
        method="POST",
        url=URL,
        headers={"content-type": "application/json"},
        body=json.dumps(content).encode(),
        kind=kind,
        our_id="ours-1" if kind else None,
    )


def only(request: CallbackRequest) -> AnyReceipt:
    (receipt,) = parse(request)
    return receipt

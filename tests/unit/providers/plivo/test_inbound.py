import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.receipts import Channel, Content, Direction, Intent, Media, Receipt
from landed.domain.statuses import Status
from tests.unit.providers.plivo.requests import INBOUND, LEFT_OUT, MESSAGE_ID, form, only


def inbound(**fields: str) -> Receipt:
    receipt = only(form({name: value for name, value in (INBOUND | fields).items() if value != LEFT_OUT}))
    assert isinstance(receipt, Receipt)
    return receipt


def content(**fields: str) -> Content:
    told = inbound(**fields).content
    assert told is not None
    return told


def test_an_inbound_message_is_received_by_our_number() -> None:
    assert inbound(PowerpackUUID="p1", TotalAmount="0.008") == Receipt(
        provider_message_id=MESSAGE_ID,
        provider_status="received",
        status=Status.RECEIVED,
        direction=Direction.INBOUND,
        channel=Channel.SMS,
        sender="+14155550123",
        recipient="+14155550100",
        units=1,
        cost_nanos=8_000_000,
        currency="USD",
        extra=(("PowerpackUUID", "p1"),),
        content=Content(text="Hello"),
    )


@pytest.mark.parametrize(
    ("text", "body", "expected"),
    [("a", LEFT_OUT, "a"), (LEFT_OUT, "b", "b"), ("", "b", "b"), ("a", "b", "a"), ("", "", None), ("  ", "b", "  ")],
)
def test_text_goes_before_body_unless_it_is_empty(text: str, body: str, expected: str | None) -> None:
    assert content(Text=text, Body=body).text == expected


def test_a_body_that_says_something_else_than_the_text_is_kept() -> None:
    assert inbound(Text="a", Body="b").extra == (("Body", "b"),)
    assert inbound(Text="a", Body="a").extra == ()


@pytest.mark.parametrize("base", [0, 1])
def test_media_are_in_the_order_of_their_numbers_from_either_base(base: int) -> None:
    urls = [f"https://media.example.com/{number}" for number in range(12)]
    fields = {f"Media{base + number}": url for number, url in reversed(list(enumerate(urls)))}

    told = content(Type="mms", **fields)

    assert [medium.url for medium in told.media] == urls


def test_an_empty_medium_is_none_and_a_field_like_one_is_kept() -> None:
    receipt = inbound(Type="mms", Media0="", Media1="https://x", MediaType="y", Media2x="z")

    assert receipt.content is not None
    assert receipt.content.media == (Media("https://x"),)
    assert receipt.extra == (("Media2x", "z"), ("MediaType", "y"))


def test_the_mime_type_is_that_of_the_one_medium() -> None:
    one = inbound(Type="whatsapp", ContentType="media", MimeType="image/jpeg", Media0="https://x")
    two = inbound(Type="mms", MimeType="image/jpeg", Media0="https://x", Media1="https://y")

    assert one.content is not None
    assert two.content is not None
    assert (one.content.media, one.content.content_type) == ((Media("https://x", "image/jpeg"),), "media")
    assert [medium.mime_type for medium in two.content.media] == [None, None]
    assert two.extra == (("MimeType", "image/jpeg"),)


@pytest.mark.parametrize(
    ("word", "intent"),
    [
        ("optout", Intent.OPT_OUT),
        ("OptOut", Intent.OPT_OUT),
        ("opt-out", Intent.OPT_OUT),
        ("optin", Intent.OPT_IN),
        ("help", Intent.HELP),
        ("", None),
        (LEFT_OUT, None),
    ],
)
def test_the_intent_is_as_told(word: str, intent: Intent | None) -> None:
    assert content(MessageIntent=word).intent is intent


@pytest.mark.parametrize(("name", "value"), [("Type", "rcs"), ("Units", "99999999"), ("TotalAmount", "free")])
def test_a_field_that_cannot_be_read_is_kept_as_it_came(name: str, value: str) -> None:
    assert inbound(**{name: value}).extra == ((name, value),)


def test_an_unknown_intent_is_kept() -> None:
    receipt = inbound(MessageIntent="complain")

    assert receipt.content is not None
    assert (receipt.content.intent, receipt.extra) == (None, (("MessageIntent", "complain"),))


@pytest.mark.parametrize(
    ("fields", "channel"),
    [
        ({"Type": "sms"}, Channel.SMS),
        ({"Type": "MMS"}, Channel.MMS),
        ({"Type": "whatsapp"}, Channel.WHATSAPP),
        ({"Type": LEFT_OUT}, Channel.SMS),
        ({"Type": LEFT_OUT, "Media0": "https://x"}, Channel.MMS),
        ({"Type": LEFT_OUT, "ContentType": "button"}, Channel.WHATSAPP),
        ({"Type": "rcs"}, None),
    ],
)
def test_the_channel_is_as_told_or_follows_from_what_is_there(fields: dict[str, str], channel: Channel | None) -> None:
    assert inbound(**fields).channel is channel


def test_a_whatsapp_button_without_text_or_media_is_an_inbound_message_too() -> None:
    receipt = inbound(Text=LEFT_OUT, Type="whatsapp", ContentType="button", ButtonPayload="yes")

    assert receipt.content == Content(text=None, content_type="button")
    assert receipt.extra == (("ButtonPayload", "yes"),)


def test_short_codes_and_the_reason_of_lost_media_are_kept() -> None:
    receipt = inbound(To="12345", ErrorCode="140")

    assert (receipt.recipient, receipt.error_code) == ("12345", "140")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_text_is_kept_to_the_letter(text: str) -> None:
    assert content(Text=text).text == text

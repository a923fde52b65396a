"""What viewers are shown of a callback: nothing that may be a number or a text, whoever made it up."""

import random
from typing import Final

import pytest

from landed.domain import numbers
from landed.services import redacting
from landed.services.redacting import HIDDEN

NUMBER: Final = "4155550177"
WRITTEN: Final = [
    NUMBER, f"+1{NUMBER}", f"001{NUMBER}", "(415) 555-0177", "415.555.0177", "415 555 0177", "4-1-5-5-5-5-0-1-7-7",
    "%34%31%35%35%35%35%30%31%37%37", f"2026-01-01T00:00:00 {NUMBER}", f"0c4be56a-81d1-51b1-b141-{NUMBER}aa x",
    f"a{NUMBER}b", f"{NUMBER}.5",
]  # fmt: skip
#: What people and programs put between the digits of a number.
SEPARATORS: Final = [
    "\u00a0", "\u202f", "\u2011", "\u2013", "\u2009", "/", "_", ",", "\t", "\n", " - ", ") /",
]  # fmt: skip
NAMES: Final = [
    "Status", "MessageUUID", "ErrorCode", "TotalRate", "MessageTime", "Text", "Body", "From", "To", "status.name",
    "name", "smsId", "x", "", "From.name", "Recipient", NUMBER,
]  # fmt: skip


def is_told(shown: str) -> bool:
    return NUMBER in "".join(char for char in shown if char.isalnum()) or "%34%31" in shown


@pytest.mark.parametrize("written", WRITTEN)
def test_no_number_is_shown_whichever_way_it_is_written(written: str) -> None:
    for name in NAMES:
        assert not is_told(redacting.field(name, written)), name
        assert not is_told(redacting.header(name, written)), name
    for name in ("host", "user-agent", "content-type", "x-forwarded-proto", "x-plivo-signature-v3"):
        assert not is_told(redacting.header(name, written.replace("-", "").replace(" ", ""))), name
    assert not is_told(redacting.name(written))
    assert not is_told(redacting.path(f"/callbacks/{written}/messages/{written}"))
    assert not is_told(redacting.url(f"https://hooks.example.com/callbacks/********/{written}?To={written}"))


def test_no_number_hidden_in_anything_is_shown() -> None:
    made = random.Random(7)
    for _ in range(5_000):
        around = ["".join(made.choices("abc 019-+.:/%&=()\u202e\u0664", k=made.randrange(12))) for _ in range(2)]
        written = around[0] + NUMBER + around[1]
        for name in NAMES:
            assert NUMBER not in redacting.field(name, written), (name, written)
            assert NUMBER not in redacting.header(name, written), (name, written)
        assert NUMBER not in redacting.path(written), written
        assert NUMBER not in redacting.name(written), written
        assert NUMBER not in redacting.text(written), written


@pytest.mark.parametrize("separator", SEPARATORS, ids=ascii)
@pytest.mark.parametrize("groups", [("+1", "415", "555", "0177"), ("415", "555", "01", "77"), tuple(NUMBER)], ids=str)
def test_a_number_in_words_is_masked_whatever_parts_its_digits(separator: str, groups: tuple[str, ...]) -> None:
    shown = redacting.text(f"Call {separator.join(groups)} back.")

    digits = [char for char in shown if char.isdigit()]
    assert len(digits) <= numbers.FIRST_SHOWN_MAX + numbers.LAST_SHOWN
    assert numbers.HIDDEN * 2 in shown.replace(separator, "")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Status", "delivered", "delivered"),
        ("MessageUUID", "0c4be56a-81d1-51b1-b141-e10a24fd88aa", "0c4be56a-81d1-51b1-b141-e10a24fd88aa"),
        ("ErrorCode", "30", "30"),
        ("TotalRate", "0.00550", "0.00550"),
        ("MessageTime", "2026-11-21 10:00:00", "2026-11-21 10:00:00"),
        ("PartInfo", "1/2", "1/2"),
        ("status.name", "Delivered", "Delivered"),
        ("To", "+14155550177", "+1415•••••77"),
        ("From", "ACME", HIDDEN),
        ("Text", "hi", HIDDEN),
        ("Text", "", ""),
        ("contact.name", "Ada", HIDDEN),
    ],
)
def test_what_is_known_to_be_harmless_stays(name: str, value: str, shown: str) -> None:
    assert redacting.field(name, value) == shown


def test_paths_keep_our_own_words_and_ids() -> None:
    path = "/callbacks/********/messages/0c4be56a-81d1-51b1-b141-e10a24fd88aa"

    assert redacting.path(path) == path
    assert redacting.path("/callbacks/my-key/messages/my-id") == f"/callbacks/{HIDDEN}/messages/{HIDDEN}"

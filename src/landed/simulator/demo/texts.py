"""What the company of the demo writes, and what it wants by it."""

from random import Random
from typing import Final, NamedTuple

from landed.simulator import draws

OTP, RECEIPTS, MARKETING = "otp", "receipts", "marketing"

_SHOPPERS: Final = ("Ada", "Brno Bikes", "Chidi", "Dana", "Emeka", "Fatou", "Grace", "Hiro")
_TEXTS: Final = (
    (OTP, 40, "{code} is your ACME code. It is good for 10 minutes."),
    (OTP, 10, "ACME: {code}. Never tell it to anybody."),
    (RECEIPTS, 14, "Your order {order} is on its way, and will be there tomorrow between 9 and 12."),
    (RECEIPTS, 10, "Thank you, {name}! We got your payment of {amount} for order {order}."),
    (RECEIPTS, 6, "Your table at ACME is ready, {name} 🎉"),
    (
        MARKETING,
        12,
        "{name}, the spring sale begins tomorrow: 20 % off all lamps, chairs and tables, in our shops and at"
        " acme.example/spring. Members come in an hour early. Reply STOP to hear no more from us.",
    ),
    (
        MARKETING,
        8,
        "Last day! What is left of the spring sale goes at half the price until eight tonight. Come by or look at"
        " acme.example/last: lamps, chairs, tables, shelves, rugs, and the blue sofa that you looked at last week,"
        " {name}. We are open until nine, and there is coffee. Reply STOP to hear no more from us.",
    ),
)


class Text(NamedTuple):
    tag: str
    text: str


def draw(random: Random) -> Text:
    tag, _, template = draws.pick(random, _TEXTS, [weight for _, weight, _ in _TEXTS])
    return Text(
        tag,
        template.format(
            code=f"{random.randrange(10**6):06}",
            order=random.randrange(10_000, 99_999),
            name=random.choice(_SHOPPERS),
            amount=f"${random.randrange(500, 20_000) / 100:.2f}",
        ),
    )

"""The world the simulated traffic goes to: countries, networks, senders, prices and what goes wrong where.

Believable, not measured. MCC and MNC are real (ITU-T E.212). Numbers come from ranges that regulators set aside for
fiction (NANPA 555-01xx, Ofcom 07700 900xxx, ComReg 020 91x, BNetzA 0176 040690xx, Arcep 06 39 98 xx xx); where a
country has none, a run of zeroes shows that the number was made up.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    mcc: str
    mnc: str
    name: str
    weight: int
    latency_s: float  #: median from hand-over to the handset's receipt
    spread: float  #: sigma of the logarithm: 0.5 is steady, 1.2 is all over the place
    slow: float  #: share of handsets that were off or out of coverage, and answer a minute or more later
    failures: tuple[tuple[str, float], ...] | None = None  #: where they differ from those of the country
    silent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    iso2: str
    weight: int
    numbers: tuple[str, ...]  #: as on the wire, without the plus; every `#` is a random digit
    senders: tuple[tuple[str, int], ...]  #: as on the wire, and how often
    networks: tuple[Network, ...]
    rate: str  #: US dollars per unit, as Plivo writes it
    failures: tuple[tuple[str, float], ...]  #: Plivo's error code and its share of all messages
    silent: float = 0.0  #: share of messages whose carrier never sends a receipt: they stay `sent`
    mms_rate: str | None = None  #: where there is MMS
    whatsapp: float = 0.0  #: share of WhatsApp among the messages
    whatsapp_rate: str = "0.00000"


#: Codes that mean Plivo never handed the message over. With all others the carrier gave up.
FAILED_CODES: Final = frozenset({"40", "90", "110", "120", "200", "201", "300", "420", "450", "451", "900"})
#: Codes that make sense for any channel; the others are of SMS and its carriers.
CODES_OF_ANY_CHANNEL: Final = frozenset({"50", "80", "300"})
#: Share of MMS where there is MMS.
MMS: Final = 0.05
#: How many units (segments) a text has, and how often.
UNITS: Final = ((1, 72), (2, 18), (3, 7), (4, 3))
#: Words that Plivo's pages do not explain, which it uses all the same.
UNKNOWN_STATUSES: Final = ("deleted", "buffered")
WHATSAPP_SENDER: Final = "12125550142"


def _networks(mcc: str, *rows: tuple[str, str, int, float, float, float]) -> tuple[Network, ...]:
    return tuple(
        Network(mcc=mcc, mnc=mnc, name=name, weight=weight, latency_s=latency_s, spread=spread, slow=slow)
        for mnc, name, weight, latency_s, spread, slow in rows
    )


COUNTRIES: Final = (
    Country(
        iso2="US",
        weight=46,
        numbers=(
            "121255501##",
            "131055501##",
            "141555501##",
            "151255501##",
            "120655501##",
            "130555501##",
            "161755501##",
        ),
        senders=(("12125550187", 40), ("14155550110", 28), ("18885550122", 18), ("12345", 14)),
        networks=(
            *_networks("311", ("480", "Verizon", 37, 2.6, 0.6, 0.03)),
            *_networks("310", ("260", "T-Mobile", 34, 2.1, 0.6, 0.025), ("410", "AT&T", 29, 3.4, 0.7, 0.03)),
        ),
        rate="0.00550",
        failures=(("30", 0.021), ("200", 0.008), ("50", 0.006), ("40", 0.003), ("80", 0.005), ("300", 0.002)),
        silent=0.006,
        mms_rate="0.01600",
    ),
    Country(
        iso2="CA",
        weight=6,
        numbers=("141655501##", "160455501##", "151455501##"),
        senders=(("16135550144", 70), ("14165550119", 30)),
        networks=_networks(
            "302",
            ("720", "Rogers", 34, 2.8, 0.6, 0.03),
            ("610", "Bell", 33, 3.1, 0.6, 0.03),
            ("220", "Telus", 33, 2.9, 0.6, 0.03),
        ),
        rate="0.00750",
        failures=(("30", 0.012), ("201", 0.004), ("50", 0.006), ("80", 0.004)),
        mms_rate="0.01950",
    ),
    Country(
        iso2="GB",
        weight=10,
        numbers=("447700900###",),
        senders=(("ACME", 70), ("447700900001", 30)),
        networks=_networks(
            "234",
            ("10", "O2", 30, 3.2, 0.5, 0.04),
            ("30", "EE", 30, 2.7, 0.5, 0.03),
            ("15", "Vodafone", 22, 3.0, 0.6, 0.04),
            ("20", "Three", 18, 3.9, 0.6, 0.04),
        ),
        rate="0.04030",
        failures=(("80", 0.009), ("70", 0.006), ("50", 0.004), ("30", 0.003)),
    ),
    Country(
        iso2="IE",
        weight=2,
        numbers=("3532091#####",),
        senders=(("ACME", 100),),
        networks=_networks(
            "272",
            ("01", "Vodafone", 40, 3.1, 0.5, 0.03),
            ("05", "Three", 38, 3.5, 0.6, 0.03),
            ("03", "eir", 22, 3.8, 0.6, 0.04),
        ),
        rate="0.06150",
        failures=(("80", 0.008), ("70", 0.005)),
    ),
    Country(
        iso2="DE",
        weight=7,
        numbers=("49176040690##", "4917139200##"),
        senders=(("ACME", 62), ("4915228817386", 38)),
        networks=_networks(
            "262",
            ("01", "Telekom", 36, 2.4, 0.5, 0.03),
            ("02", "Vodafone", 32, 2.8, 0.5, 0.03),
            ("03", "O2", 32, 3.7, 0.7, 0.05),
        ),
        rate="0.08400",
        failures=(("80", 0.010), ("70", 0.005), ("100", 0.003)),
        whatsapp=0.06,
        whatsapp_rate="0.06140",
    ),
    Country(
        iso2="FR",
        weight=5,
        numbers=("3363998####",),
        senders=(("ACME", 55), ("38123", 45)),
        networks=_networks(
            "208",
            ("01", "Orange", 37, 2.9, 0.6, 0.04),
            ("10", "SFR", 25, 4.1, 0.7, 0.05),
            ("15", "Free", 19, 4.6, 0.8, 0.05),
            ("20", "Bouygues Telecom", 19, 3.4, 0.6, 0.04),
        ),
        rate="0.06850",
        failures=(("80", 0.011), ("50", 0.005), ("450", 0.002)),
        silent=0.004,
    ),
    Country(
        iso2="ES",
        weight=4,
        numbers=("34600000###",),
        senders=(("ACME", 100),),
        networks=_networks(
            "214",
            ("07", "Movistar", 38, 3.0, 0.6, 0.04),
            ("01", "Vodafone", 30, 3.3, 0.6, 0.04),
            ("03", "Orange", 32, 3.6, 0.7, 0.05),
        ),
        rate="0.06300",
        failures=(("80", 0.010), ("70", 0.006), ("30", 0.004)),
        whatsapp=0.08,
        whatsapp_rate="0.04560",
    ),
    Country(
        iso2="IN",
        weight=9,
        numbers=("9190000#####",),
        senders=(("ACMEIN", 80), ("ACMEOT", 20)),
        networks=(
            *_networks("405", ("857", "Jio", 42, 3.8, 0.8, 0.07)),
            *_networks(
                "404",
                ("45", "Airtel", 33, 4.2, 0.8, 0.07),
                ("20", "Vi", 18, 5.5, 1.0, 0.09),
                ("71", "BSNL", 7, 8.5, 1.1, 0.12),
            ),
        ),
        rate="0.00410",
        failures=(("80", 0.026), ("100", 0.019), ("30", 0.012), ("70", 0.007), ("420", 0.005)),
        whatsapp=0.10,
        whatsapp_rate="0.00140",
    ),
    Country(
        iso2="BR",
        weight=5,
        numbers=("551190000####", "552190000####"),
        senders=(("29012", 100),),
        networks=_networks(
            "724",
            ("10", "Vivo", 39, 4.4, 0.8, 0.06),
            ("05", "Claro", 35, 4.9, 0.8, 0.06),
            ("03", "TIM", 26, 5.6, 0.9, 0.08),
        ),
        rate="0.02280",
        failures=(("80", 0.020), ("70", 0.012), ("30", 0.009), ("300", 0.003)),
        silent=0.012,
        whatsapp=0.15,
        whatsapp_rate="0.03150",
    ),
    Country(
        iso2="MX",
        weight=3,
        numbers=("52550000####",),
        senders=(("26262", 100),),
        networks=_networks(
            "334",
            ("020", "Telcel", 60, 4.8, 0.8, 0.06),
            ("050", "AT&T", 22, 5.4, 0.8, 0.07),
            ("030", "Movistar", 18, 6.1, 0.9, 0.08),
        ),
        rate="0.03810",
        failures=(("80", 0.019), ("50", 0.010), ("30", 0.008)),
        silent=0.018,
        whatsapp=0.10,
        whatsapp_rate="0.03490",
    ),
    Country(
        iso2="NG",
        weight=2,
        numbers=("234800000####",),
        senders=(("ACME", 100),),
        networks=_networks(
            "621",
            ("30", "MTN", 52, 9.0, 1.2, 0.14),
            ("20", "Airtel", 30, 10.5, 1.2, 0.15),
            ("50", "Glo", 18, 14.0, 1.3, 0.18),
        ),
        rate="0.19800",
        failures=(("80", 0.045), ("100", 0.030), ("70", 0.015), ("420", 0.012), ("451", 0.006)),
        silent=0.05,
    ),
    Country(
        iso2="PH",
        weight=1,
        numbers=("63900000####",),
        senders=(("ACME", 100),),
        networks=_networks("515", ("03", "Smart", 54, 6.5, 1.0, 0.09), ("02", "Globe", 46, 5.9, 1.0, 0.08)),
        rate="0.14900",
        failures=(("80", 0.032), ("30", 0.020), ("70", 0.010)),
        silent=0.02,
    ),
)

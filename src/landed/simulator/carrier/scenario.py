"""Scenarios: what the carrier network is like. Small YAML files that say what differs from another scenario.

extends: everyday
countries:
  NG:
    silent: 0.05
    failures: {"80": 0.3}
    networks:
      621-30: {latency_s: 20, spread: 1.2, failures: {"100": 0.5}}
chaos: {duplicates: 0.1, lost: 0.02}
magic:
  "+15005550030": {error_code: "30"}
replies: {"STOP": "You are opted out."}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from landed.domain.countries import name_of
from landed.domain.errors import InputInvalid
from landed.domain.statuses import Status
from landed.domain.words import Word
from landed.simulator import world
from landed.simulator.carrier import chaos, written
from landed.simulator.carrier.chaos import Chaos
from landed.simulator.world import Country, Network

BUILT_IN: Final = Path(__file__).parent / "scenarios"
BYTES_MAX: Final = 1024 * 1024
EXTENDED_MAX: Final = 10
#: Thirty days: the longest that anything may take, or come late by.
LATENCY_S_MAX: Final = 30 * 86_400
_PROBLEMS_MAX: Final = 20
_ENDS: Final = (Status.DELIVERED, Status.UNDELIVERED, Status.FAILED)


class Answer(Word):
    """How the API answers the request that sends, where it does not just take it."""

    BAD_REQUEST = "bad_request"
    FORBIDDEN = "forbidden"  #: the country is not enabled
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    HANG = "hang"  #: it is taken, and never answered
    HANG_UP = "hang_up"  #: it is taken, and the connection closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is to become of a message, whatever the lot says. Nothing set: the lot decides."""

    status: Status | None = None
    error_code: str | None = None
    is_silent: bool = False  #: no final receipt ever
    latency_s: float | None = None
    contradicts: bool = False
    unknown_status: str | None = None
    answer: Answer | None = None
    chaos: Chaos | None = None  #: in place of the scenario's
    otp: str | None = None  #: the code of a verify session


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`countries` by ISO code; `elsewhere` is any other. `magic`: by number, with the plus."""

    name: str
    countries: Mapping[str, Country]
    elsewhere: Country
    chaos: Chaos = chaos.CALM
    magic: Mapping[str, Outcome] = field(default_factory=dict)
    #: What people write back to a message, by its text in capitals; `*` for any other text.
    replies: Mapping[str, str] = field(default_factory=dict)
    refused: float = 0.0  #: share of registrations (10DLC) that are refused
    description: str = ""

    def outcome(self, number: str) -> Outcome | None:
        """What a magic number forces."""
        return self.magic.get("+" + number.removeprefix("+"))


_ELSEWHERE: Final = Country(
    iso2="",
    weight=0,
    numbers=(),
    senders=(("ACME", 100),),
    networks=(Network(mcc="", mnc="", name="", weight=1, latency_s=5.0, spread=0.8, slow=0.05),),
    rate="0.05000",
    failures=(("80", 0.02), ("50", 0.01)),
    silent=0.01,
)


def _magic() -> dict[str, Outcome]:
    """Numbers of a fictional range (+1 500 555 0…) that force an outcome: the last three digits are Plivo's error
    code, 000 is delivered at once; those that begin with 9 stand for the rest."""
    codes = ("10", "20", "30", "40", "50", "60", "70", "80", "90", "100", "110", "120", "200", "300", "420", "450")
    numbers = {
        f"+15005550{int(code):03}": Outcome(
            status=Status.FAILED if code in world.FAILED_CODES else Status.UNDELIVERED, error_code=code, latency_s=0.2
        )
        for code in codes
    }
    return {
        "+15005550000": Outcome(status=Status.DELIVERED, latency_s=0.2, otp="123456"),
        **numbers,
        "+15005559001": Outcome(is_silent=True),
        "+15005559002": Outcome(status=Status.DELIVERED, chaos=Chaos(late=1.0)),
        "+15005559003": Outcome(status=Status.DELIVERED, latency_s=0.2, contradicts=True),
        "+15005559004": Outcome(status=Status.DELIVERED, latency_s=0.2, chaos=Chaos(duplicates=1.0)),
        "+15005559005": Outcome(status=Status.DELIVERED, latency_s=0.2, unknown_status="buffered"),
        "+15005559006": Outcome(status=Status.DELIVERED, latency_s=0.2, chaos=Chaos(wrong_signatures=1.0)),
        "+15005559007": Outcome(status=Status.DELIVERED, latency_s=0.2, chaos=Chaos(reordering=1.0)),
        "+15005559008": Outcome(status=Status.DELIVERED, latency_s=0.2, chaos=Chaos(lost=1.0)),
        "+15005559009": Outcome(status=Status.DELIVERED, latency_s=0.2, chaos=Chaos(hung_up=1.0)),
        "+15005559400": Outcome(answer=Answer.BAD_REQUEST),
        "+15005559403": Outcome(answer=Answer.FORBIDDEN),
        "+15005559429": Outcome(answer=Answer.THROTTLED),
        "+15005559500": Outcome(answer=Answer.SERVER_ERROR),
        "+15005559408": Outcome(answer=Answer.HANG, status=Status.DELIVERED),
        "+15005559409": Outcome(answer=Answer.HANG_UP, status=Status.DELIVERED),
    }


EVERYDAY: Final = Scenario(
    name="everyday",
    description="What carriers are like on most days, told as it should be.",
    countries={country.iso2: country for country in world.COUNTRIES},
    elsewhere=_ELSEWHERE,
    magic=_magic(),
    replies={"STOP": "STOP", "START": "START", "HELP": "HELP"},
    refused=0.05,
)


def load(name: str) -> Scenario:
    """A scenario by the name of a built-in one, or by its file.

    Raises:
        InputInvalid: there is none, or what it says cannot be used; a sentence for each problem.
    """
    return _load(name, Path.cwd(), ())


def names() -> list[str]:
    """Of the built-in ones."""
    return sorted({EVERYDAY.name, *(path.stem for path in BUILT_IN.glob("*.yaml"))})


def built_in() -> list[Scenario]:
    return [load(name) for name in names()]


def _load(name: str, folder: Path, under: tuple[str, ...]) -> Scenario:
    if name == EVERYDAY.name:
        return EVERYDAY
    if name in under or len(under) > EXTENDED_MAX:
        raise InputInvalid(f"The scenario {name} extends itself: {' → '.join((*under, name))}.", field="extends")
    built_in = BUILT_IN / f"{name}.yaml"
    is_built_in = name.replace("-", "").replace("_", "").isalnum() and built_in.is_file()
    path = built_in if is_built_in else folder / name
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
    except OSError as error:
        known = ", ".join(names())
        raise InputInvalid(
            f"There is no scenario {name!r}: it is no file ({error.strerror}), and none of {known}.", field="scenario"
        ) from error
    if len(text) > BYTES_MAX:
        raise InputInvalid(f"The scenario {name} is over {BYTES_MAX // 1024} KiB.", field="scenario")
    content = written.read(text.decode(errors="replace"), source=name)
    extended = content.pop("extends", EVERYDAY.name)
    if not isinstance(extended, str):
        raise InputInvalid(f"{name}: extends is no name; give {', '.join(names())}, or a file.", field="extends")
    base = _load(extended, path.parent, (*under, name))
    return change(base, {"name": path.stem, "description": "", **content}, source=name)


# --- what may stand in a file --------------------------------------------------------------------------------------

_Share = Annotated[float, Field(ge=0, le=1)]
_Rate = Annotated[str, written.text_like(r"\d{1,6}(\.\d{1,9})?", "dollars for a unit, such as 0.0055")]
_Code = Annotated[str, written.text_like(r"\d{2,4}", "an error code of Plivo's, such as 30")]
_UnknownStatus = Annotated[str, written.text_like(r"[a-z_-]{1,40}", "a word in small letters, such as buffered")]
_Otp = Annotated[str, written.text_like(r"\d{4,8}", "4 to 8 digits, in quotes where they begin with 0")]


def _together(shares: dict[str, float]) -> dict[str, float]:
    if (total := sum(shares.values())) > 1 + 1e-9:
        raise ValueError(f"the shares come to {total:g} together; give at most 1 in all")
    return shares


_Failures = Annotated[dict[_Code, _Share], AfterValidator(_together)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, frozen=True)


class _GivenNetwork(_Given):
    name: str | None = None
    weight: int | None = Field(default=None, ge=0)
    latency_s: float | None = Field(default=None, ge=0, le=86_400)
    spread: float | None = Field(default=None, ge=0, le=3)
    slow: _Share | None = None
    silent: _Share | None = None
    failures: _Failures | None = None


class _GivenCountry(_Given):
    rate: _Rate | None = None
    mms_rate: _Rate | None = None
    whatsapp_rate: _Rate | None = None
    weight: int | None = Field(default=None, ge=0)
    silent: _Share | None = None
    failures: _Failures | None = None
    networks: dict[str, _GivenNetwork] | None = None


class _GivenOutcome(_Given):
    status: Status | None = None
    error_code: _Code | None = None
    is_silent: bool = False
    latency_s: float | None = Field(default=None, ge=0, le=LATENCY_S_MAX)
    contradicts: bool = False
    unknown_status: _UnknownStatus | None = None
    answer: Answer | None = None
    chaos: Any = None  #: as read_chaos takes it
    otp: _Otp | None = None

    @field_validator("status", mode="before")
    @classmethod
    def _ends(cls, status: object) -> object:
        if status not in (None, *_ENDS):
            raise ValueError(f"give {', '.join(_ENDS[:-1])} or {_ENDS[-1]}")
        return status

    @model_validator(mode="after")
    def _fits(self) -> "_GivenOutcome":
        if self.is_silent and (self.status or self.error_code) is not None:
            end = self.status or f"error {self.error_code}"
            raise ValueError(f"what is_silent never ends as {end}; leave one of the two out")
        return self


class _GivenScenario(_Given):
    name: str = Field(default="", max_length=100)
    description: str | None = Field(default=None, max_length=2000)
    countries: dict[str, _GivenCountry] = Field(default_factory=dict)
    elsewhere: _GivenCountry | None = None
    chaos: Any = None  #: as read_chaos takes it
    magic: dict[str, _GivenOutcome] = Field(default_factory=dict)
    replies: dict[str, str] = Field(default_factory=dict)
    refused: _Share | None = None


def change(base: Scenario, content: Mapping[str, Any], *, source: str = "the scenario") -> Scenario:
    """The scenario with what the content says otherwise: what is in a file, or what the API is told at run time.

    Raises:
        InputInvalid: it cannot be used; a sentence for each problem.
    """
    try:
        given = _GivenScenario.model_validate(content)
    except ValidationError as error:
        found = [*islice(written.problems(_GivenScenario, error), _PROBLEMS_MAX)]
        text = "\n".join(f"{source}: {each.sentence}" for each in found)
        raise InputInvalid(text, field=found[0].place or "scenario") from error
    countries = dict(base.countries)
    for iso2, told in given.countries.items():
        if name_of(iso2) is None:
            raise InputInvalid(
                f"{source}: countries.{iso2}: there is no such country; give its two capital letters, such as NG.",
                field="countries",
            )
        countries[iso2] = _country(countries.get(iso2, replace(base.elsewhere, iso2=iso2)), told, source)
    return replace(
        base,
        name=given.name or base.name,
        description=base.description if given.description is None else given.description.strip(),
        countries=countries,
        elsewhere=_country(base.elsewhere, given.elsewhere, source) if given.elsewhere else base.elsewhere,
        chaos=base.chaos if given.chaos is None else read_chaos(given.chaos, base.chaos, source=source),
        magic={
            **base.magic,
            **{_number(number, source): _outcome(number, told, source) for number, told in given.magic.items()},
        },
        replies={**base.replies, **{text.upper(): reply for text, reply in given.replies.items()}},
        refused=base.refused if given.refused is None else given.refused,
    )


_CHAOS: Final = {"none": chaos.CALM, "some": chaos.SOME, "all": chaos.ALL}


def read_chaos(given: object, base: Chaos = chaos.CALM, *, source: str = "chaos", place: str = "chaos") -> Chaos:
    """Chaos by name (none, some, all), or shares by name that differ from the base.

    Raises:
        InputInvalid
    """
    if isinstance(given, str) and given in _CHAOS:
        return _CHAOS[given]
    if not isinstance(given, Mapping):
        told = f"{place}{written.so_far(given)}"
        raise InputInvalid(
            f"{source}: {told} give none, some, all, or shares by name, as in {{lost: 0.1}}.", field="chaos"
        )
    known = {each.name for each in fields(Chaos)}
    for name, share in given.items():
        if name not in known:
            raise InputInvalid(
                f"{source}: there is no chaos {name!r}; there are {', '.join(sorted(known))}.", field="chaos"
            )
        most, what = (1, "a share from 0 to 1") if name in chaos.SHARES else (LATENCY_S_MAX, "seconds, 30 days at most")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= most:
            raise InputInvalid(f"{source}: {place}.{name}{written.so_far(share)} give {what}.", field="chaos")
    return replace(base, **{name: float(share) for name, share in given.items()})


def _country(country: Country, told: _GivenCountry, source: str) -> Country:
    changes: dict[str, Any] = {
        name: value
        for name in ("rate", "mms_rate", "whatsapp_rate", "weight", "silent")
        if (value := getattr(told, name)) is not None
    }
    if told.failures is not None:
        changes["failures"] = tuple(told.failures.items())
    if told.networks is not None:
        place = f"{source}: {f'countries.{country.iso2}' if country.iso2 else 'elsewhere'}.networks"
        networks = {f"{network.mcc}-{network.mnc}": network for network in country.networks}
        for codes, network in told.networks.items():
            networks[codes] = _network(codes, networks.get(codes), network, place)
        changes["networks"] = _networks(tuple(networks.values()), place)
    return replace(country, **changes)


def _networks(networks: tuple[Network, ...], place: str) -> tuple[Network, ...]:
    """Those of a country; the one without a name stands in only where there is no other."""
    left = tuple(network for network in networks if network.mcc) or networks
    if not any(network.weight for network in left):
        raise InputInvalid(f"{place}: one of them needs a weight above 0.", field="networks")
    return left


def _network(codes: str, network: Network | None, told: _GivenNetwork, place: str) -> Network:
    mcc, _, mnc = codes.partition("-")
    if not (codes.isascii() and mcc.isdecimal() and mnc.isdecimal() and len(mcc) == 3 and len(mnc) in (2, 3)):
        raise InputInvalid(f"{place}: {codes!r} is not written as MCC-MNC, such as 621-30.", field="networks")
    network = network or Network(mcc=mcc, mnc=mnc, name=codes, weight=1, latency_s=5.0, spread=0.8, slow=0.05)
    changes: dict[str, Any] = {
        name: value
        for name in ("name", "weight", "latency_s", "spread", "slow", "silent")
        if (value := getattr(told, name)) is not None
    }
    if told.failures is not None:
        changes["failures"] = tuple(told.failures.items())
    return replace(network, **changes)


def _outcome(number: str, told: _GivenOutcome, source: str) -> Outcome:
    status = told.status
    if status is None and told.error_code is not None:
        status = Status.FAILED if told.error_code in world.FAILED_CODES else Status.UNDELIVERED
    return Outcome(
        status=status,
        error_code=told.error_code,
        is_silent=told.is_silent,
        latency_s=told.latency_s,
        contradicts=told.contradicts,
        unknown_status=told.unknown_status,
        answer=told.answer,
        chaos=None if told.chaos is None else read_chaos(told.chaos, source=source, place=f"magic.{number}.chaos"),
        otp=told.otp,
    )


def _number(number: str, source: str) -> str:
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and 3 <= len(digits) <= 15):
        raise InputInvalid(f"{source}: magic.{number} is no number; write it as +15551230000.", field="magic")
    return f"+{digits}"

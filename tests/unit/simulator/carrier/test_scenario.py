"""Scenario files: what they may say, and what they are told when they say something else."""

from pathlib import Path
from random import Random

import pytest

from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.simulator.carrier import scenario
from landed.simulator.carrier.chaos import SOME, Chaos
from landed.simulator.carrier.fate import fate, place
from landed.simulator.carrier.scenario import EVERYDAY, Answer, Outcome
from landed.simulator.control import shapes

BUILT_IN = ("bad-day", "calm", "everyday", "forgers", "no-receipts", "one-network-out", "slow-africa", "storm")


def _load(folder: Path, text: str, name: str = "mine.yaml") -> scenario.Scenario:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return scenario.load(str(path))


def _delivered(loaded: scenario.Scenario, number: str, messages: int = 300) -> float:
    """The share of messages to a number that are delivered."""
    ends = [fate(loaded, Random(place), number, Channel.SMS).final for place in range(messages)]
    return sum(end is not None and end.word == Status.DELIVERED for end in ends) / messages


def test_the_built_in_ones_are_these() -> None:
    assert tuple(scenario.names()) == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_built_in_one_loads_and_says_what_it_is_like(name: str) -> None:
    loaded = scenario.load(name)

    assert loaded.name == name
    assert len(loaded.description) > 20
    assert "{" not in loaded.description


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_shown_of_one_may_be_given_back(name: str) -> None:
    loaded = scenario.load(name)

    assert scenario.change(EVERYDAY, shapes.scenario(loaded)) == loaded


def test_on_a_calm_day_everything_is_delivered() -> None:
    calm = scenario.load("calm")

    assert [_delivered(calm, number) for number in ("+12125550101", "+23480000012345", "+6421000000")] == [1, 1, 1]


def test_a_bad_day_is_worse_than_any_other() -> None:
    bad = scenario.load("bad-day")

    assert bad.chaos == SOME
    for number in ("+12125550101", "+447700900123", "+4917604069001", "+6421000000"):
        assert _delivered(bad, number) < _delivered(EVERYDAY, number) - 0.05


def test_with_one_network_out_all_others_are_as_ever() -> None:
    out = scenario.load("one-network-out")
    numbers = [f"+1212555{number:04}" for number in range(60)]
    of_the_network = [number for number in numbers if place(out, number)[1].mnc == "260"]
    of_others = [number for number in numbers if number not in of_the_network]

    assert max(_delivered(out, number, 60) for number in of_the_network) < 0.3
    assert min(_delivered(out, number, 60) for number in of_others) > 0.8


def test_what_a_file_does_not_say_is_as_on_any_day(tmp_path: Path) -> None:
    loaded = _load(tmp_path, "countries: {NG: {silent: 0.4}}")

    assert loaded.countries["NG"].silent == 0.4
    assert loaded.countries["NG"].networks == EVERYDAY.countries["NG"].networks
    assert loaded.countries["US"] is EVERYDAY.countries["US"]
    assert (loaded.name, loaded.chaos, loaded.description) == ("mine", EVERYDAY.chaos, "")


def test_a_file_extends_a_built_in_one_or_one_beside_it(tmp_path: Path) -> None:
    _load(tmp_path, "extends: storm\nchaos: {lost: 0.5}", "base.yaml")
    loaded = _load(tmp_path, "extends: base.yaml\nchaos: {duplicates: 0}")

    assert (loaded.chaos.bursts, loaded.chaos.lost, loaded.chaos.duplicates) == (0.6, 0.5, 0)


def test_a_country_and_a_network_may_be_new(tmp_path: Path) -> None:
    text = "countries: {NZ: {rate: 0.1, failures: {'80': 1}, networks: {530-01: {name: One, latency_s: 9}}}}"
    loaded = _load(tmp_path, text)

    assert loaded.countries["NZ"].networks[0].name == "One"
    assert _delivered(loaded, "+6421000000") == 0


def test_magic_numbers_are_added_to_those_there_are(tmp_path: Path) -> None:
    text = "magic: {15551230000: {error_code: 200}, '+15551230001': {answer: throttled}}\nreplies: {hello: Hi!}"
    loaded = _load(tmp_path, text)

    assert loaded.outcome("15551230000") == Outcome(status=Status.FAILED, error_code="200")
    assert loaded.outcome("+15551230001") == Outcome(answer=Answer.THROTTLED)
    assert loaded.outcome("+15005550030") == EVERYDAY.outcome("+15005550030")
    assert loaded.replies["HELLO"] == "Hi!"


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert _load(tmp_path, "").countries == EVERYDAY.countries


def test_json_is_read_as_well(tmp_path: Path) -> None:
    assert _load(tmp_path, '{"description": "\\ud83d\\ude00", "chaos": "some"}').description == "😀"


@pytest.mark.parametrize(("text", "sentence"), [
    ("countrys: {}", "countrys: Extra inputs are not permitted"),
    ("countries: {NG: {silent: 1.5}}", "countries.NG.silent: Input should be less than or equal to 1"),
    ("countries: {NG: {silent: seldom}}", "countries.NG.silent: Input should be a valid number"),
    ("countries: {NG: {networks: {621-30: {weight: 0}, 621-20: {weight: 0}, 621-50: {weight: 0}}}}",
     "countries.NG.networks: one of them needs a weight above 0"),
    ("countries: {Nigeria: {silent: 0.1}}", "countries.Nigeria: give a country's two capital letters, such as NG"),
    ("countries: {NG: {networks: {MTN: {silent: 0.1}}}}", "'MTN' is not written as MCC-MNC, such as 621-30"),
    ("countries: {NG: {networks: {621-30: {latency_s: -1}}}}", "latency_s: Input should be greater than or equal to 0"),
    ("countries: {NG: {failures: {busy: 0.1}}}", "countries.NG.failures.busy"),
    ("countries: {NG: {rate: free}}", "countries.NG.rate"),
    ("chaos: {duplicate: 0.1}", "there is no chaos 'duplicate'; there are bursts, contradicting, duplicates"),
    ("chaos: {duplicates: 2}", "chaos.duplicates is 2.0; give a share from 0 to 1"),
    ("chaos: {duplicates: .nan}", "chaos.duplicates is nan; give a share from 0 to 1"),
    ("chaos: lots", "chaos is 'lots'; give none, some, all, or shares by name"),
    ("magic: {'hello': {error_code: 30}}", "magic.hello is no number"),
    ("magic: {'+15551230000': {status: queued}}", "status is delivered, undelivered or failed"),
    ("magic: {'+15551230000': {status: arrived}}", "magic.+15551230000.status"),
    ("magic: {'+15551230000': {answer: sulk}}", "magic.+15551230000.answer"),
    ("magic: {'+15551230000': {otp: 12}}", "magic.+15551230000.otp"),
    ("extends: nothing", "There is no scenario 'nothing': it is no file (No such file or directory), and none of bad"),
    ("extends: mine.yaml", "extends itself"),
    ("[1, 2]", "is not a mapping of names to values"),
    ("a: [", "is not YAML"),
    ("\x00", "is not YAML"),
    ("[" * 100_000, "is not YAML"),
])  # fmt: skip
def test_a_mistake_is_answered_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        _load(tmp_path, text)

    assert sentence in str(refused.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid) as refused:
        _load(tmp_path, "countries: {NG: {silent: 2, weight: -1}}\nreply: {}")

    assert len(str(refused.value).splitlines()) == 3


def test_a_file_may_not_be_huge(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="is over 1024 KiB"):
        _load(tmp_path, "#" * (scenario.BYTES_MAX + 1))


def test_a_folder_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="it is no file"):
        scenario.load(str(tmp_path))


def test_chaos_changes_by_share_or_by_name() -> None:
    assert scenario.change(EVERYDAY, {"chaos": {"lost": 0.5}}).chaos == Chaos(lost=0.5)
    assert scenario.change(scenario.load("storm"), {"chaos": "some"}).chaos == SOME

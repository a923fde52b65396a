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
    ("countrys: {}", "there is no countrys; did you mean countries?"),
    ("countries: {NG: {silent: 1.5}}", "countries.NG.silent is 1.5; give at most 1."),
    ("countries: {NG: {silent: seldom}}", "countries.NG.silent is 'seldom'; give a number."),
    ("countries: {NG: {failures: {30: 0.6, 50: 0.5}}}",
     "countries.NG.failures: the shares come to 1.1 together; give at most 1 in all."),
    ("elsewhere: {networks: {310-260: {failures: {30: 0.6, 50: 0.5}}}}",
     "elsewhere.networks.310-260.failures: the shares come to 1.1 together"),
    ("countries: {NG: {networks: {621-30: {weight: 0}, 621-20: {weight: 0}, 621-50: {weight: 0}}}}",
     "countries.NG.networks: one of them needs a weight above 0"),
    ("countries: {Nigeria: {silent: 0.1}}",
     "countries.Nigeria: there is no such country; give its two capital letters, such as NG."),
    ("countries: {ng: {silent: 0.1}}", "countries.ng: there is no such country"),
    ("countries: {XX: {silent: 0.1}}", "countries.XX: there is no such country"),
    ("countries: {NG: {networks: {MTN: {silent: 0.1}}}}",
     "countries.NG.networks: 'MTN' is not written as MCC-MNC, such as 621-30"),
    ("elsewhere: {networks: {MTN: {silent: 0.1}}}", "elsewhere.networks: 'MTN' is not written as MCC-MNC"),
    ("countries: {NG: {networks: {٦٢١-30: {silent: 0.1}}}}", "'٦٢١-30' is not written as MCC-MNC"),
    ("countries: {NG: {networks: {621-30: {latency_s: -1}}}}", "621-30.latency_s is -1; give at least 0."),
    ("countries: {NG: {failures: {busy: 0.1}}}",
     "countries.NG.failures.busy is 'busy'; give an error code of Plivo's, such as 30."),
    ("countries: {NG: {rate: free}}", "countries.NG.rate is 'free'; give dollars for a unit, such as 0.0055."),
    ("chaos: {duplicate: 0.1}", "there is no chaos 'duplicate'; there are bursts, contradicting, duplicates"),
    ("chaos: {duplicates: 2}", "chaos.duplicates is 2; give a share from 0 to 1"),
    ("chaos: {duplicates: true}", "chaos.duplicates is true; give a share from 0 to 1"),
    ("chaos: {duplicates: }", "chaos.duplicates is empty; give a share from 0 to 1"),
    ("chaos: {late_s: 1e7}", "chaos.late_s is 10000000.0; give seconds, 30 days at most."),
    ("chaos: [lost]", "chaos is a list; give none, some, all, or shares by name, as in {lost: 0.1}."),
    ("chaos: {duplicates: .nan}", "chaos.duplicates is nan; give a share from 0 to 1"),
    ("chaos: lots", "chaos is 'lots'; give none, some, all, or shares by name"),
    ("magic: {'hello': {error_code: 30}}", "magic.hello is no number; write it as +15551230000."),
    ("magic: {'+١٥٥٥': {error_code: 30}}", "magic.+١٥٥٥ is no number"),
    ("magic: {'+15551230000': {status: queued}}",
     "magic.+15551230000.status is 'queued'; give delivered, undelivered or failed."),
    ("magic: {'+15551230000': {status: [failed]}}", "status is a list; give delivered, undelivered or failed."),
    ("magic: {'+15551230000': {answer: sulk}}",
     "answer is 'sulk'; give bad_request, forbidden, throttled, server_error, hang or hang_up."),
    ("magic: {'+15551230000': {otp: 12}}", "magic.+15551230000.otp is 12; give 4 to 8 digits"),
    ("magic: {'+15551230000': {unknown_status: Odd}}", "unknown_status is 'Odd'; give a word in small letters"),
    ("magic: {'+15551230000': {latency_s: 1e9}}", "latency_s is 1000000000.0; give at most 2592000."),
    ("magic: {'+15551230000': {chaos: {lost: 7}}}", "magic.+15551230000.chaos.lost is 7; give a share from 0 to 1"),
    ("magic: {'+15551230000': {is_silent: true, status: failed}}",
     "magic.+15551230000: what is_silent never ends as failed; leave one of the two out."),
    ("magic: {'+15551230000': {is_silent: true, error_code: 30}}", "what is_silent never ends as error 30"),
    ("extends: [storm]", "extends is no name; give bad-day, calm,"),
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


def test_a_magic_number_may_have_chaos_by_name(tmp_path: Path) -> None:
    loaded = _load(tmp_path, "magic: {+15551230000: {chaos: some}}")

    assert loaded.outcome("+15551230000") == Outcome(chaos=SOME)


def test_chaos_changes_by_share_or_by_name() -> None:
    assert scenario.change(EVERYDAY, {"chaos": {"lost": 0.5}}).chaos == Chaos(lost=0.5)
    assert scenario.change(scenario.load("storm"), {"chaos": "some"}).chaos == SOME

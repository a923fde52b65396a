"""The pytest plugin of `landed[testing]`: the fixture `landed_carrier`, a local carrier for tests of one's own.

    @pytest.mark.landed_carrier(chaos="some")
    def test_orders_are_confirmed(landed_carrier, shop): ...

pytest loads this in every run of every project that has Landed installed: so it imports nothing until it is asked for.
"""

import random
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from landed.testing.carrier import LandedCarrier

_MARK: Final = "landed_carrier"
_SEED: Final = pytest.StashKey[int]()
_USED: Final = pytest.StashKey["LandedCarrier"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("landed")
    group.addoption(
        "--landed-seed", type=int, default=None, help="Seed of the worlds of landed_carrier, to repeat a failure."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{_MARK}(scenario='calm', chaos='none', speed=100, seed=None): what the world of the fixture is like",
    )


@pytest.fixture(scope="session")
def _landed_server() -> "Iterator[LandedCarrier]":
    from landed.testing.carrier import running

    with running() as carrier:
        yield carrier


@pytest.fixture
def landed_carrier(request: pytest.FixtureRequest) -> "Iterator[LandedCarrier]":
    """A local carrier that stands in for Plivo and Routee, with a world of its own for this test."""
    carrier: LandedCarrier = request.getfixturevalue("_landed_server")
    marker = request.node.get_closest_marker(_MARK)
    options: dict[str, Any] = {"seed": _seed(request.config), **(dict(marker.kwargs) if marker else {})}
    carrier.begin(**options)
    request.node.stash[_USED] = carrier
    yield carrier
    carrier.end()


def _seed(config: pytest.Config) -> int:
    """That of the command line, or else one for this run."""
    given: int | None = config.getoption("--landed-seed")
    if given is not None:
        return given
    if _SEED not in config.stash:
        config.stash[_SEED] = random.SystemRandom().randrange(2**31)
    return config.stash[_SEED]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure tells how to repeat it, and what was called back."""
    report = yield
    carrier = item.stash.get(_USED, None)
    if carrier is not None and report.failed and call.when == "call":
        report.sections.append(("landed_carrier", carrier.report()))
    return report

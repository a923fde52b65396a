"""The fixture `landed_carrier` in somebody else's project, tests/packages/web-shop: a web app and Plivo's own SDK."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import httpx
import pytest

from landed.testing.carrier import running

PACKAGE: Final = Path(__file__).parent.parent / "packages/web-shop"
SEED: Final = "4711"
REACHED: Final = "+15005550000"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of that project's tests, in a process of its own."""
    return _run(tmp_path_factory.mktemp("elsewhere"), f"--landed-seed={SEED}")


def _run(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LANDED_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-rA"]
    places = ["-c", str(PACKAGE / "pyproject.toml"), "--rootdir", str(PACKAGE), "--confcutdir", str(PACKAGE)]
    done = subprocess.run(
        [*command, *places, *arguments, str(PACKAGE / "tests")],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_plugin_comes_with_the_package() -> None:
    assert "landed.testing.pytest_plugin" in {each.value for each in entry_points(group="pytest11")}


@pytest.mark.parametrize("name", [
    "test_who_was_not_reached_is_called",
    "test_orders_end_where_the_carrier_says_whatever_goes_wrong_on_the_way",
    "test_a_person_types_the_code_that_was_sent",
    "test_people_write_back",
    "test_time_passes_as_the_test_says",
    "test_no_word_is_no_news",
    "test_the_world_is_as_the_marker_says",
])  # fmt: skip
def test_somebody_elses_tests_work_with_it(ran: str, name: str) -> None:
    assert any(line.startswith("PASSED") and line.endswith(name) for line in ran.splitlines()), ran[-4000:]


def test_a_failure_says_how_to_repeat_it_and_what_was_called_back(ran: str) -> None:
    assert "1 failed, 7 passed" in ran
    assert f"Repeat it with --landed-seed={SEED}" in ran
    assert "No message with to=+15005559008, status=delivered within 0.1 s" in ran
    assert "plivo.message.delivered  POST http://127.0.0.1:" in ran
    assert "to +15005550000: delivered, told delivered; callbacks {'taken': 3}" in ran


def test_the_newest_message_counts_whichever_provider_took_it() -> None:
    with running() as carrier, httpx.Client() as http:
        carrier.begin(seed=1)
        grant = {"grant_type": "client_credentials"}
        given = http.post(f"{carrier.base_url}/oauth/token", auth=carrier.routee[:2], data=grant).json()
        header = {"Authorization": f"Bearer {given['access_token']}"}
        http.post(f"{carrier.base_url}/sms", headers=header, json={"body": "1", "to": REACHED, "from": "ACME"})
        url = f"{carrier.plivo.base_uri}/{carrier.plivo.auth_id}/Message/"
        http.post(url, auth=carrier.plivo[:2], json={"src": "12025550100", "dst": REACHED, "text": "2"})

        newest = carrier.wait_for(to=REACHED, told=False)

        assert len(carrier.messages(to=REACHED)) == 2
    assert (newest["provider"], newest["text"]) == ("plivo", "2")


def test_the_plugin_loads_nothing_before_it_is_asked_for() -> None:
    code = (
        "import sys, landed.testing.pytest_plugin; "
        "print([name for name in sys.modules if name.split('.')[0] in ('starlette', 'uvicorn', 'httpx', 'pydantic')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


def test_runs_without_it_are_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_nothing(): pass\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.stdout.strip().startswith(".")
    assert "landed" not in done.stdout.lower().replace(str(tmp_path).lower(), "")

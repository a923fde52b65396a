"""Pictures of all pages, from the demo: `make screenshots`.

They go to build/screenshots/, each page in light, in dark and on a phone; the overview goes to docs/overview.png, too.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.browser.conftest import find_chromium
from tests.browser.visiting import DESKTOP, PHONE
from tests.walking import walk

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "build" / "screenshots"
README_PICTURE: Final = ROOT / "docs" / "overview.png"
START: Final = "/?since=7d&compare=previous"
#: As wide as README shows it, and as high as one looks at once.
#: Each page is taken in each of these.
WAYS: Final[Sequence[tuple[str, Literal["light", "dark"], ViewportSize]]] = (
    ("light", "light", DESKTOP),
    ("dark", "dark", DESKTOP),
    ("phone", "light", PHONE),
)
_PICTURE: Final[ViewportSize] = {"width": 1280, "height": 1250}
_PICTURE_BYTES_MAX: Final = 200_000
_HISTORY_DAYS: Final = 14
_TRAFFIC_S: Final = 60
_LINK: Final = re.compile(r"Sign in +(http\S+?)(/sign-in/\S+)")
_PROGRESS: Final = re.compile(r"(\d+) min (\d+) s: .*about ([\d,]+) messages.*Landed counts ([\d,]+) messages")
_BEHIND_MAX: Final = 100


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Its address, and the path that signs in, once its history is tracked and something goes on."""
    with tempfile.TemporaryDirectory(prefix="landed-screenshots-") as directory:
        Path(directory).chmod(0o755)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LANDED_")}
        environment |= {"LANDED_DATA_DIR": directory, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "landed", "demo", "--rate=1", "--seed=7", f"--history={_HISTORY_DAYS}d"]
        process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            base_url, path = "", ""
            for line in process.stdout:
                sys.stdout.write(line)
                if link := _LINK.search(line):
                    base_url, path = link.groups()
                if (progress := _PROGRESS.search(line)) and _is_enough(*progress.groups()):
                    break
            assert path, "The demo did not start; what it says is above."
            yield base_url, path
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)


def _is_enough(*progress: str) -> bool:
    minutes, seconds, told, counted = (int(each.replace(",", "")) for each in progress)
    return minutes * 60 + seconds >= _TRAFFIC_S and told - counted < _BEHIND_MAX


def name_of(address: str) -> str:
    """`/messages/0b8f…?since=7d` -> messages-one."""
    path = re.sub(r"/(?!10dlc)[^/]*\d[^/]*", "/one", address.partition("?")[0])
    return path.strip("/").replace("/", "-") or "overview"


def take(page: Page, base_url: str) -> None:
    """A picture of each page in each of the three ways."""

    def look(address: str) -> str:
        page.goto(base_url + address)
        for way, scheme, size in WAYS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            settle(page)
            page.screenshot(path=FOLDER / f"{name_of(address)}-{way}.png", full_page=True)
        page.set_viewport_size(DESKTOP)
        return page.content()

    for address in walk(look, START, filters=False):
        sys.stdout.write(f"{address.partition('?')[0]}\n")


def take_readme_picture(page: Page, base_url: str) -> None:
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(_PICTURE)
    page.goto(base_url + START)
    settle(page)
    page.screenshot(path=README_PICTURE)
    size = README_PICTURE.stat().st_size
    assert size <= _PICTURE_BYTES_MAX, f"{README_PICTURE} has {size:,} bytes."


def settle(page: Page) -> None:
    """Wait until charts are drawn, in the colours and at the width of now."""
    expect(page.locator("[data-chart]:not([data-drawn=yes])")).to_have_count(0, timeout=15_000)
    page.wait_for_timeout(400)


def main() -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium: apt-get install chromium, or name one in CHROMIUM.")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with demo() as (base_url, path), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_context(viewport=DESKTOP, timezone_id="UTC").new_page()
        page.goto(base_url + path)
        take_readme_picture(page, base_url)
        take(page, base_url)
        browser.close()


if __name__ == "__main__":
    main()

"""Colours can be told apart by everybody, and what is taken from Plotly fits the Plotly that is installed."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from landed.web.dashboard import pages

STATIC = Path(pages.__file__).parent / "static"
CSS = (STATIC / "app.css").read_text()
#: What is read on what; WCAG 2.2 AA asks for 4.5 to 1 of text, and 3 to 1 of lines that mean something.
TEXTS = [
    *(
        (text, ground)
        for text in ("text", "muted", "accent", "good", "bad", "warn")
        for ground in ("ground", "surface")
    ),
    *((text, "sunken") for text in ("text", "muted")),
    *((tone, f"{tone}-ground") for tone in ("good", "bad", "warn", "info", "quiet", "accent")),
    ("on-accent", "accent"),
    ("surface", "text"),
]
SHAPES = [*((f"series-{n}", "surface") for n in range(1, 8)), ("line-strong", "surface")]


def _tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block))


def themes() -> dict[str, dict[str, str]]:
    light, dark, by_system = (
        _tokens(block)
        for block in re.findall(r":root(?:\[data-theme=\"dark\"\]|:not\(\[data-theme\]\))? \{(.*?)\}", CSS, re.DOTALL)
    )
    return {"light": light, "dark": dark, "dark by the system": by_system}


def _luminance(colour: str) -> float:
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_and_shape_stands_out_from_its_ground(theme: str) -> None:
    tokens = themes()[theme]

    weak = {
        pair: round(contrast, 2)
        for pairs, least in ((TEXTS, 4.5), (SHAPES, 3.0))
        for pair in pairs
        if (contrast := _contrast(tokens[pair[0]], tokens[pair[1]])) < least
    }
    assert weak == {}


def test_dark_is_the_same_chosen_or_by_the_system() -> None:
    assert themes()["dark"] == themes()["dark by the system"]
    assert themes()["dark"].keys() == themes()["light"].keys()


def test_the_rules_for_charts_are_of_the_plotly_that_is_installed() -> None:
    found = find_spec("plotly")
    assert found is not None
    assert found.origin is not None
    script = (Path(found.origin).parent / "package_data" / "plotly.min.js").read_text()
    rules = re.sub(r"/\*.*?\*/", "", (STATIC / "plotly.css").read_text(), flags=re.DOTALL)

    assert "no-inline-styles" in script
    assert [name for name in re.findall(r"\.([a-z][\w-]*)[^{}]*\{", rules) if name not in script] == []


def test_scripts_load_only_files_of_ours() -> None:
    for path in STATIC.glob("*.js"):
        text = path.read_text()
        for imported in re.findall(r"""(?:from|import)\s*\(?\s*["']([^"']+)["']""", text):
            assert (STATIC / imported).is_file(), f"{path.name}: {imported}"
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|\beval\(|new Function", text), path.name

"""What users meet has its place in the documentation, and what the documentation names is there."""

import importlib
import pkgutil
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from typer.main import get_command

import landed
from landed import docs, settings
from landed.cli import app
from landed.domain.errors import LandedError
from landed.domain.receipts import RegistrationStatus, SessionStatus, Source
from landed.domain.statuses import Status
from landed.providers import registry
from landed.web import metrics

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
TEXTS: Final = {
    **{f"docs/{name}": text for name, text in PAGES.items()},
    **{name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")},
}
_LINK: Final = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_COMMAND: Final = re.compile(r"(?:^|[ (/])landed ((?:[a-z0-9]+(?:-[a-z]+)*\b ?)+)", re.MULTILINE)


def _code_of(text: str) -> str:
    """All that a page shows as code: fenced blocks, and words between backticks."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    words = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *words])


def _headings(text: str) -> list[str]:
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [heading.replace("`", "") for heading in re.findall(r"^#+ (.+)$", outside, re.MULTILINE)]


def _anchor(heading: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
    else:
        for name, each in inner.items():
            yield from _commands(each, (*path, name))


COMMANDS: Final = sorted(_commands(get_command(app)))


def _codes() -> list[str]:
    """The codes of all errors, wherever in the package they are defined."""
    for module in pkgutil.walk_packages(landed.__path__, "landed."):
        if not re.search(r"migrations|__main__|_pb2", module.name):
            importlib.import_module(module.name)
    found, waiting = set(), [LandedError]
    while waiting:
        error = waiting.pop()
        found.add(error.code)
        waiting += error.__subclasses__()
    return sorted(found)


def _metric_names() -> list[str]:
    """As they are exposed: a counter's name ends in `_total`."""
    source = Path(str(metrics.__file__)).read_text(encoding="utf-8")
    found = re.findall(r'(Counter|Gauge|Histogram)MetricFamily\(\s*"(landed_\w+)"', source)
    return sorted(f"{name}_total" if kind == "Counter" else name for kind, name in found)


def _links() -> list[tuple[str, str]]:
    return [
        (name, target)
        for name, text in TEXTS.items()
        for target in _LINK.findall(text)
        if not re.match(r"https?:|mailto:", target)
    ]


def _named_commands() -> list[tuple[str, str]]:
    """What pages show as code that begins with `landed`, up to the first option or capital letter."""
    return sorted({(name, words.strip()) for name, text in TEXTS.items() for words in _COMMAND.findall(_code_of(text))})


@pytest.mark.parametrize("name", sorted(docs.PAGES))
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert PAGES[name] == docs.PAGES[name](), "run `make docs`"


def test_check_says_which_page_is_out_of_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(DOCS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "settings.md").write_text("old\n")

    assert docs.main(["--check"], tmp_path) == 1
    assert "docs/settings.md is out of date" in capsys.readouterr().err
    assert docs.main([], tmp_path) == 0
    assert docs.main(["--check"], tmp_path) == 0


def test_generated_pages_do_not_depend_on_who_writes_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = {name: page() for name, page in docs.PAGES.items()}
    for name, value in {"LANDED_PORT": "9", "HOME": str(tmp_path), "COLUMNS": "40", "XDG_DATA_HOME": "/x"}.items():
        monkeypatch.setenv(name, value)

    assert {name: page() for name, page in docs.PAGES.items()} == before


@pytest.mark.parametrize("setting", [settings.variable(name) for name in settings.Settings.model_fields])
def test_every_setting_has_its_section(setting: str) -> None:
    assert setting in _headings(PAGES["settings.md"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_its_section(command: tuple[str, ...]) -> None:
    assert f"landed {' '.join(command)}" in _headings(PAGES["commands.md"])


@pytest.mark.parametrize("code", _codes())
def test_every_error_code_is_explained(code: str) -> None:
    told = PAGES["reading.md"] + PAGES["receiving.md"] + PAGES["dashboard.md"]
    assert re.search(rf"^\|.*`{code}` \|", told, re.MULTILINE)


@pytest.mark.parametrize("name", _metric_names())
def test_every_metric_is_explained(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", PAGES["operations.md"], re.MULTILINE)


@pytest.mark.parametrize("status", [*Status])
def test_every_status_is_explained(status: Status) -> None:
    assert re.search(rf"^\| `{status}` \|", PAGES["statuses.md"], re.MULTILINE)


@pytest.mark.parametrize("status", [*SessionStatus])
def test_every_status_of_a_session_is_explained(status: SessionStatus) -> None:
    assert re.search(rf"^\| `{status}` \|", PAGES["verify.md"], re.MULTILINE)


@pytest.mark.parametrize("status", [*RegistrationStatus])
def test_every_status_of_a_registration_is_explained(status: RegistrationStatus) -> None:
    assert re.search(rf"^\| `{status}` \|", PAGES["10dlc.md"], re.MULTILINE)


@pytest.mark.parametrize("source", [*Source])
def test_every_source_of_a_receipt_is_explained(source: Source) -> None:
    assert f"`{source}`" in PAGES["statuses.md"]


@pytest.mark.parametrize("provider", registry.BUILT_IN, ids=lambda provider: provider.name)
def test_every_provider_has_its_page_with_all_its_policies(provider: Any) -> None:
    for policy in provider.policies:
        assert re.search(rf"^\| `{policy}` ", PAGES[f"{provider.name}.md"], re.MULTILINE)


@pytest.mark.parametrize(("page", "target"), _links())
def test_links_lead_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page

    assert file.exists()
    if anchor:
        assert anchor in [_anchor(heading) for heading in _headings(file.read_text(encoding="utf-8"))]


def test_every_page_is_in_the_index() -> None:
    assert set(PAGES) - {"index.md"} == {target for target in _LINK.findall(PAGES["index.md"]) if target in PAGES}


@pytest.mark.parametrize(("page", "words"), _named_commands())
def test_commands_that_pages_name_exist(page: str, words: str) -> None:
    given = tuple(words.split())
    groups = {command[:length] for command in COMMANDS for length in range(1, len(command))}

    # What follows a command are its arguments.
    assert given in groups or any(given[: len(command)] == command for command in COMMANDS)


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_words_of_make_that_pages_name_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    words = re.findall(r"(?:^|[`\s])make ([a-z]+)", _code_of(TEXTS[page]))

    assert [word for word in words if not re.search(rf"^{word}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_settings_that_pages_name_exist(page: str) -> None:
    known = {settings.variable(name) for name in settings.Settings.model_fields} | settings.COMMAND_VARIABLES
    named = {name.removesuffix("_FILE") for name in re.findall(r"LANDED_[A-Z_]*[A-Z]", TEXTS[page])}

    assert named <= known


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_files_that_pages_name_exist(page: str) -> None:
    named = re.findall(r"`((?:src|tests|docs|benchmarks)/[\w/.-]+)`", TEXTS[page])
    inside = re.findall(r"`((?:domain|providers|store|journal|services|web|cli|simulator)/[\w/.-]+)`", TEXTS[page])

    missing = [name for name in named if not (ROOT / name).exists()]
    missing += [name for name in inside if not (ROOT / "src" / "landed" / name).exists()]
    assert missing == []

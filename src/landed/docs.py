"""`make docs`: write the generated pages of docs/ from the code they describe.

    python -m landed.docs [--check]

settings.md comes from settings.py, commands.md from the command line, error-codes.md from the tables of the providers.
The same code gives the same bytes on any machine. `--check` writes nothing, and exits 1 where a page is out of date.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer
from typer.main import get_command

from landed import settings
from landed.cli import app
from landed.domain import our_codes
from landed.domain.meanings import Fault, Meaning
from landed.providers import registry

DIRECTORY: Final = Path(__file__).parents[2] / "docs"

_SETTINGS: Final = """
# Settings

A setting is an environment variable, or the contents of the file that the same variable with `_FILE` behind it
names: `LANDED_SECRET_KEY_FILE=/run/secrets/landed`. Both may also stand in a file `.env` in the working directory; the
environment goes first, and an empty value counts as unset. Settings are read once, at the start.

`landed settings` prints all of them with their values and where those come from, and names `LANDED_…` variables that
nothing reads: typing errors, most likely. Secrets are shown as stars.

Three variables are no settings: `LANDED_AUTH_TOKEN` and `LANDED_MAIN_TOKEN` hold the tokens for `landed accounts add`,
`landed accounts add-token` and `landed trigger` where no token file is named, and `LANDED_API_KEY` the key for
`landed listen --server`.
"""
_COMMANDS: Final = """
# Commands

Data goes to standard output, as a table or with `--json` as JSON; talk goes to standard error. Exit code 0 means done,
1 failed, 2 misused. Commands work whether Landed runs or not: they open the database themselves, with the same
[settings](settings.md). Every command takes `--help`.
"""
_ERROR_CODES: Final = """
# Error codes of the providers

A message that failed carries the provider's `error_code`, and in `error` what that means: a title, what to do now,
whose side the fault is on, and whether sending it again can help. A provider that tells a reason in words has no codes:
there `error_code` is `null` and the words are `provider_reason`; filters and analytics take them as they take codes.
Why a message never reached a provider is told in codes of Landed's own, which come first here. A code or reason that is
not listed stays as it came, is counted like any other, and is explained as unknown. None ever changes a status.

Codes of the API's own errors are in [Reading](reading.md#errors); why callbacks are refused or set aside is in
[Receiving](receiving.md).
"""
_RETRYABLE: Final = {True: "yes", False: "no", None: "nobody knows"}
_FAULTS: Final = {
    Fault.CONTENT: "the text or media",
    Fault.FILTERED: "a filter on the way",
    Fault.SENDER: "the number or name it was sent from",
    Fault.RECIPIENT: "the number it was sent to",
    Fault.ROUTING: "the way there",
    Fault.CARRIER: "the mobile network",
    Fault.PLATFORM: "the provider",
    Fault.POLICY: "a rule of the account or the country",
    Fault.EXPIRED: "it waited too long",
    Fault.ACCOUNT: "credit or standing of the account",
    Fault.OPT_OUT: "the person said STOP",
    Fault.UNKNOWN: "nobody knows",
}


def settings_page() -> str:
    """Every setting with its meaning, its default and what it may be."""
    # The defaults of nobody in particular: neither the environment nor the home of whoever runs this may show.
    defaults = settings.Settings.model_construct(data_dir=Path("~/.local/share/landed"))
    described = settings.describe(defaults)
    index = [f"| [`{each.variable}`](#{_anchor(each.variable)}) | {_code(each.value)} |" for each in described]
    sections = [line for each in described for line in _setting(each)]
    return _page("src/landed/settings.py", _SETTINGS, ["| setting | if unset |", "| --- | --- |", *index], sections)


def _setting(described: settings.Described) -> Iterator[str]:
    yield from (f"## {described.variable}", "", _sentence(described.meaning), "")
    yield f"- Default: {_code(described.value)}"
    yield f"- Give {described.give}."
    yield ""


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` tells them."""
    commands = list(_commands(get_command(app), ("landed",)))
    index = [f"| [`{name}`](#{_anchor(name)}) | {_cell(_short(command))} |" for name, command in commands]
    sections = [line for name, command in commands for line in _command(name, command)]
    return _page("src/landed/cli/", _COMMANDS, ["| command | what it does |", "| --- | --- |", *index], sections)


def _commands(command: Any, path: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Single commands first, then groups, each by name."""
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    shown = {name: inner for name, inner in command.commands.items() if not inner.hidden}
    for name, inner in sorted(shown.items(), key=lambda item: (hasattr(item[1], "commands"), item[0])):
        yield from _commands(inner, (*path, name))


def _short(command: Any) -> str:
    return str(command.short_help or command.help.partition("\n")[0])


def _command(name: str, command: Any) -> Iterator[str]:
    shown = [parameter for parameter in command.params if not parameter.hidden]
    arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
    usage = [name, *(["[OPTIONS]"] if len(arguments) < len(shown) else []), *map(_argument, arguments)]
    yield from (f"## {name}", "", "```", " ".join(usage), "```", "")
    for paragraph in re.split(r"\n\s*\n", command.help.strip()):
        yield from (_example(" ".join(paragraph.split())), "")
    if shown:
        yield from ("| | |", "| --- | --- |")
        context = typer.Context(command, info_name=name)
        for parameter in shown:
            spelled, told = parameter.get_help_record(context)
            yield f"| `{_cell(spelled.replace(' range>', '>'))}` | {_cell(_limits(told))} |"
        yield ""
    if command.epilog:
        yield from (command.epilog, "")


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _example(paragraph: str) -> str:
    """`Example: landed …` with the command as code, whichever way it is written."""
    told = re.fullmatch(r"Example: `?(.+?)`?", paragraph)
    return f"Example: `{told[1]}`" if told else paragraph


def _limits(told: str) -> str:
    """`Text.  [default: (7d); required]`, as the help screen has it, in words."""
    text, bracket, limits = told.rpartition("  [")
    if not bracket:
        return told
    words = [re.sub(r"^default: \(?(.*?)\)?$", r"default \1", limit) for limit in limits.rstrip("]").split("; ")]
    return f"{text} ({'; '.join(words)})"


def error_codes_page() -> str:
    """Every error code of every provider, explained."""
    tables = {"landed": our_codes.MEANINGS, **{each.name: _meanings(each.name) for each in registry.BUILT_IN}}
    faults = [f"| `{fault}` | {_FAULTS[fault]} |" for fault in Fault]
    sections = [line for name, table in tables.items() for line in _code_table(name, table)]
    source = "src/landed/providers/*/error_codes.py"
    return _page(source, _ERROR_CODES, ["| fault | whose side it is on |", "| --- | --- |", *faults], sections)


def _page(source: str, head: str, index: Sequence[str], sections: Sequence[str]) -> str:
    warning = f"<!-- Written by `make docs` from {source}: edit that instead. -->"
    return "\n".join([warning, "", head.strip(), "", *index, "", *sections]).rstrip() + "\n"


def _meanings(provider: str) -> Mapping[str, Meaning]:
    """By convention a provider's table is `MEANINGS` in its error_codes.py."""
    meanings: Mapping[str, Meaning] = import_module(f"landed.providers.{provider}.error_codes").MEANINGS
    return meanings


def _code_table(provider: str, meanings: Mapping[str, Meaning]) -> Iterator[str]:
    yield from (f"## {provider}", "", "| code or reason | meaning | what to do | fault | send it again |")
    yield "| --- | --- | --- | --- | --- |"
    for code, meaning in sorted(meanings.items(), key=lambda item: (len(item[0]), item[0])):
        cells = (f"`{code}`", meaning.title, meaning.advice, f"`{meaning.fault}`", _RETRYABLE[meaning.retryable])
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _code(value: str | None) -> str:
    return "none" if value is None else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "error-codes.md": error_codes_page,
}


def main(arguments: Sequence[str], directory: Path = DIRECTORY) -> int:
    """Write the pages that changed, or only name them; the exit code."""
    if unknown := set(arguments) - {"--check"}:
        sys.stderr.write(f"Cannot use {', '.join(sorted(unknown))}; the only option is --check.\n")
        return 2
    if not directory.is_dir():
        sys.stderr.write(f"There is no {directory}: run this in a clone of the repository.\n")
        return 1
    changed = [name for name, page in PAGES.items() if _written(directory / name) != page()]
    if "--check" in arguments:
        for name in changed:
            sys.stderr.write(f"docs/{name} is out of date: run `make docs`.\n")
        return 1 if changed else 0
    for name in changed:
        (directory / name).write_text(PAGES[name](), encoding="utf-8")
        sys.stdout.write(f"docs/{name}\n")
    return 0


def _written(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Every command's help has the same form: an example, what it does, the variables it reads."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from landed.cli import app
from landed.cli.durations import Duration, duration


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from _commands(inner, f"{path} {name}")


#: Commands that need no setting.
READ_NOTHING = {"landed simulate"}


@pytest.mark.parametrize(("path", "command"), list(_commands(get_command(app), "landed")))
def test_help_begins_with_an_example_and_ends_with_the_variables(path: str, command: Any) -> None:
    example, told, *_ = command.help.split("\n\n")

    assert example.startswith(f"Example: {path}")
    assert told
    assert command.short_help
    if path in READ_NOTHING:
        assert command.epilog is None
    else:
        assert command.epilog.startswith("Reads ")
        assert "LANDED_" in command.epilog


@pytest.mark.parametrize("text", ["0s", "45s", "30m", "5h", "7d"])
def test_length_of_time_is_shown_as_it_is_given(text: str) -> None:
    assert str(duration(text)) == text
    assert str(Duration(hours=24)) == "1d"

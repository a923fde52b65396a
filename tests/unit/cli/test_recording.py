"""Which commands the audit log keeps."""

import inspect

import pytest
from typer.main import get_command

from landed.cli import app, keys, recording, verify


@pytest.mark.parametrize(
    "path", ["keys create", "users password", "accounts add plivo", "messages send", "callbacks replay", "verify check"]
)
def test_what_changes_something_is_kept(path: str) -> None:
    assert recording._changes(path)


@pytest.mark.parametrize(
    "path", ["keys list", "messages show", "audit", "report", "accounts check", "callbacks doctor"]
)
def test_what_only_reads_is_not(path: str) -> None:
    assert not recording._changes(path)


def test_a_command_is_known_by_the_words_it_is_called_by() -> None:
    assert recording._path(inspect.unwrap(keys.show_all)) == "keys list"
    assert recording._path(inspect.unwrap(verify.check)) == "verify check"
    assert recording._path(test_a_command_is_known_by_the_words_it_is_called_by) is None


def test_every_word_that_stands_for_reading_is_one_of_a_command() -> None:
    words = {path.rpartition(" ")[2] for path, _ in recording._commands(get_command(app))}

    assert words >= recording._READING

"""What is written where: our events, and what libraries say."""

import json
import subprocess
import sys
from typing import Any

SETTING = "import logging; from landed import logs; logs.configure('info', role='web'); "


def said(program: str) -> list[Any]:
    """What a process of its own writes to its standard error, where that is no terminal."""
    ran = subprocess.run([sys.executable, "-c", SETTING + program], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "")
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_what_a_library_says_is_a_line_like_ours() -> None:
    (line,) = said("logging.getLogger('a.library').warning('%s of %s', 3, 'ten')")

    assert line.pop("timestamp")
    assert line == {
        "event": "library", "level": "warning", "role": "web", "library": "a.library", "says": "3 of ten",
    }  # fmt: skip


def test_what_a_library_says_of_an_exception_stays_on_one_line() -> None:
    (line,) = said("""
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger('a.library').exception('It failed.')
""")

    assert (line["level"], line["says"]) == ("error", "It failed.")
    assert "ZeroDivisionError" in line["exception"]


def test_a_level_of_a_librarys_own_is_told_as_the_next_below() -> None:
    (line,) = said("logging.getLogger('a.library').log(35, 'odd')")

    assert (line["level"], line["says"]) == ("warning", "odd")


def test_what_libraries_say_of_their_work_is_not_written() -> None:
    assert said("logging.getLogger('a.library').info('works')") == []


def test_attempts_to_connect_to_the_database_are_not_written() -> None:
    assert said("logging.getLogger('psycopg.pool').warning('error connecting in %r: %s', 'pool-1', 'refused')") == []

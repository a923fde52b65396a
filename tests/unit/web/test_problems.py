"""What is written down of a request that failed."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from landed.domain import numbers
from landed.web import problems

NUMBER = "+14155550123"
SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": f"/messages/{NUMBER}",
    "route": SimpleNamespace(path="/messages/{message_id}"),
}


def logged(fail: Callable[[], Any], scope: dict[str, Any]) -> Any:
    with pytest.raises(Exception) as failed:  # noqa: PT011  whatever it is
        fail()
    with capture_logs() as logs:
        problems.log_unexpected("page_failed", scope, failed.value)
    [line] = logs
    return line


def _fail_within_ours() -> None:
    numbers.mask(None)  # type: ignore[arg-type]


def _fail_for_a_reason() -> None:
    try:
        _fail_within_ours()
    except TypeError as error:
        raise ValueError(f"{NUMBER} is no number") from error


def test_it_says_what_failed_and_the_lines_of_ours_it_went_through() -> None:
    line = logged(_fail_within_ours, SCOPE)

    assert (line["event"], line["log_level"]) == ("page_failed", "error")
    assert (line["method"], line["route"], line["error"]) == ("GET", "/messages/{message_id}", "TypeError")
    assert [each.rpartition(":")[0] for each in line["lines"]] == ["domain/numbers.py"]


def test_it_says_what_the_failure_came_from() -> None:
    assert logged(_fail_for_a_reason, SCOPE)["error"] == "ValueError from TypeError"


def test_it_holds_no_number_of_the_path_or_the_message() -> None:
    assert NUMBER not in str(logged(_fail_for_a_reason, SCOPE))


def test_what_was_no_route_is_told_all_the_same() -> None:
    assert logged(_fail_within_ours, {"type": "http"})["route"] is None

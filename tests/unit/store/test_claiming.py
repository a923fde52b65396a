"""Claiming some of many: the rows to take are chosen once."""

import re
from pathlib import Path

import landed.store

#: PostgreSQL may run such a subquery for each row it compares with, and each time it locks and gives other rows.
_CHOSEN_AGAIN = re.compile(r"IN\s*\(\s*SELECT(?:(?!\)\)|RETURNING).)*?LIMIT(?:(?!RETURNING).)*?FOR UPDATE", re.DOTALL)


def test_no_statement_chooses_what_it_claims_in_a_subquery_that_may_run_twice() -> None:
    modules = [*Path(landed.store.__file__).parent.glob("*.py")]

    assert [path.name for path in modules if _CHOSEN_AGAIN.search(path.read_text())] == []

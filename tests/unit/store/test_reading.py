"""What errors of the database tell."""

from landed.store import reading


def test_an_error_of_a_query_tells_nothing_of_whom_was_asked_for() -> None:
    """The queries of readers carry numbers and texts; SQLAlchemy puts them into its errors unless told otherwise."""
    assert reading.engine("postgresql://nobody@localhost/nothing").sync_engine.hide_parameters

"""How `landed` ends where a command fails."""

from collections.abc import Sequence

import pytest

from landed import cli


def test_bytes_that_are_no_text_are_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def app(args: Sequence[str]) -> None:
        args[-1].encode()  # as the database does with what it is asked

    monkeypatch.setattr(cli, "app", app)

    with pytest.raises(SystemExit) as ended:
        cli.main(["users", "disable", "\udcff"])

    assert ended.value.code == 2
    assert "no UTF-8 text" in capsys.readouterr().err

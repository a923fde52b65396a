"""Accounts and keys as an operator handles them: the real command, a real database."""

import json
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from landed import cli
from landed.store import embedded
from tests.conftest import wait_until_stopped

AUTH_TOKEN = "hunter2-the-auth-token"
MAIN_TOKEN = "hunter3-the-main-token"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class Landed:
    """`landed` in this process, with the exit code, stdout and stderr that a shell would see."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.said = ""

    def __call__(self, *arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        out, err = self._capsys.readouterr()
        self.said += out + err
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, out, err)


@pytest.fixture
def landed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Landed:
    (tmp_path / "auth").write_text(f"{AUTH_TOKEN}\n")
    (tmp_path / "main").write_text(f"{MAIN_TOKEN}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LANDED_DATABASE_URL", database_url)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LANDED_PUBLIC_URL", "https://landed.test")
    return Landed(capsys)


def add(landed: Landed, name: str = "shop", *more: str) -> Ran:
    return landed("accounts", "add", "plivo", name, "--auth-id", "MA123", "--auth-token-file", "auth", *more)


def dump(database_url: str) -> str:
    """Everything the tables of accounts and keys hold, as text; bytes as hexadecimal and as characters."""
    text = ""
    with psycopg.connect(database_url) as connection:
        for table in ("accounts", "account_tokens", "account_paths", "api_keys"):
            for row in connection.execute(f"SELECT * FROM {table}").fetchall():
                text += " ".join(
                    f"{value!r} {value.hex()}" if isinstance(value, bytes) else str(value) for value in row
                )
    assert text
    return text


def test_added_account_prints_its_callback_url_alone_to_stdout(landed: Landed) -> None:
    ran = add(landed)

    assert ran.code == 0
    assert ran.out.startswith("https://landed.test/callbacks/")
    assert len(ran.out.split()) == 1
    assert "The account 'shop' is kept" in ran.err


def test_json_of_account_and_key_has_the_documented_shape(landed: Landed) -> None:
    account = add(
        landed, "shop", "--main-token-file", "main", "--path", "/plivo/status", "--policy", "any", "--json"
    ).data
    key = landed("keys", "create", "grafana", "--scope", "read", "--account", "shop", "--json").data

    assert account == {"name": "shop", "callback_url": account["callback_url"]}
    assert key == {"name": "grafana", "key": key["key"]}
    shown = landed("accounts", "show", "shop", "--json").data
    assert shown["callback_url"] == account["callback_url"]
    assert [url["url"] for url in shown["urls"]] == [account["callback_url"], "https://landed.test/plivo/status"]
    assert [(token["role"], token["expires_at"]) for token in shown["tokens"]] == [("account", None), ("main", None)]
    assert (shown["provider"], shown["provider_account_id"], shown["policy"]) == ("plivo", "MA123", "any")
    assert landed("accounts", "list", "--json").data == {"data": [shown], "next_cursor": None}
    [listed] = landed("keys", "list", "--json").data["data"]
    assert (listed["name"], listed["scope"], listed["account"], listed["hint"]) == (
        "grafana",
        "read",
        "shop",
        key["key"][:11],
    )


def test_no_secret_is_printed_or_stored_in_clear(landed: Landed, database_url: str) -> None:
    url = add(landed, "shop", "--main-token-file", "main", "--path", "/plivo/status", "--json").data["callback_url"]
    key = landed("keys", "create", "grafana", "--scope", "admin", "--json").data["key"]
    landed.said = ""

    for arguments in (
        ["accounts", "list"],
        ["accounts", "show", "shop"],
        ["accounts", "show", "shop", "--json"],
        ["keys", "list"],
        ["keys", "list", "--json"],
        ["settings"],
    ):
        assert landed(*arguments).code == 0
    add(landed)

    assert not any(secret in landed.said for secret in (AUTH_TOKEN, MAIN_TOKEN, key))
    stored = dump(database_url)
    for secret in (AUTH_TOKEN, MAIN_TOKEN, key, url.rpartition("/")[2], "/plivo/status"):
        assert secret not in stored
        assert secret.encode().hex() not in stored


def test_token_comes_from_standard_input_or_a_variable(
    landed: Landed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "auth").open() as standard_input:
        monkeypatch.setattr(sys, "stdin", standard_input)
        from_input = landed("accounts", "add", "plivo", "a", "--auth-id", "MA1", "--auth-token-file", "-")
    monkeypatch.setenv("LANDED_AUTH_TOKEN", AUTH_TOKEN)
    from_variable = landed("accounts", "add", "plivo", "b", "--auth-id", "MA1")

    assert (from_input.code, from_variable.code) == (0, 0)


def test_rotated_key_and_tokens_are_live_together(landed: Landed, tmp_path: Path) -> None:
    old = add(landed, "shop", "--json").data["callback_url"]
    new = landed("accounts", "rotate-key", "shop", "--keep-for", "24h", "--json").data["callback_url"]
    (tmp_path / "new").write_text("a-new-token")
    added = landed("accounts", "add-token", "shop", "--auth-token-file", "new", "--json").data["tokens"]
    landed("accounts", "expire-token", "shop", "1", "--keep-for", "1h")

    shown = landed("accounts", "show", "shop", "--json").data

    assert old != new == shown["callback_url"]
    assert [(url["url"], url["expires_at"] is None) for url in shown["urls"]] == [(old, False), (new, True)]
    assert [(token["id"], token["expires_at"] is None) for token in shown["tokens"]] == [
        (1, False),
        (added[0]["id"], True),
    ]


def test_paths_come_and_go(landed: Landed) -> None:
    add(landed)
    assert landed("accounts", "add-path", "shop", "/plivo/status").out == "https://landed.test/plivo/status\n"
    taken = add(landed, "other", "--path", "/plivo/status")
    assert (taken.code, taken.err) == (2, "The path /plivo/status is taken by the account 'shop'; choose another.\n")
    assert landed("accounts", "remove-path", "shop", "/plivo/status").code == 0
    assert add(landed, "other", "--path", "/plivo/status").code == 0


def test_policy_is_changed(landed: Landed) -> None:
    add(landed)
    assert (
        landed("accounts", "set-policy", "shop", "v3-only").err == "The policy of the account 'shop' is v3-only now.\n"
    )
    assert landed("accounts", "set-policy", "shop", "any", "--json").data == {"name": "shop", "policy": "any"}
    refused = landed("accounts", "set-policy", "shop", "lax")
    assert (refused.code, refused.out) == (2, "")
    assert "plivo has no policy 'lax'; there are: v3-preferred" in refused.err
    assert landed("accounts", "show", "shop", "--json").data["policy"] == "any"


def test_account_of_a_provider_that_signs_nothing_asks_for_its_own_names(
    landed: Landed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANDED_AUTH_TOKEN", "of-another-provider")
    (tmp_path / "basic").write_text("user:hunter4\n")

    bare = landed("accounts", "add", "routee", "bare", "--application-id", "5756a411")
    options = ["--application-secret-file", "auth", "--basic-file", "basic", "--allow-address", "203.0.113.0/24"]
    landed("accounts", "add", "routee", "guarded", "--application-id", "5756a411", *options)

    assert (bare.code, bare.out.startswith("https://landed.test/callbacks/")) == (0, True)
    assert "routee signs nothing: whoever knows an address of the account" in bare.err
    assert landed("accounts", "show", "bare", "--json").data["tokens"] == []
    shown = landed("accounts", "show", "guarded", "--json").data
    assert [token["role"] for token in shown["tokens"]] == ["account", "basic"]
    assert (shown["policy"], shown["allowed_addresses"]) == ("unsigned", ["203.0.113.0/24"])
    assert "203.0.113.0/24" in landed("accounts", "show", "guarded").out
    assert "hunter4" not in landed.said


def test_addresses_come_and_go(landed: Landed) -> None:
    add(landed)
    added = landed("accounts", "add-address", "shop", "CALLBACKS.example.com")
    assert "takes callbacks from callbacks.example.com, and from no address that is not added" in added.err
    assert landed("accounts", "show", "shop", "--json").data["allowed_addresses"] == ["callbacks.example.com"]
    removed = landed("accounts", "remove-address", "shop", "callbacks.example.com")
    assert "callbacks are taken from anywhere now" in removed.err
    assert landed("accounts", "show", "shop", "--json").data["allowed_addresses"] == []


def test_default_address_is_named_with_what_to_set(landed: Landed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANDED_PUBLIC_URL")

    ran = add(landed)

    assert (ran.code, ran.out.startswith("http://127.0.0.1:8080/callbacks/")) == (0, True)
    assert "http://127.0.0.1:8080 is the default address." in ran.err
    assert "set LANDED_PUBLIC_URL to the address" in ran.err


def test_account_is_disabled_and_enabled(landed: Landed) -> None:
    add(landed)
    assert landed("accounts", "disable", "shop").code == 0
    assert landed("accounts", "show", "shop", "--json").data["disabled_at"] is not None
    assert landed("accounts", "enable", "shop").code == 0
    assert landed("accounts", "show", "shop", "--json").data["disabled_at"] is None


def test_revoked_key_is_listed_as_such(landed: Landed) -> None:
    landed("keys", "create", "grafana", "--scope", "read")
    assert landed("keys", "revoke", "grafana").code == 0
    assert landed("keys", "list", "--json").data["data"][0]["revoked_at"] is not None


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ("accounts add plivo shop --auth-id MA1", 2, "The auth token is missing: give --auth-token-file FILE"),
        (
            "accounts add plivo shop --auth-id MA1 --auth-token-file nowhere",
            2,
            "'nowhere' cannot be read: No such file",
        ),
        ("accounts add plivo shop --auth-token-file auth", 2, "Missing option '--auth-id'"),
        ("accounts add plivo Shop --auth-id MA1 --auth-token-file auth", 2, "'Shop' cannot be the name of an account"),
        ("accounts add plvio shop", 2, "No such command 'plvio'"),
        ("accounts add routee shop --application-id 1 --main-token-file main", 2, "No such option: --main-token-file"),
        ("accounts add routee shop --application-id 1 --policy any", 2, "No such option: --policy"),
        ("accounts add routee shop --application-id 1 --basic-file auth", 2, "have to be user:password"),
        ("accounts add routee shop --application-id 1 --allow-address here", 2, "'here' is no address"),
        ("accounts add-address shop 1.2.3", 2, "'1.2.3' is no address"),
        ("accounts remove-address nobody 1.2.3.4", 1, "There is no account 'nobody'"),
        ("accounts add-token shop", 2, "The token is missing"),
        ("accounts add-token shop --auth-token-file - --main-token-file -", 2, "Only one of the tokens"),
        ("accounts set-policy nobody any", 1, "There is no account 'nobody'"),
        ("accounts show nobody", 1, "There is no account 'nobody'"),
        ("accounts rotate-key nobody --keep-for soon", 2, "'soon' is no length of time"),
        ("keys create grafana --scope all", 2, "'all'"),
        ("keys create Grafana --scope read", 2, "'Grafana' cannot be the name of an API key"),
        ("keys create grafana --scope read --account nobody", 1, "There is no account 'nobody'"),
        ("keys revoke nobody", 1, "There is no key 'nobody'"),
        ("nothing", 2, "No such command 'nothing'"),
    ],
)
def test_error_is_a_sentence_on_stderr(landed: Landed, arguments: str, code: int, sentence: str) -> None:
    ran = landed(*arguments.split())

    assert (ran.code, ran.out) == (code, "")
    assert sentence in " ".join(ran.err.replace("│", "").split())
    assert "Traceback" not in ran.err


def test_secret_key_of_another_database_is_refused(landed: Landed, monkeypatch: pytest.MonkeyPatch) -> None:
    add(landed)
    monkeypatch.setenv("LANDED_SECRET_KEY", "a secret key that was never used here")

    ran = add(landed, "other")

    assert ran.code == 2
    assert "LANDED_SECRET_KEY does not fit this database" in ran.err


def test_generated_secret_key_is_its_owners_alone(landed: Landed, tmp_path: Path) -> None:
    add(landed)

    assert stat.S_IMODE((tmp_path / "data" / "secret-key").stat().st_mode) == 0o600


def test_database_that_is_away_is_a_sentence(landed: Landed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_DATABASE_URL", "postgresql://landed:hunter4@127.0.0.1:1/landed")

    ran = landed("accounts", "list")

    assert ran.code == 1
    assert "The database cannot be reached" in ran.err
    assert "hunter4" not in ran.err


def test_foreign_database_that_is_behind_is_left_alone_until_told(landed: Landed, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")

    refused = landed("accounts", "list")
    status = landed("db", "status", "--json")
    upgraded = landed("db", "upgrade", "--json")

    assert (refused.code, status.code, upgraded.code) == (1, 1, 0)
    assert "run `landed db upgrade`" in refused.err
    assert status.data["up_to_date"] is False
    assert upgraded.data["before"] is None
    assert landed("accounts", "list").code == 0
    assert landed("db", "upgrade", "--json").data["before"] == upgraded.data["after"]


def test_database_of_a_newer_version_is_refused(landed: Landed, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    for arguments in (["accounts", "list"], ["db", "upgrade"]):
        ran = landed(*arguments)
        assert ran.code == 1
        assert "which this version does not know: run a newer Landed" in ran.err


class TestEmbedded:
    """Without LANDED_DATABASE_URL, as separate processes, as a shell would start them."""

    @pytest.fixture
    def shell(self, data_directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
        monkeypatch.delenv("LANDED_DATABASE_URL", raising=False)
        monkeypatch.setenv("LANDED_DATA_DIR", str(data_directory / "embedded"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "auth").write_text(AUTH_TOKEN)
        yield
        deadline = time.monotonic() + 10
        while embedded.running_url(data_directory / "embedded") is not None and time.monotonic() < deadline:
            time.sleep(0.05)

    def landed(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).parent / "landed")
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)

    @pytest.mark.usefixtures("shell")
    def test_commands_start_the_database_make_its_schema_and_share_it(self, data_directory: Path) -> None:
        added = self.landed(
            "accounts", "add", "plivo", "shop", "--auth-id", "MA1", "--auth-token-file", "auth", "--json"
        )
        server = embedded.start(data_directory / "embedded")  # as a running `landed serve` does
        try:
            listed = self.landed("accounts", "list", "--json")
        finally:
            server.close()

        assert (added.returncode, listed.returncode) == (0, 0), added.stderr + listed.stderr
        [account] = json.loads(listed.stdout)["data"]
        assert account["callback_url"] == json.loads(added.stdout)["callback_url"]
        assert AUTH_TOKEN not in added.stdout + added.stderr + listed.stdout + listed.stderr

    @pytest.mark.usefixtures("shell")
    def test_status_says_where_the_files_lie(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)  # as root, the database's user cannot enter it
        monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path / "data"))

        status = json.loads(self.landed("db", "status", "--json").stdout)

        home = Path(status["database"].removeprefix("embedded in "))
        try:
            assert (home / "cluster" / "PG_VERSION").exists()
        finally:
            wait_until_stopped(home.parent, home.name)
            shutil.rmtree(home)

    @pytest.mark.usefixtures("shell")
    def test_data_directory_that_is_a_file_is_a_sentence(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path / "auth"))

        ran = self.landed("accounts", "list")

        assert ran.returncode == 2
        assert ran.stderr.startswith(f"LANDED_DATA_DIR is '{tmp_path}/auth', which cannot be used: File exists.")

    def test_version_needs_nothing(self) -> None:
        assert self.landed("--version").stdout.startswith("landed ")


def test_help_is_quick() -> None:
    """Nothing heavy is imported until a command needs it: the database alone would take half a second."""
    assert (
        loaded_by("landed.cli", "sqlalchemy", "alembic", "psycopg", "cryptography", "pydantic_settings", "fastapi")
        == []
    )


def test_commands_about_accounts_and_keys_are_quick() -> None:
    """What composes questions about messages takes a third of the time of a command that asks none."""
    used = ("accounts", "api_keys", "auditing", "checking", "sending_rates", "users")
    modules = ", ".join(["landed.cli.opening", "landed.settings", *(f"landed.services.{name}" for name in used)])

    assert loaded_by(modules, "sqlalchemy", "alembic", "fastapi") == []


def loaded_by(modules: str, *heavy: str) -> Any:
    """Which of the heavy libraries are loaded with these modules."""
    script = f"import json, sys, {modules}; print(json.dumps([name for name in {heavy} if name in sys.modules]))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(ran.stdout)

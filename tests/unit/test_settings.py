import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import phonenumbers
import pytest

from landed import settings
from landed.domain.errors import SettingInvalid

KEY = "a-secret-key-of-more-than-32-characters"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor the .env of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.variable(name), raising=False)
        monkeypatch.delenv(f"{settings.variable(name)}_FILE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


def source_of(name: str) -> str:
    described = settings.describe(settings.read())
    return next(setting.source for setting in described if setting.variable == settings.variable(name))


def test_all_have_a_default_and_a_meaning(tmp_path: Path) -> None:
    read = settings.read()

    assert read.database_url is None
    assert read.data_dir == tmp_path / "xdg" / "landed"
    assert (read.host, read.port, read.public_url) == ("127.0.0.1", 8080, "http://127.0.0.1:8080")
    assert all(setting.meaning and setting.give and setting.source == "default" for setting in settings.describe(read))


def test_data_goes_to_the_home_directory_without_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")

    assert settings.read().data_dir == Path("/home/somebody/.local/share/landed")


def test_environment_outranks_dotenv_and_options_outrank_both(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LANDED_PORT=1111\nLANDED_LANES=2\nOTHER=x\n")
    monkeypatch.setenv("LANDED_PORT", "2222")

    assert (settings.read().port, settings.read().lanes) == (2222, 2)
    assert settings.read(port=3333).port == 3333
    assert (source_of("port"), source_of("lanes"), source_of("host")) == ("environment", ".env", "default")


def test_file_gives_its_contents_without_the_newline(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("key").write_text(f"{KEY}\n")
    monkeypatch.setenv("LANDED_SECRET_KEY_FILE", "key")

    assert settings.secret_key(settings.read()) == KEY
    assert source_of("secret_key") == "file"


def test_file_may_be_named_in_dotenv() -> None:
    Path("port").write_text("4444")
    Path(".env").write_text("LANDED_PORT_FILE=port\n")

    assert settings.read().port == 4444


def test_variable_and_file_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_PORT", "1")
    monkeypatch.setenv("LANDED_PORT_FILE", "port")

    with pytest.raises(SettingInvalid, match="LANDED_PORT and LANDED_PORT_FILE are both set"):
        settings.read()


def test_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_PORT_FILE", "/nowhere/port")

    with pytest.raises(SettingInvalid, match="LANDED_PORT_FILE is '/nowhere/port', which cannot be read: No such file"):
        settings.read()


def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_DATABASE_URL", "")
    monkeypatch.setenv("LANDED_PORT", "")

    assert settings.read().database_url is None
    assert source_of("port") == "default"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("LANDED_PORT", "x", "LANDED_PORT is 'x'; give a whole number from 1 to 65535."),
        ("LANDED_PORT", "0", "LANDED_PORT is '0'; give a whole number from 1 to 65535."),
        ("LANDED_PORT", "65536", "LANDED_PORT is '65536'; give a whole number from 1 to 65535."),
        ("LANDED_HOST", "http://a", "LANDED_HOST is 'http://a'; give an address or host name, without scheme or port."),
        (
            "LANDED_JOURNAL",
            "kafka",
            "LANDED_JOURNAL is 'kafka'; give postgres, which is the only journal there is so far.",
        ),
        ("LANDED_LOG_LEVEL", "loud", "LANDED_LOG_LEVEL is 'loud'; give debug, info, warning or error."),
        *(
            (
                "LANDED_DEFAULT_REGION",
                value,
                f"LANDED_DEFAULT_REGION is '{value}'; give the ISO 3166 code of a country, such as US.",
            )
            for value in ("UK", "XX", "001", "USA")
        ),
        (
            "LANDED_TRUSTED_PROXIES",
            "10.0.0.1,nginx",
            "LANDED_TRUSTED_PROXIES is 'nginx'; give addresses or networks by commas, such as 10.0.0.1,192.168.0.0/24.",
        ),
        *(
            (
                "LANDED_PROVIDER_URLS",
                value,
                f"LANDED_PROVIDER_URLS is '{value}'; give names and URLs such as"
                " plivo=http://127.0.0.1:9100,routee=http://127.0.0.1:9101.",
            )
            for value in ("plivo", "=http://a.test", "plivo=a.test")
        ),
    ],
)
def test_bad_value_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingInvalid) as refused:
        settings.read()

    assert str(refused.value) == sentence


def test_every_region_whose_numbers_are_known_may_be_the_default_one() -> None:
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)

    assert {"US", "GB", "DE", "IN", "NG", "BR", "GR"} <= set(regions)
    assert [settings.read(default_region=region.lower()).default_region for region in regions] == regions


def test_provider_urls_are_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_PROVIDER_URLS", "plivo=http://127.0.0.1:9100/, routee = https://r.test")

    read = settings.read()

    assert read.provider_urls == {"plivo": "http://127.0.0.1:9100", "routee": "https://r.test"}
    (described,) = [each for each in settings.describe(read) if each.variable == "LANDED_PROVIDER_URLS"]
    assert described.value == "plivo=http://127.0.0.1:9100,routee=https://r.test"


def test_every_bad_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_PORT", "x")
    monkeypatch.setenv("LANDED_LANES", "many")

    with pytest.raises(SettingInvalid, match=r"LANDED_PORT is 'x'.*\nLANDED_LANES is 'many'"):
        settings.read()


@pytest.mark.parametrize(
    "url",
    [
        "landed.example.com",
        "/callbacks",
        "ftp://landed.example.com",
        "https://",
        "https://landed.example.com/?a=b",
        "https://landed.example.com?",
        "https://landed.example.com/#there",
        "https://user:password@landed.example.com",
        "https://landed.example.com:99999",
        "https://landed.example.com/a b",
    ],
)
def test_public_url_has_to_be_plain_and_absolute(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LANDED_PUBLIC_URL", url)

    with pytest.raises(SettingInvalid, match=r"LANDED_PUBLIC_URL is .*; give an absolute URL"):
        settings.read()


def test_public_url_loses_its_trailing_slash_and_keeps_port_and_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_PUBLIC_URL", "https://Example.com:8443/landed/")

    assert settings.read().public_url == "https://Example.com:8443/landed"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:9000"),
        ("::", "http://[::1]:9000"),
        ("::1", "http://[::1]:9000"),
        ("landed.internal", "http://landed.internal:9000"),
    ],
)
def test_public_url_follows_host_and_port(host: str, url: str) -> None:
    assert settings.read(host=host, port=9000).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root:hunter2@db/landed",
        "host=db password=hunter2",
        "postgresql://landed:hunter2@db:port/landed",
        "postgresql://landed:hunter2@db/landed?no_such_option=1",
    ],
)
def test_bad_database_url_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LANDED_DATABASE_URL", url)

    with pytest.raises(SettingInvalid, match="LANDED_DATABASE_URL cannot be used; give a URL") as refused:
        settings.read()

    assert "hunter2" not in f"{refused.value} {refused.value.__cause__}"


def test_short_secret_key_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_SECRET_KEY", "hunter2")

    with pytest.raises(SettingInvalid, match="LANDED_SECRET_KEY cannot be used; give at least 32") as refused:
        settings.read()

    assert "hunter2" not in f"{refused.value} {refused.value.__cause__}"


def test_secrets_are_shown_as_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_SECRET_KEY", KEY)
    monkeypatch.setenv("LANDED_DATABASE_URL", "postgresql://landed:hunter2@db:5432/landed?sslpassword=hunter3")

    read = settings.read()
    described = {setting.variable: setting.value for setting in settings.describe(read)}

    assert described["LANDED_SECRET_KEY"] == "********"
    assert described["LANDED_DATABASE_URL"] == "postgresql://landed:********@db:5432/landed"
    assert not any(secret in f"{read!r} {json.dumps(described)}" for secret in (KEY, "hunter2", "hunter3"))


def test_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDED_PROT", "1")
    monkeypatch.setenv("LANDED_PORT_FILE", "port")
    monkeypatch.setenv("LANDED_AUTH_TOKEN", "read by a command")

    assert settings.unknown_variables() == ["LANDED_PROT"]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings.read(), "port", 1)  # noqa: B010  mypy sees that it cannot be assigned


class TestGeneratedSecretKey:
    def test_is_the_same_from_the_second_time_on_and_its_owners_alone(self) -> None:
        read = settings.read()

        key = settings.secret_key(read)

        assert len(key) == 43
        assert settings.secret_key(read) == key
        assert stat.S_IMODE((read.data_dir / "secret-key").stat().st_mode) == 0o600

    def test_is_described_as_such_with_its_file(self) -> None:
        read = settings.read()
        before = next(each for each in settings.describe(read) if each.variable == "LANDED_SECRET_KEY")
        settings.secret_key(read)
        after = next(each for each in settings.describe(read) if each.variable == "LANDED_SECRET_KEY")

        assert (before.value, before.source) == (None, "default")
        assert (after.value, after.source) == ("generated", str(read.data_dir / "secret-key"))

    def test_is_one_for_all_who_start_at_once(self) -> None:
        read = settings.read()

        with ThreadPoolExecutor(16) as pool:
            keys = set(pool.map(lambda _: settings.secret_key(read), range(64)))

        assert len(keys) == 1

    def test_is_written_anew_if_its_writer_died(self) -> None:
        read = settings.read()
        read.data_dir.mkdir(parents=True)
        (read.data_dir / "secret-key").touch()

        assert settings.secret_key(read) == settings.secret_key(read) != ""

    def test_that_cannot_be_kept_says_what_to_set(self) -> None:
        Path("file").touch()

        with pytest.raises(
            SettingInvalid, match=r"The secret key cannot be kept in .*Set LANDED_SECRET_KEY, or LANDED_DATA"
        ):
            settings.secret_key(settings.read(data_dir="file"))

"""Every setting, declared once: its variable, its meaning, what it may be, and what it is when unset.

The setting `port` is the variable LANDED_PORT, or the contents of the file that LANDED_PORT_FILE names. Both may also
stand in the file `.env` of the working directory; the environment goes first. An empty value counts as unset.
"""

import fcntl
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from landed.domain import countries, limits, mail
from landed.domain.errors import InputInvalid, SettingInvalid
from landed.domain.limits import Limit

PREFIX: Final = "LANDED_"
SECRET_KEY_FILE: Final = "secret-key"  # noqa: S105  a file's name
#: Variables that single commands read, and which are no settings.
COMMAND_VARIABLES: Final = frozenset({"LANDED_API_KEY", "LANDED_AUTH_TOKEN", "LANDED_MAIN_TOKEN"})
STARS: Final = "********"
_SECRET_KEY_BYTES: Final = 32  # random enough that no key derivation needs to be slow
_NOT_IN_A_URL: Final = re.compile(r"[^\x21-\x7e]|[\"<>\\^`{|}]")


def _setting(meaning: str, *, give: str, default: Any = ..., **limits: Any) -> Any:
    """`give` ends the sentence that refuses a bad value: "LANDED_PORT is 'x'; give {give}"."""
    if "default_factory" not in limits:
        limits["default"] = default
    return Field(description=meaning, json_schema_extra={"give": give}, **limits)


def _whole(meaning: str, *, default: int, least: int, most: int) -> Any:
    return _setting(meaning, give=f"a whole number from {least} to {most}", default=default, ge=least, le=most)


def _rate(meaning: str, *, default: float) -> Any:
    return _setting(meaning, give="a number above 0, up to 10000", default=default, gt=0, le=10_000)


def _data_dir_default() -> Path:
    xdg = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The XDG specification says to ignore a relative path.
    return (xdg if xdg.is_absolute() else Path.home() / ".local" / "share") / "landed"


def _public_url_default(settings: Mapping[str, Any]) -> str:
    host = str(settings.get("host", "127.0.0.1"))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  an address to listen on, not to call
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.get('port', 8080)}"


def _data_dir(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


def _database_url(url: SecretStr | None) -> SecretStr | None:
    if url is not None:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict

        if not re.match(r"postgres(ql)?://", url.get_secret_value()):
            raise ValueError
        try:
            conninfo_to_dict(url.get_secret_value())
        except ProgrammingError:
            raise ValueError from None  # its text holds the password
        _ = urlsplit(url.get_secret_value()).port  # SQLAlchemy takes one host only
    return url


def _host(host: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:%-]+", host):
        raise ValueError
    return host


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.port == 0  # reading the port also checks it
        or "@" in parts.netloc
        or "?" in url
        or "#" in url
        or _NOT_IN_A_URL.search(url)
    ):
        raise ValueError
    return url.rstrip("/")


def _listed(text: Any) -> Any:
    return [part.strip() for part in text.split(",") if part.strip()] if isinstance(text, str) else text


def _urls_by_name(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    pairs = [part.partition("=") for part in _listed(text)]
    if not all(name.strip() for name, _, _ in pairs):
        raise ValueError
    return {name.strip(): _public_url(url.strip()) for name, _, url in pairs}


def _limits(text: Any) -> Any:
    return limits.read(text) if isinstance(text, str) else text


def _region(code: Any) -> Any:
    if isinstance(code, str) and countries.name_of(code.upper()) is None:
        raise ValueError
    return code.upper() if isinstance(code, str) else code


def _smtp_url(url: SecretStr | None) -> SecretStr | None:
    if url is not None:
        mail.MailServer.of(url.get_secret_value())
    return url


def _mail_addresses(text: Any) -> Any:
    try:
        return [mail.address(part) for part in _listed(text)]
    except InputInvalid as error:
        raise ValueError from error


def _mail_address(text: Any) -> Any:
    return _mail_addresses(text)[0] if text else None


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, OSError) as error:
        raise ValueError from error


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


class Settings(BaseSettings):
    """All settings as they were read at start. They come from `read()`, which says what is wrong in a sentence."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        case_sensitive=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    database_url: Annotated[SecretStr | None, AfterValidator(_database_url)] = _setting(
        "PostgreSQL 15 or newer to keep everything in; unset: an embedded one under the data directory",
        give="a URL such as postgresql://user:password@host:5432/landed, or leave it unset for the embedded PostgreSQL",
        default=None,
    )
    data_dir: Annotated[Path, BeforeValidator(_data_dir)] = _setting(
        "directory of the embedded PostgreSQL, of the generated secret key, and of downloaded media",
        give="a directory",
        default_factory=_data_dir_default,
    )
    host: Annotated[str, BeforeValidator(_host)] = _setting(
        "address to listen on; 127.0.0.1 lets in this machine only, 0.0.0.0 everybody",
        give="an address or host name, without scheme or port",
        default="127.0.0.1",
    )
    port: int = _whole("port to listen on", default=8080, least=1, most=65535)
    public_url: Annotated[str, BeforeValidator(_public_url)] = _setting(
        "what providers call, up to /callbacks; signatures are checked against it; unset: http://HOST:PORT",
        give="an absolute URL such as https://landed.example.com, without query or fragment",
        default_factory=_public_url_default,
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_listed)] = _setting(
        "addresses or networks of the proxies in front, by commas; forwarded headers of all others are ignored",
        give="addresses or networks by commas, such as 10.0.0.1,192.168.0.0/24",
        default=(),
    )
    provider_urls: Annotated[Mapping[str, str], BeforeValidator(_urls_by_name)] = _setting(
        "addresses to call in place of the providers' own, by name and commas: of stand-ins, such as a simulator",
        give="names and URLs such as plivo=http://127.0.0.1:9100,routee=http://127.0.0.1:9101",
        default_factory=dict,
    )
    secret_key: SecretStr | None = _setting(
        "what secrets in the database are encrypted with, the same on every machine;"
        f" unset: generated into {SECRET_KEY_FILE} in the data directory",
        give="at least 32 characters that nobody can guess, such as `openssl rand -base64 32` prints",
        default=None,
        min_length=32,
    )
    journal: Literal["postgres"] = _setting(
        "where accepted callbacks are kept until they are tracked",
        give="postgres, which is the only journal there is so far",
        default="postgres",
    )
    lanes: int = _whole(
        "lanes of the journal, which is how many trackers can share the work", default=4, least=1, most=256
    )
    web_processes: int = _whole("processes that take callbacks under `landed serve`", default=1, least=1, most=64)
    waiting_callbacks_max: int = _whole(
        "callbacks of one process that may wait for their commit; beyond it new ones get 503",
        default=10_000,
        least=1,
        most=1_000_000,
    )
    waiting_bytes_max: int = _whole(
        "bytes of the callbacks of one process that may wait for their commit; beyond it new ones get 503",
        default=64 * 1024 * 1024,
        least=1024 * 1024,
        most=8 * 1024 * 1024 * 1024,
    )
    body_bytes_max: int = _whole(
        "bytes of a callback's body; a larger one gets 413", default=256 * 1024, least=1024, most=16 * 1024 * 1024
    )
    media_download: bool = _setting(
        "whether workers download pictures and files of inbound messages into the data directory",
        give="true or false",
        default=False,
    )
    media_bytes_max: int = _whole(
        "bytes of one downloaded picture or file; a larger one is given up",
        default=20 * 1024 * 1024,
        least=1024,
        most=1024 * 1024 * 1024,
    )
    reconcile_after_s: int = _whole(
        "seconds after which a message without a final status is asked for at the provider, and then ever more rarely",
        default=3600,
        least=60,
        most=7 * 24 * 3600,
    )
    expire_after_s: int = _whole(
        "seconds after which a message that nobody can tell the end of becomes expired",
        default=72 * 3600,
        least=60,
        most=90 * 24 * 3600,
    )
    lookups_per_s: int = _whole(
        "messages that a worker asks a provider for in a second, for each account", default=10, least=1, most=50
    )
    report_conversions: bool = _setting(
        "whether a verified session counts as the conversion of the messages that belong to it, and providers are told",
        give="true or false",
        default=False,
    )
    verify_recipient_limits: Annotated[tuple[Limit, ...], BeforeValidator(_limits)] = _setting(
        "verify sessions that may be started to one number, resending included, over all accounts",
        give="counts and times by commas, such as 5/10m,20/1d, or off",
        default=limits.read("5/10m,20/1d"),
    )
    verify_country_limits: Annotated[tuple[Limit, ...], BeforeValidator(_limits)] = _setting(
        "verify sessions that one account may start to numbers of one country",
        give="counts and times by commas, such as 1000/1h, or off",
        default=limits.read("1000/1h"),
    )
    verify_caller_limits: Annotated[tuple[Limit, ...], BeforeValidator(_limits)] = _setting(
        "verify sessions that may be started with one API key",
        give="counts and times by commas, such as 3000/1h, or off",
        default=limits.read("3000/1h"),
    )
    verify_share_percent_min: int = _whole(
        "least percentage of verify sessions that have to end verified, by API key, and by account and country; below"
        " it no more are started for a while; 0: no such limit",
        default=10,
        least=0,
        most=100,
    )
    verify_share_sessions_min: int = _whole(
        "ended verify sessions that it takes to tell that percentage", default=50, least=1, most=1000
    )
    verify_share_hours: int = _whole("hours back from now that the percentage is of", default=6, least=1, most=168)
    verify_tries_max: int = _whole(
        "codes that may be tried for one verify session; after the last wrong one it has failed",
        default=5,
        least=1,
        most=10,
    )
    default_region: Annotated[str | None, BeforeValidator(_region)] = _setting(
        "country of phone numbers that are given without one; unset: they begin with a country's code",
        give="the ISO 3166 code of a country, such as US",
        default=None,
    )
    send_rate_per_account: float = _rate(
        "messages per second that an account sends, where `landed accounts rate` says nothing else", default=5.0
    )
    send_rate_per_sender: float = _rate(
        "messages per second from one number or name, where `landed accounts rate` says nothing else", default=5.0
    )
    smtp_url: Annotated[SecretStr | None, AfterValidator(_smtp_url)] = _setting(
        "where mail of alerts is handed over; smtp:// turns to TLS where the server offers it, smtps:// begins with it",
        give="a URL such as smtp://user:password@mail.example.com:587",
        default=None,
    )
    mail_from: Annotated[str | None, BeforeValidator(_mail_address)] = _setting(
        "whom mail of alerts is from; unset: landed@ and the host of LANDED_PUBLIC_URL",
        give="a mail address such as landed@example.com",
        default=None,
    )
    weekly_summary: Annotated[tuple[str, ...], BeforeValidator(_mail_addresses)] = _setting(
        "who gets the weekly summary by mail, besides the alert targets that ask for it",
        give="mail addresses by commas, such as ana@example.com,ben@example.com",
        default=(),
    )
    weekly_summary_zone: Annotated[str, AfterValidator(_zone)] = _setting(
        "time zone of the weekly summary: weeks begin there on Monday, and it is told of at 8 o'clock",
        give="a name such as Europe/Berlin",
        default="UTC",
    )
    retention_days: int = _whole("days that raw callbacks and events are kept", default=90, least=1, most=3650)
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = _setting(
        "least level that is logged", give="debug, info, warning or error", default="info"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Variables(settings_cls, env_settings), _Variables(settings_cls, dotenv_settings)


class _Variables(PydanticBaseSettingsSource):
    """Variables as pydantic-settings found them in one place, with `…_FILE` looked through."""

    def __init__(self, settings_cls: type[BaseSettings], found: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self.variables = cast(EnvSettingsSource, found).env_vars

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        name = variable(field_name)
        value, file = self.variables.get(name), self.variables.get(f"{name}_FILE")
        if value and file:
            raise SettingInvalid(f"{name} and {name}_FILE are both set; keep one of them.")
        return (_contents(f"{name}_FILE", file) if file else value) or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


def variable(name: str) -> str:
    return PREFIX + name.upper()


def read(**given: Any) -> Settings:
    """The settings of this process. What is `given`, such as a command's options, outranks the environment.

    Raises:
        SettingInvalid: a value cannot be used; a sentence for each.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = {
            str(problem["loc"][0]): problem["input"]
            for problem in error.errors()
            if problem["type"] != "default_factory_not_called"  # it follows from another one
        }
        raise SettingInvalid("\n".join(_refusal(name, value) for name, value in problems.items())) from error
    except OSError as error:
        raise SettingInvalid(f"The file .env here cannot be read: {error.strerror}.") from error


def secret_key(settings: Settings) -> str:
    """The secret key that is set, or else the one in the data directory, made at the first call.

    Raises:
        SettingInvalid: it can be neither read nor written there.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / SECRET_KEY_FILE
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            return _generated(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            if key := path.read_text().strip():
                return key
            # Another process is just writing it, or died before it could.
            return _generated(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingInvalid(
            f"The secret key cannot be kept in {path}: {reason}."
            f" Set {variable('secret_key')}, or {variable('data_dir')} to a directory of yours."
        ) from error


def _generated(descriptor: int) -> str:
    """The key in that file, written now if there is none. The lock holds off others that are doing the same."""
    with os.fdopen(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (key := file.read().strip()):
            key = secrets.token_urlsafe(_SECRET_KEY_BYTES)
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A setting as `landed settings` and the docs show it. `value` is None where it is unset; secrets are stars."""

    variable: str
    meaning: str
    give: str
    value: str | None
    source: str  #: default, environment, file (by …_FILE) or .env; the path of a generated secret key


def describe(settings: Settings) -> list[Described]:
    described = []
    for name, field in Settings.model_fields.items():
        value, source = _shown(getattr(settings, name)), _source(name)
        if name == "secret_key" and value is None and os.path.isfile(path := settings.data_dir / SECRET_KEY_FILE):
            value, source = "generated", str(path)
        described.append(
            Described(
                variable=variable(name), meaning=field.description or "", give=_give(field), value=value, source=source
            )
        )
    return described


def unknown_variables() -> list[str]:
    """Variables that look like settings of ours and are none: a typing error, most likely."""
    known = {known for name in Settings.model_fields for known in (variable(name), f"{variable(name)}_FILE")}
    found = {name for variables in _places().values() for name in variables if name.startswith(PREFIX)}
    return sorted(found - known - COMMAND_VARIABLES)


def _places() -> dict[str, Mapping[str, str | None]]:
    return {"environment": os.environ, ".env": DotEnvSettingsSource(Settings).env_vars}


def _source(name: str) -> str:
    for place, variables in _places().items():
        if variables.get(variable(name)):
            return place
        if variables.get(f"{variable(name)}_FILE"):
            return "file"
    return "default"


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return _shown_secret(value.get_secret_value())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}={each}" for key, each in value.items()) or None
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value) or None
    return str(value)


def _shown_secret(text: str) -> str:
    """Stars, but of a database URL all that is no secret: whom it names, where, and which database."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return STARS
    authority, _, path = rest.partition("?")[0].rpartition("@")
    user, colon, _ = authority.partition(":")
    return f"{scheme}://{user}{f':{STARS}' if colon else ''}{'@' if authority else ''}{path}"


def _give(field: FieldInfo) -> str:
    return str(cast(dict[str, Any], field.json_schema_extra)["give"])


def _refusal(name: str, value: Any) -> str:
    if name not in Settings.model_fields:
        return f"There is no setting {variable(name)}; `landed settings` lists the ones there are."
    field = Settings.model_fields[name]
    what = "cannot be used" if "SecretStr" in str(field.annotation) else f"is {str(value)!r}"
    return f"{variable(name)} {what}; give {_give(field)}."


def _contents(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingInvalid(f"{name} is {path!r}, which cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingInvalid(f"{name} is {path!r}, which is not text; give a file that holds the value.") from error

"""HTTP requests as people pass them around: a curl command line, or the request as text; read here, and written.

Nothing in them is run or followed: `@file` and variables of a shell are refused or taken as they stand.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, quote_plus, urlsplit

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import InputInvalid

#: More than any callback that is taken, written in a shell's escapes.
CHARACTERS_MAX: Final = 4 * 1024 * 1024

_REQUEST_LINE: Final = re.compile(r"([A-Z]{3,10}) (\S+)(?: HTTP/[\d.]+)?")
_ANSI: Final = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ANSI_ESCAPE: Final = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|[0-7]{1,3}|.)", re.DOTALL)
_ANSI_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}
#: Options of curl that take a value and say nothing of the request.
_IGNORED_WITH_VALUE: Final = frozenset({
    "-o", "--output", "-m", "--max-time", "--connect-timeout", "--retry", "-x", "--proxy", "--cacert", "-E", "--cert",
    "--key", "--resolve", "--connect-to", "-w", "--write-out", "--interface", "-c", "--cookie-jar", "--limit-rate",
    "-D", "--dump-header", "--http-version", "--ciphers", "--tls-max", "--retry-delay", "--retry-max-time",
})  # fmt: skip
_DATA: Final = frozenset({"-d", "--data", "--data-ascii", "--data-raw", "--data-binary", "--json"})
_HEADER_OPTIONS: Final = {"-A": "user-agent", "--user-agent": "user-agent", "-e": "referer", "--referer": "referer"}
_WITH_VALUE: Final = (
    _IGNORED_WITH_VALUE | _DATA | _HEADER_OPTIONS.keys()
    | {"-X", "--request", "-H", "--header", "--data-urlencode", "--url", "-u", "--user", "-b", "--cookie"}
)  # fmt: skip


@dataclass(slots=True)
class _Read:
    """What was read so far."""

    method: str = ""
    url: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    is_get: bool = False


def read(text: str) -> CallbackRequest:
    """A request from a curl command line or from HTTP text, whichever it is.

    Its URL is whole if it was written so; of HTTP text it is made of the Host header, and https.

    Raises:
        InputInvalid: it is neither, or it leaves out what cannot be guessed; says what.
    """
    if len(text) > CHARACTERS_MAX:
        raise InputInvalid("That is more text than any callback has.", field="curl")
    text = text.removeprefix("\ufeff").lstrip()
    if not text:
        raise InputInvalid("There is nothing to read: give a curl command line, or a request as text.", field="curl")
    if re.match(r"\$?\s*curl(\.exe)?\s", text):
        return _of_curl(text)
    if _REQUEST_LINE.match(text):
        return _of_http(text)
    raise InputInvalid(
        "This is neither a curl command line (curl -X POST -H 'name: value' --data '…' URL) nor a request as text"
        " (POST /path HTTP/1.1, headers, an empty line, the body).",
        field="curl",
    )


def as_curl(request: CallbackRequest, headers: Sequence[tuple[str, str]] | None = None) -> str:
    """A command line for a POSIX shell that makes the same request."""
    source = ""
    lines = [f"curl -X {shlex.quote(request.method)} {shlex.quote(request.url)}"]
    for name, value in headers if headers is not None else request.headers.items():
        if name.lower() not in ("host", "content-length", "connection", "transfer-encoding"):
            lines.append(f"-H {shlex.quote(f'{name}: {value}')}")
    if b"\0" in request.body:  # no argument can hold it
        octal = "".join(f"\\{byte:03o}" for byte in request.body)
        source = f"printf '{octal}' | "
        lines.append("--data-binary @-")
    elif request.body:
        lines.append(f"--data-raw {_quoted(request.body)}")
    return source + " \\\n  ".join(lines)


# --- curl --------------------------------------------------------------------------------------------------------


def _of_curl(text: str) -> CallbackRequest:
    read = _Read()
    words = iter(_words(text)[1:])
    for word in words:
        _take(read, word, words)
    if not read.url:
        raise InputInvalid("The curl command names no URL.", field="curl")
    url = read.url if "://" in read.url else f"http://{read.url}"
    body = "&".join(read.data)
    if read.is_get and body:
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", ""
    headers = _joined(read.headers)
    if body:
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
    headers.setdefault("host", split_url(url, field="curl").netloc.rpartition("@")[2])
    method = read.method or ("POST" if body else "GET")
    return CallbackRequest(method=method, url=url, headers=headers, body=_bytes(body))


def _take(read: _Read, word: str, words: Iterator[str]) -> None:
    if not word.startswith("-") or word == "-":
        read.url = word
        return
    flags, option, value = _split(word)
    read.is_get = read.is_get or bool({"-G", "--get"}.intersection(flags))
    read.method = "HEAD" if {"-I", "--head"}.intersection(flags) else read.method
    if option is None:
        return
    if value is None:
        value = next(words, None)
    if value is None:
        raise InputInvalid(f"{option} of the curl command has no value.", field="curl")
    if option in ("-X", "--request"):
        read.method = value.upper()
    elif option in ("-H", "--header"):
        name, colon, content = value.partition(":")
        if colon:
            read.headers.append((name.strip().lower(), content[1:] if content.startswith(" ") else content))
    elif option in _HEADER_OPTIONS:
        read.headers.append((_HEADER_OPTIONS[option], value))
    elif option == "--url":
        read.url = value
    elif option in _DATA or option == "--data-urlencode":
        _take_data(read, option, value)


def _take_data(read: _Read, option: str, value: str) -> None:
    if option == "--data-urlencode":
        name, equals, content = value.partition("=")
        if "@" in name or (not equals and value.startswith("@")):
            raise _of_file(option)
        read.data.append(f"{name}={quote_plus(content)}" if equals and name else quote_plus(content or name))
        return
    if value.startswith("@") and option != "--data-raw":
        raise _of_file(option)
    if option == "--json":
        read.headers.append(("content-type", "application/json"))
    read.data.append(value)


def _of_file(option: str) -> InputInvalid:
    return InputInvalid(
        f"{option} names a file, which is not read: put the body itself in its place, with --data-raw.", field="curl"
    )


def _split(word: str) -> tuple[Sequence[str], str | None, str | None]:
    """`--url=x` and `-sSXPOST` as flags, the option that takes a value, and the value if it is in the same word."""
    if word.startswith("--"):
        option, equals, value = word.partition("=")
        if option in _WITH_VALUE:
            return [], option, value if equals else None
        return [word], None, None
    flags: list[str] = []
    for place, letter in enumerate(word[1:], 2):
        if f"-{letter}" in _WITH_VALUE:
            return flags, f"-{letter}", word[place:] or None
        flags.append(f"-{letter}")
    return flags, None, None


def _words(text: str) -> list[str]:
    """The words of the command. Lines that go on end in a backslash, or a caret as Windows writes it."""
    text = re.sub(r"[\\^]\r?\n", " ", text.lstrip("$ "))
    text = _ANSI.sub(lambda quoted: shlex.quote(_ANSI_ESCAPE.sub(_unescaped, quoted[1])), text)
    try:
        words = shlex.split(text, posix=True)
    except ValueError as error:
        raise InputInvalid(f"The curl command cannot be split into words: {error}.", field="curl") from error
    return words


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1]
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code.isdigit():
        return chr(int(code, 8))
    return _ANSI_LETTERS.get(code, code)


# --- text of a request -------------------------------------------------------------------------------------------


def _of_http(text: str) -> CallbackRequest:
    head, _, body = _parted(text)
    first, *lines = head.splitlines()
    told = _REQUEST_LINE.match(first)
    assert told is not None  # noqa: S101  `read` has looked
    pairs = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            pairs.append((name.strip().lower(), value[1:] if value.startswith(" ") else value))
    headers = _joined(pairs)
    url = told[2]
    if "://" not in url:
        if "host" not in headers:
            raise InputInvalid("The request has no Host header and no whole URL.", field="curl")
        url = f"{headers.get('x-forwarded-proto', 'https')}://{headers['host'].strip()}{url}"
    length = headers.get("content-length", "").strip()
    content = _bytes(body)
    if length.isascii() and length.isdigit() and len(content) > int(length) and not content[int(length) :].strip():
        content = content[: int(length)]  # a line end that the editor put behind it
    elif not length:
        content = content.rstrip(b"\r\n")
    return CallbackRequest(method=told[1], url=url, headers=headers, body=content)


def _parted(text: str) -> tuple[str, str, str]:
    for separator in ("\r\n\r\n", "\n\n"):
        if separator in text:
            return text.partition(separator)
    return text, "", ""


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _bytes(text: str) -> bytes:
    """Bytes that were no text are kept as they were read: see the CLI."""
    return text.encode("utf-8", "surrogateescape")


def _quoted(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if text and all(char.isprintable() for char in text):
        return shlex.quote(text)
    escaped = "".join(chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in body)
    return f"$'{escaped}'"


def split_url(url: str, *, field: str = "url") -> SplitResult:
    """The address by its parts.

    Raises:
        InputInvalid: it is none.
    """
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InputInvalid(f"The address {url[:100]!r} cannot be read: {error}.", field=field) from error

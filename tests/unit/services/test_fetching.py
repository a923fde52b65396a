"""What strangers point at is fetched from strangers only, and not more of it than was wanted."""

import asyncio
import datetime
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from landed.services.fetching import Address, Fetched, Fetcher, FetchFailed, Login, is_public

pytestmark = pytest.mark.anyio

HERE = ip_address("127.0.0.1")
PICTURE = bytes(range(256)) * 1000

Answer = Callable[[str, dict[str, str]], bytes]


class Server:
    """A stranger's HTTP server on the loopback: gives each request, its path and headers, to `answer`."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        path = head[0].split(" ")[1]
        self.asked.append((path, headers))
        writer.write(self._answer(path, headers))
        writer.close()


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


def answer(status: str = "200 OK", body: bytes = PICTURE, **headers: str) -> bytes:
    given = {"content_type": "image/png", "content_length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items() if value)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def names(*addresses: str) -> Callable[[str, int], Awaitable[Sequence[Address]]]:
    """A name server that gives these addresses, whatever the name."""

    async def resolve(host: str, port: int) -> list[Address]:
        return [ip_address(address) for address in addresses]

    return resolve


def trusting(**options: Any) -> Fetcher:
    """It takes the loopback for the world, and http for https."""
    given: dict[str, Any] = {
        "bytes_max": 10**6,
        "schemes": frozenset({"http", "https"}),
        "is_allowed": lambda address: address == HERE,
        "resolve": names("127.0.0.1"),
        **options,
    }
    return Fetcher(**given)


async def fetched(fetcher: Fetcher, url: str, login: Login | None = None) -> tuple[Fetched, bytes]:
    pieces: list[bytes] = []

    async def write(piece: bytes) -> None:
        pieces.append(piece)

    return await fetcher.fetch(url, write, login), b"".join(pieces)


# --- who may be asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "100::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_nobody_to_be_asked(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "54.84.29.80", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_what_is_public_may_be_asked(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0x7f000001", "2130706433", "0", "0.0.0.0"],
)
async def test_the_loopback_is_not_asked_however_it_is_written(host: str) -> None:
    async with serving(lambda path, headers: answer()) as server:
        with pytest.raises(FetchFailed, match=r"not a public one|no address|cannot be read") as failed:
            await fetched(Fetcher(bytes_max=10**6, schemes=frozenset({"http"})), f"http://{host}:{server.port}/")

    assert server.asked == []
    assert str(server.port) not in str(failed.value)


async def test_one_address_that_is_not_public_among_others_is_enough_to_refuse() -> None:
    fetcher = Fetcher(bytes_max=10**6, resolve=names("8.8.8.8", "10.0.0.1"))

    with pytest.raises(FetchFailed, match="not a public one") as failed:
        await fetched(fetcher, "https://media.example/")

    assert failed.value.final


async def test_the_connection_goes_to_the_very_address_that_was_looked_at() -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def rebinding(host: str, port: int) -> list[Address]:
        return [ip_address(address) for address in next(answers)]

    async with serving(lambda path, headers: answer()) as server:
        got, content = await fetched(trusting(resolve=rebinding), f"http://media.example:{server.port}/a?b=c")

    assert (got, content) == (Fetched("image/png", len(PICTURE)), PICTURE)
    ((path, headers),) = server.asked
    assert (path, headers["host"]) == ("/a?b=c", f"media.example:{server.port}")
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example/", "ftp://media.example/", "file:///etc/passwd", "https://user:secret@media.example/",
        "https:///x", "https://", "media.example/x", "", "https://[::1", "https://media.example:99999/",
    ],
)  # fmt: skip
async def test_only_plain_https_addresses_are_asked(url: str) -> None:
    with pytest.raises(FetchFailed) as failed:
        await fetched(Fetcher(bytes_max=10**6, resolve=names("8.8.8.8")), url)

    assert failed.value.final
    assert "secret" not in str(failed.value)


async def test_a_host_without_an_address_may_have_one_later() -> None:
    async def none(host: str, port: int) -> list[Address]:
        raise socket.gaierror("no such name")

    with pytest.raises(FetchFailed, match="no address") as failed:
        await fetched(trusting(resolve=none), "http://media.example/")

    assert not failed.value.final


async def test_the_next_address_is_asked_where_the_first_is_dead() -> None:
    dead_and_alive = trusting(resolve=names("127.0.0.2", "127.0.0.1"), is_allowed=lambda address: True)
    async with serving(lambda path, headers: answer()) as server:
        assert (await fetched(dead_and_alive, f"http://media.example:{server.port}/"))[1] == PICTURE


# --- redirects -----------------------------------------------------------------------------------------------------


async def test_a_redirect_is_followed_where_it_leads_to_somebody_public() -> None:
    def leading(path: str, headers: dict[str, str]) -> bytes:
        return answer("302 Found", b"", location="/there") if path == "/here" else answer()

    async with serving(leading) as server:
        assert (await fetched(trusting(), f"http://media.example:{server.port}/here"))[1] == PICTURE


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
async def test_a_redirect_to_somebody_private_is_not_followed(status: str) -> None:
    async def inward(host: str, port: int) -> list[Address]:
        return [ip_address("169.254.169.254" if host == "metadata.internal" else "127.0.0.1")]

    async with serving(lambda path, headers: answer(status, b"", location="http://metadata.internal/")) as server:
        with pytest.raises(FetchFailed, match="not a public one"):
            await fetched(trusting(resolve=inward), f"http://media.example:{server.port}/")


async def test_a_redirect_to_another_scheme_is_not_followed() -> None:
    async with serving(lambda path, headers: answer("302 Found", b"", location="ftp://media.example/")) as server:
        with pytest.raises(FetchFailed, match="not https"):
            await fetched(trusting(), f"http://media.example:{server.port}/")


async def test_redirects_have_an_end() -> None:
    async with serving(lambda path, headers: answer("302 Found", b"", location=path + "x")) as server:
        with pytest.raises(FetchFailed, match="from one address to the next"):
            await fetched(trusting(), f"http://media.example:{server.port}/")

    assert len(server.asked) == 5


# --- credentials ---------------------------------------------------------------------------------------------------

LOGIN = Login(hosts=frozenset({"media.example"}), user="MA1", password="token")


def guarded(path: str, headers: dict[str, str]) -> bytes:
    return answer() if "authorization" in headers else answer("401 Unauthorized", b"")


async def test_credentials_go_to_the_providers_own_host_when_it_asks() -> None:
    async with serving(guarded) as server:
        assert (await fetched(trusting(), f"http://media.example:{server.port}/", LOGIN))[1] == PICTURE

    assert ["authorization" in headers for _, headers in server.asked] == [False, True]
    assert server.asked[1][1]["authorization"] == "Basic TUExOnRva2Vu"


async def test_credentials_go_to_nobody_else() -> None:
    async with serving(guarded) as server:
        with pytest.raises(FetchFailed, match="401"):
            await fetched(trusting(), f"http://evil.example:{server.port}/", LOGIN)

    assert [headers for _, headers in server.asked if "authorization" in headers] == []


async def test_credentials_do_not_travel_along_a_redirect() -> None:
    def leading(path: str, headers: dict[str, str]) -> bytes:
        if path == "/store":
            return answer()
        if "authorization" not in headers:
            return answer("401 Unauthorized", b"")
        return answer("302 Found", b"", location=f"http://store.example:{headers['host'].split(':')[1]}/store")

    async with serving(leading) as server:
        await fetched(trusting(), f"http://media.example:{server.port}/", LOGIN)

    assert ["authorization" in headers for _, headers in server.asked] == [False, True, False]


async def test_credentials_that_are_wrong_are_told_once() -> None:
    async with serving(lambda path, headers: answer("401 Unauthorized", b"")) as server:
        with pytest.raises(FetchFailed, match="401"):
            await fetched(trusting(), f"http://media.example:{server.port}/", LOGIN)

    assert len(server.asked) == 2
    assert "token" not in repr(LOGIN)


# --- what comes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["1000000", "", "10"], ids=["announced", "unannounced", "a lie"])
async def test_what_is_too_large_is_given_up(told: str) -> None:
    body = b"x" * 1_000_000 if told != "1000000" else b""
    async with serving(lambda path, headers: answer(body=body, content_length=told)) as server:
        fetcher = trusting(bytes_max=1000)
        if told == "10":
            assert len((await fetched(fetcher, f"http://media.example:{server.port}/"))[1]) == 10
            return
        with pytest.raises(FetchFailed, match="larger than 1000 bytes") as failed:
            await fetched(fetcher, f"http://media.example:{server.port}/")

    assert failed.value.final


async def test_exactly_as_large_as_allowed_is_not_too_large() -> None:
    async with serving(lambda path, headers: answer(body=b"x" * 1000, content_length="")) as server:
        got, _ = await fetched(trusting(bytes_max=1000), f"http://media.example:{server.port}/")

    assert got.size_bytes == 1000


async def test_what_breaks_off_may_come_whole_later() -> None:
    async with serving(lambda path, headers: answer(body=b"half", content_length="100")) as server:
        with pytest.raises(FetchFailed, match="cannot be asked") as failed:
            await fetched(trusting(), f"http://media.example:{server.port}/")

    assert not failed.value.final


async def test_a_compressed_answer_is_refused() -> None:
    async with serving(lambda path, headers: answer(content_encoding="gzip")) as server:
        with pytest.raises(FetchFailed, match="compressed"):
            await fetched(trusting(), f"http://media.example:{server.port}/")


@pytest.mark.parametrize(
    ("status", "final"), [("404 No", False), ("500 Oops", False), ("410 Gone", True), ("204 No", False)]
)
async def test_whether_to_ask_again_depends_on_the_answer(status: str, final: bool) -> None:
    async with serving(lambda path, headers: answer(status, b"")) as server:
        with pytest.raises(FetchFailed, match=status.split()[0]) as failed:
            await fetched(trusting(), f"http://media.example:{server.port}/")

    assert failed.value.final is final


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("image/jpeg", "image/jpeg"), ("Image/JPEG; charset=x", "image/jpeg"), ("text/html", "text/html"), ("", None),
        ("jpeg", None), ("image/jpeg\tx", None), ("a/b" + "c" * 100, None),
    ],
)  # fmt: skip
async def test_the_type_is_kept_where_it_is_one(told: str, kept: str | None) -> None:
    async with serving(lambda path, headers: answer(content_type=told)) as server:
        got, _ = await fetched(trusting(), f"http://media.example:{server.port}/")

    assert got.mime_type == kept


async def test_a_server_that_never_ends_is_left() -> None:
    async with serving(lambda path, headers: b"HTTP/1.1 200 OK\r\n") as server:
        closed = trusting(whole_s_max=5.0)
        with pytest.raises(FetchFailed):
            await fetched(closed, f"http://media.example:{server.port}/")
    with pytest.raises(FetchFailed, match="too long") as failed:
        await fetched(trusting(whole_s_max=0.0), "http://media.example:9/")

    assert not failed.value.final


# --- TLS -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of media.example, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "media.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("media.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(encoding) + private)
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_the_certificate_has_to_be_that_of_the_name_not_of_the_address(certificate: Path) -> None:
    fetcher = trusting(tls=ssl.create_default_context(cafile=str(certificate)))
    async with serving(lambda path, headers: answer(), server_side(certificate)) as server:
        assert (await fetched(fetcher, f"https://media.example:{server.port}/"))[1] == PICTURE
        with pytest.raises(FetchFailed, match="ConnectError"):
            await fetched(fetcher, f"https://other.example:{server.port}/")
        with pytest.raises(FetchFailed, match="ConnectError"):
            await fetched(trusting(), f"https://media.example:{server.port}/")

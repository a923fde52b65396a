"""Requests as text: curl command lines and raw HTTP are read, and written so that a shell makes the same request."""

import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import InputInvalid
from landed.services.requests_text import as_curl, read

BROWSER = """curl 'https://hooks.example.com/callbacks/key?a=1' \\
  -X 'POST' \\
  -H 'Content-Type: application/x-www-form-urlencoded' \\
  -H 'X-Plivo-Signature-V2: abc=' \\
  --compressed --insecure \\
  --data-raw $'Text=it\\'s\\u0021&To=%2B14155550123'
"""


def test_a_browsers_command_is_read() -> None:
    request = read(BROWSER)

    assert (request.method, request.url) == ("POST", "https://hooks.example.com/callbacks/key?a=1")
    assert request.headers["x-plivo-signature-v2"] == "abc="
    assert request.headers["host"] == "hooks.example.com"
    assert request.body == b"Text=it's!&To=%2B14155550123"


@pytest.mark.parametrize(
    ("command", "method", "url", "body"),
    [
        ("curl http://a/b", "GET", "http://a/b", b""),
        ("curl -d a=1 -d b=2 http://a/b", "POST", "http://a/b", b"a=1&b=2"),
        ("curl -G -d a=1 http://a/b?c=2", "GET", "http://a/b?c=2&a=1", b""),
        ("curl -sSXPUT --url=http://a/b", "PUT", "http://a/b", b""),
        ("curl -sX POST http://a/b -m 5 -o /dev/null", "POST", "http://a/b", b""),
        ("curl --data-urlencode 'text=a b&c' a.example/b", "POST", "http://a.example/b", b"text=a+b%26c"),
        ("curl --json '{\"a\": 1}' http://a/b", "POST", "http://a/b", b'{"a": 1}'),
        ("curl --data-raw @kept http://a/b", "POST", "http://a/b", b"@kept"),
        ("$ curl ^\r\n http://a/b", "GET", "http://a/b", b""),
    ],
)
def test_options_of_curl_are_understood(command: str, method: str, url: str, body: bytes) -> None:
    request = read(command)

    assert (request.method, request.url, request.body) == (method, url, body)


@pytest.mark.parametrize("option", ["-d", "--data", "--data-binary", "--data-urlencode"])
def test_no_file_is_read(option: str) -> None:
    with pytest.raises(InputInvalid, match="file"):
        read(f"curl {option} @/etc/passwd http://a/b")


def test_text_of_a_request_is_read() -> None:
    request = read("POST /hook?a=1 HTTP/1.1\r\nHost: h.example\r\nX-A: 1\r\nX-A: 2\r\n\r\na=%2B1&b=\r\n")

    assert (request.method, request.url, request.body) == ("POST", "https://h.example/hook?a=1", b"a=%2B1&b=")
    assert request.headers == {"host": "h.example", "x-a": "1,2"}


def test_blanks_around_a_header_stay_since_they_may_be_the_cause() -> None:
    assert read("GET / HTTP/1.1\nHost: a\nX-N: 1 \n\n").headers["x-n"] == "1 "


def test_a_body_ends_where_its_length_says() -> None:
    assert read("POST / HTTP/1.1\nHost: a\nContent-Length: 3\n\na=1\n").body == b"a=1"
    assert read("POST / HTTP/1.1\nHost: a\nContent-Length: 4\n\na=1\n").body == b"a=1\n"


@pytest.mark.parametrize(
    "text", ["", "hello", "curl", "curl -X", "curl 'unfinished", "GET / HTTP/1.1\n\n", "curl -H a:b"]
)
def test_what_is_no_request_says_so(text: str) -> None:
    with pytest.raises(InputInvalid):
        read(text)


@pytest.mark.parametrize(
    "body", [b"Text=it's & $HOME `id` \\ %2B", b"\x00\xff\r\n'\x1b[2J", b"@file", "ü€".encode(), b""]
)
def test_what_is_written_makes_the_same_request_in_a_shell(body: bytes) -> None:
    got: list[tuple[str, str, str | None, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            got.append((self.command, self.path, self.headers["x-quoted"], content))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/a?b='c'&d=$e"
    try:
        request = CallbackRequest(method="POST", url=url, headers={"x-quoted": "a 'b' \"c\""}, body=body)
        subprocess.run(["bash", "-c", f"{as_curl(request)} -s --globoff"], check=True, timeout=20)
    finally:
        server.shutdown()
        server.server_close()

    assert got == [("POST", "/a?b='c'&d=$e", "a 'b' \"c\"", body)]
    assert b"\x00" in body or read(as_curl(request)).body == body

"""Who the callbacks go to: a receiver that has the official SDK prove each of them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from plivo.utils import validate_signature, validate_v3_signature

from tests.serving import eventually


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A callback. `verdicts`: what the SDK's functions say, by the header."""

    method: str
    path: str
    fields: dict[str, str]
    body: bytes
    verdicts: dict[str, bool]


class Listener(ThreadingHTTPServer):
    """Answers with the next of `statuses`, and with 200 after them."""

    daemon_threads = True

    def __init__(self, token: str, main_token: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}"
        self.token = token
        self.main_token = main_token or token
        self.heard: list[Heard] = []
        self.statuses: list[int] = []

    def fields_of(self, path: str) -> list[dict[str, str]]:
        return [heard.fields for heard in list(self.heard) if heard.path.partition("?")[0] == path]

    def words(self, path: str, name: str = "Status") -> list[str]:
        """What was said under a name at a path, in order."""
        return [fields[name] for fields in self.fields_of(path)]

    def hears(self, path: str, words: Sequence[str], name: str = "Status") -> list[dict[str, str]]:
        """Wait until all these were said at a path, in any order; all that was said there, in the order of `words`
        and with others before them, since callbacks overtake each other."""
        eventually(lambda: set(words) <= set(self.words(path, name)), 10)
        return sorted(self.fields_of(path), key=lambda fields: fields[name] in words and words.index(fields[name]) + 1)

    @property
    def doubted(self) -> list[Heard]:
        """What the SDK's functions do not take for Plivo's."""
        return [heard for heard in self.heard if not (heard.verdicts and all(heard.verdicts.values()))]


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    protocol_version = "HTTP/1.1"

    def _take(self) -> None:
        server, body = self.server, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = body.decode() if self.command == "POST" else urlsplit(self.path).query
        is_form = "json" not in self.headers.get("Content-Type", "")
        fields = dict(parse_qsl(sent, keep_blank_values=True)) if is_form else {}
        verdicts = self._verdicts(fields if self.command == "POST" else {})
        heard = Heard(method=self.command, path=self.path, fields=fields, body=body, verdicts=verdicts)
        server.heard.append(heard)
        self.send_response(server.statuses.pop(0) if server.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _verdicts(self, fields: dict[str, str]) -> dict[str, bool]:
        url, headers = self.server.base_url + self.path, self.headers
        verdicts: dict[str, bool] = {}
        for name, token in (("", self.server.token), ("Ma-", self.server.main_token)):
            if v2 := headers.get(f"X-Plivo-Signature-{name}V2"):
                verdicts[f"{name}V2"] = validate_signature(url, headers["X-Plivo-Signature-V2-Nonce"], v2, token)
            if v3 := headers.get(f"X-Plivo-Signature-{name}V3"):
                nonce = headers["X-Plivo-Signature-V3-Nonce"]
                verdicts[f"{name}V3"] = validate_v3_signature(self.command, url, nonce, token, v3, dict(fields))
        return verdicts

    do_GET = do_POST = _take  # noqa: N815  as the standard library calls them

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""


@contextmanager
def listening(token: str, main_token: str | None = None) -> Iterator[Listener]:
    listener = Listener(token, main_token)
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield listener
    finally:
        listener.shutdown()
        listener.server_close()

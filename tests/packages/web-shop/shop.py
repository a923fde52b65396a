"""The shop: it tells people where their order is, and knows by Plivo's callbacks whom it reached."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import plivo
from plivo.utils import validate_v3_signature


class Shop:
    def __init__(self, auth_id: str, auth_token: str) -> None:
        self._plivo = plivo.RestClient(auth_id, auth_token)
        self._token = auth_token
        self.orders: dict[str, str] = {}  #: by message: whether its person knows
        self.heard: list[str] = []
        self.refused = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/plivo"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ship(self, number: str, order: int) -> str:
        sent = self._plivo.messages.create(
            src="+14155550110", dst=number, text=f"Order {order} is on its way.", url=self.url
        )
        return str(sent.message_uuid[0])

    def verify(self, number: str) -> str:
        return str(self._plivo.verify_session.create(recipient=number, url=self.url).session_uuid)

    def check(self, session: str, code: str) -> bool:
        try:
            self._plivo.verify_session.validate(session, otp=code)
        except plivo.exceptions.PlivoRestError:
            return False
        return True

    def take(self, fields: dict[str, str]) -> None:
        if "Text" in fields:
            self.heard.append(fields["Text"])
        elif "ParentMessageUUID" in fields:
            known = {"delivered": "knows", "undelivered": "call them", "failed": "call them"}.get(
                fields["Status"], "wait"
            )
            order = fields["ParentMessageUUID"]
            # Receipts come late, twice and in disorder.
            self.orders[order] = max(known, self.orders.get(order, "wait"), key=["wait", "call them", "knows"].index)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
                nonce = self.headers.get("X-Plivo-Signature-V3-Nonce", "")
                signature = self.headers.get("X-Plivo-Signature-Ma-V3", "")
                is_genuine = validate_v3_signature("POST", shop.url, nonce, shop._token, signature, dict(fields))
                if is_genuine:
                    shop.take(fields)
                else:
                    shop.refused += 1
                self.send_response(200 if is_genuine else 403)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

"""A fresh start: from `landed serve` in an empty directory to the first callback that is acknowledged.

Nothing can be acknowledged before there is an account, so the time has two parts: until the server answers
(database made, schema in place), and then the command that adds the account, whose callback is asked for until it is
acknowledged. The budget holds the sum.
"""

import time
from typing import Final

from benchmarks import contenders, harness, ours, requests
from benchmarks.harness import Session
from benchmarks.report import Figure

START_S_MAX: Final = 5.0
_ALIVE: Final = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def run(session: Session) -> list[Figure]:
    runs = [_once() for _ in range(1 if session.quick else 3)]
    for alive_s, acknowledged_s in runs:
        session.say(f"answers after {alive_s:.2f} s, first ack after {acknowledged_s:.2f} s")
    alive_s, acknowledged_s = sorted(runs, key=lambda run: run[1])[len(runs) // 2]
    return [
        Figure(
            name="start_s",
            meaning="fresh start to the first ack",
            value=acknowledged_s,
            unit="s",
            at_most=START_S_MAX,
            details={"until_alive_s": alive_s},
        )
    ]


def _once() -> tuple[float, float]:
    with harness.directory() as directory, harness.directory() as data_directory:
        file = requests.prepare(directory, quick=True)
        port = harness.free_port()
        environment = ours.environment(data_directory, port)
        ours.need("serve", environment)
        began = time.monotonic()
        server = ours.start_at_once("serve", port, environment)
        try:
            server.wait_for(_ALIVE)
            alive_s = time.monotonic() - began
            ours.add_account(data_directory, environment)
            server.wait_for(contenders.first_request(file))
            return alive_s, time.monotonic() - began
        finally:
            server.stop()
            harness.wait_until_stopped(data_directory)
